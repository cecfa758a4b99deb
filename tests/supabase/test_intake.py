"""What may become a job, and what is said when it may not."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.supabase.desk import Connection, Desk, connect, refusal, rows, value

INSERT = "insert into jobs (user_id, job_type, payload, status) values (%s, %s, %s, 'queued') returning id"


@pytest.fixture
async def front_end(desk: Desk) -> AsyncIterator[Connection]:
    """The desk's user, signed in without any role."""
    async with desk.person(desk.user_id) as connection:
        yield connection


async def test_the_front_ends_insert_becomes_a_job(desk, front_end):
    job_id = await value(front_end, INSERT, desk.user_id, "blog_generate", Jsonb({"topic": "ISO 13485"}))
    job = await desk.job(job_id)
    assert (job["job_type"], job["kind"], job["status"]) == ("blog_generate", "blog", "queued")
    assert job["payload"] == {"topic": "ISO 13485"}
    assert (job["attempts"], job["max_attempts"]) == (0, 5)
    assert len(job["trace_id"]) == 32
    event = await desk.last_event(job_id)
    assert (event["kind"], event["actor"], event["attempt"]) == ("queued", f"user:{desk.user_id}", 0)


async def test_an_alias_is_resolved_and_the_name_stays_as_written(desk, front_end):
    for written, kind in (
        ("blog", "blog"),
        ("blog_generation", "blog"),
        ("research", "deep_research"),
        ("deep_research", "deep_research"),
        (" Blog_Generate ", "blog"),
        ("ECHO", "echo"),
    ):
        job = await desk.job(await value(front_end, INSERT, desk.user_id, written, Jsonb({})))
        assert (job["job_type"], job["kind"]) == (written, kind)


async def test_an_unknown_kind_is_refused_and_the_known_ones_are_named(desk, front_end):
    for unknown in ("nope", "", "blog; drop table jobs", "blog%", "x" * 5000):
        error = await refusal(front_end, INSERT, desk.user_id, unknown, Jsonb({}))
        assert error.sqlstate == "PT422"
        assert "Known job types: blog, carousel, deep_research, echo, index_assets, instagram, sequence." in str(error)
        assert len(str(error)) < 500


async def test_a_missing_kind_is_refused(desk, front_end):
    assert (await refusal(front_end, INSERT, desk.user_id, None, Jsonb({}))).sqlstate == "PT422"


async def test_a_kind_that_is_switched_off_is_refused_by_its_title(desk, front_end):
    error = await refusal(front_end, INSERT, desk.user_id, "lead_score", Jsonb({}))
    assert (error.sqlstate, error.diag.message_primary) == (
        "PT403",
        "Lead scoring (lead_score) is switched off at the moment.",
    )


async def test_nobody_asks_in_another_persons_name(desk, front_end, create_user):
    other = await create_user()
    for user_id in (other, uuid4(), None):
        assert (await refusal(front_end, INSERT, user_id, "echo", Jsonb({}))).sqlstate in {"42501", "PT422"}
    assert await value(desk.root, "select count(*) from jobs") == 0


async def test_an_administrator_asks_for_themselves_alone_too(desk, create_user):
    async with desk.person(await create_user("admin"), "admin") as admin:
        assert (await refusal(admin, INSERT, desk.user_id, "echo", Jsonb({}))).sqlstate == "42501"


async def test_nobody_asks_without_signing_in(desk):
    async with await connect(desk.url, "anon") as anon:
        assert (await refusal(anon, INSERT, desk.user_id, "echo", Jsonb({}))).sqlstate == "42501"
        assert (await refusal(anon, "select enqueue_job('echo', '{}')")).sqlstate == "42501"


async def test_a_person_inserts_nothing_but_queued_jobs(desk, front_end):
    query = "insert into jobs (user_id, job_type, status) values (%s, 'echo', %s)"
    for status in ("processing", "completed", "failed", "cancelled", "pending", "", None):
        assert (await refusal(front_end, query, desk.user_id, status)).sqlstate in {"42501", "23514", "23502"}


async def test_a_person_cannot_set_the_engines_columns(desk, front_end):
    columns = await rows(desk.root, "select attname from pg_attribute where attrelid = 'jobs'::regclass and attnum > 0")
    theirs = {
        "id",
        "user_id",
        "job_type",
        "payload",
        "status",
        "scheduled_for",
        "batch_id",
        "batch_order",
        "depends_on",
    }
    for column in {row[0] for row in columns} - theirs:
        query = f"insert into jobs (user_id, job_type, {column}) values (%s, 'echo', null)"
        assert (await refusal(front_end, query, desk.user_id)).sqlstate == "42501", column


async def test_a_payload_that_is_no_object_is_refused_and_none_is_an_empty_one(desk, front_end):
    for payload in ([], ["a"], "text", 3, True):
        error = await refusal(front_end, INSERT, desk.user_id, "echo", Jsonb(payload))
        assert error.sqlstate == "PT422"
        assert "must be a JSON object" in str(error)
    for payload in (None, Jsonb(None)):
        assert (await desk.job(await value(front_end, INSERT, desk.user_id, "echo", payload)))["payload"] == {}


def payload_of(size: int) -> dict[str, str]:
    """A payload whose text in the database has that many bytes; é takes two."""
    text = {"text": "é"}
    return {"text": "é" + "x" * (size - len(json.dumps(text, ensure_ascii=False).encode()))}


async def test_a_payload_of_256_kib_is_taken_and_one_byte_more_is_not(desk, front_end):
    job_id = await value(front_end, INSERT, desk.user_id, "echo", Jsonb(payload_of(262144)))
    assert await value(desk.root, "select octet_length(payload::text) from jobs where id = %s", job_id) == 262144
    error = await refusal(front_end, INSERT, desk.user_id, "echo", Jsonb(payload_of(262145)))
    assert (error.sqlstate, error.diag.message_primary) == ("PT413", "The payload is larger than 256 KiB.")
    assert "Storage" in (error.diag.message_hint or "")


async def test_one_bad_row_refuses_the_whole_statement(desk, front_end):
    query = "insert into jobs (user_id, job_type) values (%s, 'echo'), (%s, 'nope')"
    await refusal(front_end, query, desk.user_id, desk.user_id)
    assert await value(desk.root, "select count(*) from jobs") == 0


async def test_a_job_may_be_scheduled_for_later_but_not_before_now_nor_for_never(desk, front_end):
    query = "insert into jobs (user_id, job_type, scheduled_for) values (%s, 'echo', %s) returning id"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert (await desk.job(await value(front_end, query, desk.user_id, tomorrow)))["scheduled_for"] == tomorrow
    for past in ("-infinity", "2001-01-01", None):
        job = await desk.job(await value(front_end, query, desk.user_id, past))
        assert job["scheduled_for"] >= job["created_at"]
    for never in ("infinity", datetime.now(UTC) + timedelta(days=400)):
        assert (await refusal(front_end, query, desk.user_id, never)).sqlstate == "PT422"


async def test_a_service_asks_for_a_user_and_may_carry_a_trace(desk):
    trace = uuid4().hex
    query = "insert into jobs (user_id, job_type, trace_id) values (%s, 'echo', %s) returning id"
    assert (await desk.job(await value(desk.worker, query, desk.user_id, trace)))["trace_id"] == trace
    for bad in ("xyz", trace.upper() + "0", trace[:-1] + "G"):
        assert (await refusal(desk.worker, query, desk.user_id, bad)).sqlstate == "PT422"
    assert "user_id" in str(await refusal(desk.worker, query, None, None))


async def test_enqueue_job_is_the_same_as_an_insert(desk, front_end, create_user):
    job_id = await value(front_end, "select id from enqueue_job('research', '{\"topic\": \"a\"}')")
    job = await desk.job(job_id)
    assert (job["user_id"], job["kind"], job["status"]) == (desk.user_id, "deep_research", "queued")
    later = datetime.now(UTC) + timedelta(hours=1)
    job_id = await value(
        front_end, "select id from enqueue_job(job_type => 'echo', payload => null, scheduled_for => %s)", later
    )
    assert (await desk.job(job_id))["scheduled_for"] == later
    other = await create_user()
    assert (await refusal(front_end, "select enqueue_job('echo', '{}', %s)", other)).sqlstate == "42501"
    assert await value(desk.worker, "select user_id from enqueue_job('echo', '{}', %s)", other) == other
    assert (await refusal(desk.worker, "select enqueue_job('echo', '{}')")).sqlstate == "PT422"


async def test_a_person_cannot_change_or_delete_a_job_by_any_statement(desk, front_end):
    job_id = await value(front_end, INSERT, desk.user_id, "echo", Jsonb({}))
    before = await desk.snapshot()
    for statement in (
        "update jobs set status = 'completed'",
        "update jobs set payload = '{}'",
        "delete from jobs",
        "truncate jobs",
        "insert into jobs (user_id, job_type) values (null, 'echo') on conflict (id) do update set status = 'failed'",
        "select id from jobs for update",
        "insert into job_events (job_id, kind, actor, attempt) select id, 'completed', 'me', 1 from jobs",
        f"select claim_job('{job_id}', 'me')",
        f"select complete_job('{job_id}', '{uuid4()}', '{{}}')",
        "select engine.expire_lease(id, 'me') from jobs",
        "select engine.set_setting('dispatcher_url', 'http://evil.test')",
        "select engine.setting('webhook_secret')",
        "select sync_catalog('{}')",
        "alter table jobs disable trigger all",
    ):
        assert (await refusal(front_end, statement)).sqlstate == "42501", statement
    assert await desk.snapshot() == before


async def set_quota(desk: Desk, kind: str, quota: int | None) -> None:
    await desk.root.execute("update job_kinds set daily_quota = %s where name = %s", (quota, kind))


async def try_insert(connection: Connection, user_id: UUID, kind: str, count: int = 1) -> str:
    """'taken', or the SQLSTATE of the refusal."""
    query = "insert into jobs (user_id, job_type) select %s, %s from generate_series(1, %s)"
    try:
        await connection.execute(query, (user_id, kind, count))
    except Exception as error:  # noqa: BLE001 - the test asserts on what came
        return getattr(error, "sqlstate", None) or repr(error)
    return "taken"


async def test_twenty_inserts_at_once_against_a_quota_of_five_make_five_jobs(desk):
    await set_quota(desk, "blog", 5)
    async with desk.crowd(20) as crowd:
        outcomes = await asyncio.gather(*(try_insert(one, desk.user_id, "blog") for one in crowd))
    assert sorted(outcomes) == ["PT429"] * 15 + ["taken"] * 5
    assert await value(desk.root, "select count(*) from jobs") == 5


async def test_the_quota_says_how_much_and_until_when(desk, front_end):
    await set_quota(desk, "blog", 1)
    await value(front_end, INSERT, desk.user_id, "blog", Jsonb({}))
    error = await refusal(front_end, INSERT, desk.user_id, "blog_generate", Jsonb({}))
    tomorrow = await value(desk.root, "select engine.today() + 1")
    assert error.sqlstate == "PT429"
    assert error.diag.message_primary == (
        'The daily limit of 1 job of the kind "Blog post" is reached.'
        f" It starts again on {tomorrow} at 00:00, São Paulo time."
    )


async def test_a_statement_passes_the_quota_as_a_whole_or_not_at_all(desk):
    await set_quota(desk, "blog", 5)
    assert await try_insert(desk.worker, desk.user_id, "blog", 6) == "PT429"
    assert await try_insert(desk.worker, desk.user_id, "blog", 5) == "taken"
    assert await try_insert(desk.worker, desk.user_id, "blog") == "PT429"


async def test_each_user_and_kind_has_a_quota_of_its_own(desk, create_user):
    await set_quota(desk, "blog", 1)
    await set_quota(desk, "deep_research", 1)
    other = await create_user()
    for user_id, kind in ((desk.user_id, "blog"), (desk.user_id, "research"), (other, "blog"), (other, "research")):
        assert await try_insert(desk.worker, user_id, kind) == "taken"
        assert await try_insert(desk.worker, user_id, kind) == "PT429"
    assert await try_insert(desk.worker, desk.user_id, "echo", 100) == "taken"


async def test_yesterdays_jobs_do_not_count(desk):
    await set_quota(desk, "blog", 1)
    await try_insert(desk.worker, desk.user_id, "blog")
    await desk.root.execute("update jobs set created_at = engine.day_start(engine.today()) - interval '1 ms'")
    assert await try_insert(desk.worker, desk.user_id, "blog") == "taken"


async def test_crossing_inserts_for_two_people_do_not_block_each_other_for_ever(desk, create_user):
    await set_quota(desk, "blog", 1000)
    other = await create_user()
    query = "insert into jobs (user_id, job_type) select unnest(%s::uuid[]), 'blog'"
    async with desk.crowd(8) as crowd:

        async def insert_often(number: int, connection: Connection) -> None:
            people = [desk.user_id, other] if number % 2 else [other, desk.user_id]
            for _ in range(10):
                await connection.execute(query, (people,))

        await asyncio.gather(*(insert_often(n, one) for n, one in enumerate(crowd)))
    assert await value(desk.root, "select count(*) from jobs") == 160


async def test_jobs_that_are_recorded_after_the_fact_need_no_open_kind(desk):
    query = (
        "insert into jobs (user_id, job_type, status, completed_at) values (%s, %s, 'completed', now()) returning kind"
    )
    assert await rows(desk.worker, query, desk.user_id, "carousel_generate") == [("carousel",)]
    assert (await refusal(desk.worker, query, desk.user_id, "nope")).sqlstate == "PT422"
    await desk.root.execute("delete from jobs")


def test_the_boundary_payload_is_built_right():
    sizes: list[Any] = [len(json.dumps(payload_of(size), ensure_ascii=False).encode()) for size in (100, 262144)]
    assert sizes == [100, 262144]
