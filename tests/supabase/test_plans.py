"""A long history of finished jobs costs nothing: hot paths find rows by index, and their updates stay on the page."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import TestDatabases
from tests.supabase.desk import Desk, connect, rows, value

FINISHED = 100_000


@pytest.fixture(scope="module")
async def history(databases: TestDatabases) -> AsyncIterator[Desk]:
    """A desk over FINISHED completed jobs with an event each, and 200 jobs that are scheduled for later."""
    with databases.copy_of("migrated") as url:
        async with await connect(url, "postgres") as root, await connect(url, "service_role") as worker:
            user_id = await value(root, "insert into auth.users (id) values (gen_random_uuid()) returning id")
            await root.execute("set session_replication_role = replica")
            await root.execute(
                "insert into jobs (user_id, job_type, kind, status, completed_at, created_at, scheduled_for)"
                " select %s, 'echo', 'echo', 'completed', now(), at, at"
                " from (select now() - n * interval '1 s' from generate_series(1, %s) n) past (at)",
                (user_id, FINISHED),
            )
            await root.execute(
                "insert into job_events (job_id, kind, actor, attempt) select id, k, 'w', 1 from jobs,"
                " (values ('completed')) v (k)"
            )
            await root.execute("reset session_replication_role")
            await root.execute(
                "insert into jobs (user_id, job_type, scheduled_for) select %s, 'echo', now() + interval '1 day'"
                " from generate_series(1, 200)",
                (user_id,),
            )
            await root.execute("vacuum (analyze) jobs, job_events")
            yield Desk(url, root, worker, user_id)


async def scans(desk: Desk) -> dict[str, tuple[int, int]]:
    """{table: (sequential scans, rows that they read)}."""
    for connection in (desk.worker, desk.root):
        await connection.execute("select pg_stat_force_next_flush()")
    await desk.root.execute("select pg_stat_clear_snapshot()")
    query = "select relname, seq_scan, seq_tup_read from pg_stat_user_tables where schemaname in ('public', 'engine')"
    return {name: (count, read) for name, count, read in await rows(desk.root, query)}


async def life_of_a_job(desk: Desk) -> None:
    """Each hot path once, as services and people call it."""
    job_id = await desk.insert()
    await rows(desk.worker, "select * from due_jobs(%s)", [job_id])
    claim = await desk.claim(job_id)
    assert claim is not None
    await desk.worker.execute("select heartbeat_job(%s, %s)", (job_id, claim.token))
    await desk.worker.execute("select checkpoint_job(%s, %s, '{\"a\": 1}')", (job_id, claim.token))
    call_id = (await desk.reserve(claim))[0]
    await desk.settle(claim, call_id)
    await desk.worker.execute("select release_job(%s, %s)", (job_id, claim.token))
    claim = await desk.claim(job_id)
    assert claim is not None
    await desk.worker.execute("select fail_job(%s, %s, '{}', true)", (job_id, claim.token))
    await desk.pass_time(job_id)
    claim = await desk.claim(job_id)
    assert claim is not None
    await desk.worker.execute("select complete_job(%s, %s, '{}')", (job_id, claim.token))
    await rows(desk.worker, "select * from sweep_jobs(100)")
    cancelled = await desk.insert()
    await desk.worker.execute("select cancel_job(%s)", (cancelled,))
    await desk.worker.execute("select retry_job(%s)", (cancelled,))
    await desk.worker.execute("select cancel_job(%s)", (cancelled,))


async def test_no_hot_path_reads_a_big_table_from_end_to_end(history):
    for _ in range(8):  # past the point where prepared plans become generic
        await life_of_a_job(history)
    before = await scans(history)
    for _ in range(3):
        await life_of_a_job(history)
    after = await scans(history)
    big = ("jobs", "job_events", "model_calls", "spend_counters")
    assert {name: after[name] for name in big} == {name: before[name] for name in big}


async def test_plans_made_on_an_empty_table_are_good_for_a_full_one(databases):
    with databases.copy_of("migrated") as url:
        async with await connect(url, "postgres") as root, await connect(url, "service_role") as worker:
            user_id = await value(root, "insert into auth.users (id) values (gen_random_uuid()) returning id")
            desk = Desk(url, root, worker, user_id)
            for _ in range(8):
                await life_of_a_job(desk)
            await root.execute("analyze jobs, job_events, model_calls")
            for _ in range(8):
                await life_of_a_job(desk)
            ids = await desk.insert_many(3000)
            before = await scans(desk)
            for job_id in ids[:20]:
                claim = await desk.claim(job_id)
                assert claim is not None
                await worker.execute("select heartbeat_job(%s, %s)", (job_id, claim.token))
                await worker.execute("select complete_job(%s, %s, '{}')", (job_id, claim.token))
                await rows(worker, "select * from due_jobs(%s)", [job_id])
            assert (await scans(desk))["jobs"] == before["jobs"]


async def test_the_front_ends_page_and_the_consoles_page_read_an_index(history):
    before = await scans(history)
    async with history.person(history.user_id) as person:
        page = "select id, status, payload from jobs order by created_at desc limit 20"
        assert len(await rows(person, page)) == 20
    async with history.person(history.user_id, "admin") as admin:
        assert len(await rows(admin, page)) == 20
    after = await scans(history)
    assert after["jobs"] == before["jobs"]


async def test_a_sweep_reads_what_is_due_and_not_what_is_scheduled_for_later(history):
    plan = await rows(
        history.root,
        "explain (analyze, buffers off, costs off, timing off, summary off) select j.id from jobs j"
        " where j.completed_at is null and j.status = 'queued' and j.scheduled_for <= (select clock_timestamp())"
        " order by j.scheduled_for limit 1000",
    )
    text = "\n".join(row[0] for row in plan)
    assert "Index Cond: (scheduled_for <= (InitPlan" in text
    assert "jobs_open" in text
    assert "Rows Removed by Filter" not in text


async def test_the_time_until_the_next_job_is_read_from_the_index(history):
    await rows(history.worker, "select seconds_to_next_due()")
    before = await scans(history)
    hits = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'jobs_open'"
    read = await value(history.root, hits)
    for _ in range(10):
        assert await value(history.worker, "select seconds_to_next_due()") > 0
    assert (await scans(history))["jobs"] == before["jobs"]
    assert await value(history.root, hits) - read <= 10


async def test_claims_heartbeats_and_checkpoints_stay_on_the_page(history):
    query = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'jobs'"

    async def updates() -> tuple[int, int]:
        await scans(history)
        return (await rows(history.root, query))[0]

    claims = await history.insert_many(40)
    before = await updates()
    for job_id in claims:
        claim = await history.claim(job_id)
        assert claim is not None
        for _ in range(3):
            await history.worker.execute("select heartbeat_job(%s, %s)", (job_id, claim.token))
            await history.worker.execute("select checkpoint_job(%s, %s, '{\"a\": 1}')", (job_id, claim.token))
    after = await updates()
    assert after[0] - before[0] == 40 * 7
    assert after[1] - before[1] >= 40 * 7 * 0.9
