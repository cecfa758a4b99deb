"""How many jobs a day and how many at once: no crowd passes a limit, and who changed one is on record."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.supabase.desk import Connection, Desk, refusal, rows, value

INSERT = "insert into jobs (user_id, job_type) select %s, %s from generate_series(1, %s)"
SET = (
    "insert into spend_limits (scope, scope_key, jobs_per_day, concurrent_jobs) values (%s, %s, %s, %s)"
    " on conflict (scope, scope_key) do update set jobs_per_day = excluded.jobs_per_day,"
    " concurrent_jobs = excluded.concurrent_jobs"
)
SCOPES = ("overall", "user", "kind")


async def limit_day(desk: Desk, scope: str, most: int, key: str = "*") -> None:
    await desk.root.execute(SET, (scope, key, most, None))


async def limit_slots(desk: Desk, scope: str, most: int, key: str = "*") -> None:
    await desk.root.execute(SET, (scope, key, None, most))


async def insert(desk: Desk, user_id: UUID, kind: str = "echo", count: int = 1, by: Connection | None = None) -> Any:
    """ "taken", or the refusal's message."""
    try:
        await (by or desk.worker).execute(INSERT, (user_id, kind, count))
    except psycopg.Error as error:
        return error.diag.message_primary if error.sqlstate == "PT429" else repr(error)
    return "taken"


async def deadlocks(desk: Desk) -> int:
    await desk.root.execute("select pg_stat_clear_snapshot()")
    return await value(desk.root, "select deadlocks from pg_stat_database where datname = current_database()")


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_limit_of_jobs_a_day_may_be_reached_and_not_passed(desk, scope):
    await limit_day(desk, scope, 3)
    assert await insert(desk, desk.user_id, count=4) != "taken"
    assert await insert(desk, desk.user_id, count=3) == "taken"
    assert await insert(desk, desk.user_id) != "taken"
    assert await value(desk.root, "select count(*) from jobs") == 3


async def test_each_limit_of_jobs_a_day_refuses_in_words(desk):
    tomorrow = await value(desk.root, "select engine.today() + 1")
    for scope, words in {
        "overall": "The daily limit of 1 job for everyone is reached.",
        "user": "Your daily limit of 1 job is reached.",
        "kind": 'The daily limit of 1 job of the kind "Echo" for everyone is reached.',
    }.items():
        await limit_day(desk, scope, 1)
        found = await insert(desk, desk.user_id, count=2)
        assert found == f"{words} It starts again on {tomorrow} at 00:00, São Paulo time."
        await desk.limit(scope, None)


@pytest.mark.parametrize("scope", SCOPES)
async def test_twenty_inserts_at_once_against_a_limit_of_five_make_five_jobs(desk, scope):
    await limit_day(desk, scope, 5)
    async with desk.crowd(20) as crowd:
        found = Counter(await asyncio.gather(*(insert(desk, desk.user_id, by=one) for one in crowd)))
    assert sorted(found.values()) == [5, 15]
    assert await value(desk.root, "select count(*) from jobs") == 5


async def test_a_limit_of_jobs_a_day_counts_the_jobs_of_its_scope(desk, create_user):
    other = await create_user()
    await limit_day(desk, "user", 2)
    await limit_day(desk, "kind", 3)
    assert await insert(desk, desk.user_id, "echo", 2) == "taken"
    assert (await insert(desk, desk.user_id, "blog")).startswith("Your daily limit")
    assert await insert(desk, other, "echo") == "taken"
    assert (await insert(desk, other, "echo")).startswith('The daily limit of 3 jobs of the kind "Echo"')
    assert await insert(desk, other, "blog") == "taken"


async def test_ones_own_limit_of_jobs_a_day_goes_before_that_for_each(desk, create_user):
    other = await create_user()
    await limit_day(desk, "user", 1)
    await limit_day(desk, "user", 3, str(desk.user_id))
    await limit_day(desk, "user", 0, str(other))
    assert await insert(desk, desk.user_id, count=3) == "taken"
    assert await insert(desk, desk.user_id) != "taken"
    assert await insert(desk, other) != "taken"


async def test_a_limit_of_money_alone_leaves_the_limit_of_jobs_for_each_in_force(desk):
    await limit_day(desk, "user", 1)
    await desk.limit("user", "9", str(desk.user_id))
    assert await insert(desk, desk.user_id, count=2) != "taken"


async def test_a_limit_of_jobs_alone_leaves_the_limit_of_money_for_each_in_force(desk):
    await desk.limit("user", "0.10")
    await limit_day(desk, "user", 9, str(desk.user_id))
    claim = await desk.claimed()
    error = await refusal(
        desk.worker,
        "select * from reserve_call(%s, %s, 'k', 's', 'text', 'm', 'p@1', 0.2)",
        *(claim.job_id, claim.token),
    )
    assert error.sqlstate == "PT429"
    assert f'"scope_key": "{desk.user_id}"' in (error.diag.message_detail or "")


async def test_jobs_before_midnight_do_not_count_and_a_retry_is_no_new_job(desk):
    await limit_day(desk, "overall", 1)
    await insert(desk, desk.user_id)
    await desk.root.execute("update jobs set created_at = engine.day_start(engine.today()) - interval '1 ms'")
    assert await insert(desk, desk.user_id) == "taken"
    job_id = await value(desk.root, "select id from jobs order by created_at desc limit 1")
    await desk.root.execute("select cancel_job(%s)", (job_id,))
    assert await value(desk.root, "select (retry_job(%s)).status", job_id) == "queued"
    assert await insert(desk, desk.user_id) != "taken"


async def test_inserts_under_every_limit_at_once_do_not_deadlock(desk, create_user):
    people = [desk.user_id, await create_user(), await create_user()]
    for scope in SCOPES:
        await limit_day(desk, scope, 10_000)
    await desk.root.execute("update job_kinds set daily_quota = 10000")
    query = (
        "insert into jobs (user_id, job_type) select p, k from unnest(%s::uuid[]) p, unnest(%s::text[]) k"
        " order by random()"
    )
    async with desk.crowd(8) as crowd:

        async def insert_often(one: Connection) -> None:
            for _ in range(8):
                await one.execute(query, (people, ["echo", "blog"]))

        await asyncio.gather(*(insert_often(one) for one in crowd))
    assert await value(desk.root, "select count(*) from jobs") == 8 * 8 * 6
    assert await deadlocks(desk) == 0


async def test_a_limit_limits_something_and_a_job_has_a_cost_alone(desk):
    for columns, values in (
        ("scope", "('user')"),
        ("scope, jobs_per_day", "('user', -1)"),
        ("scope, concurrent_jobs", "('kind', -1)"),
        ("scope, scope_key, jobs_per_day", "('job', 'x', 1)"),
        ("scope, scope_key, concurrent_jobs", "('job', 'x', 1)"),
    ):
        error = await refusal(desk.root, f"insert into spend_limits ({columns}) values {values}")
        assert error.sqlstate in {"23514", "23505"}, columns


async def test_who_changed_a_limit_when_and_why_is_on_record_for_administrators(desk, create_user):
    chief = await create_user("admin")
    await desk.root.execute("delete from control_changes")
    async with desk.person(chief, "admin") as admin:
        await admin.execute("insert into spend_limits (scope, scope_key, jobs_per_day, reason) values"
                            " ('kind', 'echo', 5, 'a trial')")  # fmt: skip
        await admin.execute("update spend_limits set jobs_per_day = 6, reason = 'it went well' where scope = 'kind'")
        await admin.execute("update spend_limits set jobs_per_day = 6 where scope = 'kind'")
        await admin.execute("delete from spend_limits where scope = 'kind'")
        found = await rows(
            admin,
            "select actor, subject, key, before ->> 'jobs_per_day', after ->> 'jobs_per_day', reason"
            " from control_changes order by id",
        )
        who = f"user:{chief}", "spend_limit", "kind:echo"
        assert found == [
            (*who, None, "5", "a trial"),
            (*who, "5", "6", "it went well"),
            (*who, "6", None, None),
        ]
        await admin.execute("update spend_limits set usd = 40, changed_by = null where scope = 'overall'")
        assert await value(admin, "select changed_by from spend_limits where scope = 'overall'") == chief


async def test_a_kill_switch_leaves_the_same_record(desk, create_user):
    chief = await create_user("admin")
    async with desk.person(chief, "admin") as admin:
        await admin.execute("select set_kill_switch('echo', true, 'It spends too much.')")
        await admin.execute("select set_kill_switch('echo', false, 'Repaired.')")
        found = await rows(
            admin,
            "select actor, key, before ->> 'engaged', after ->> 'engaged', reason"
            " from control_changes where subject = 'kill_switch' order by id",
        )
    who = f"user:{chief}", "echo"
    assert found == [(*who, None, "true", "It spends too much."), (*who, "true", "false", "Repaired.")]
