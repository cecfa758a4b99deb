"""Each check after a run finds what it is for: everything that can go wrong is done to a database where all is well."""

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg import AsyncConnection

from tests.chaos import job_checks, money_checks, switches
from tests.chaos.database import Database
from tests.chaos.havoc import Havoc
from tests.chaos.job_checks import check_jobs
from tests.chaos.model import Model, Served, exact
from tests.chaos.money_checks import check_money
from tests.chaos.report import Report
from tests.chaos.run import check_logs
from tests.chaos.switches import Standstill, check_standstills
from tests.running_stack import RunningStack

_JOB = """
    insert into public.jobs (id, user_id, job_type, payload, status) values (%s, %s, %s, '{"steps": 2}', 'queued')
"""
_RESULT = '{"steps": [{"step": 1, "attempt": 1}, {"step": 2, "attempt": 1}]}'
_ANOTHER_EVENT: LiteralString = """
    insert into public.job_events (job_id, kind, actor, attempt, detail)
    select job_id, each.kind, actor, attempt, each.detail
    from public.job_events e join public.jobs j on j.id = e.job_id,
"""
_ANOTHER_CALL: LiteralString = """
    insert into public.model_calls (job_id, user_id, kind, attempt, lease_token, stage, call_kind, model, prompt,
      call_key, status, day, reserved_usd, cost_usd)
    select job_id, user_id, kind, attempt, lease_token, stage, call_kind, model, prompt,
"""
_BREAK: dict[str, LiteralString] = {
    "jobs that have not ended": """
        update public.jobs set status = 'queued', completed_at = null where kind = 'echo'
    """,
    "leases that are left": """
        update public.jobs set status = 'processing', completed_at = null, lease_token = gen_random_uuid(),
          lease_expires_at = now() where kind = 'echo'
    """,
    "jobs that were cancelled, but not by whoever asked for them": """
        insert into public.job_events (job_id, kind, actor, attempt)
        select id, 'cancelled', 'user:00000000-0000-0000-0000-000000000002', 1 from public.jobs;
        update public.jobs set status = 'cancelled' where kind = 'echo'
    """,
    "jobs that failed without a reason, or before their attempts were used up": """
        update public.jobs set status = 'failed', error = 'Why.',
          error_detail = '{"code": "model_error", "retryable": true}' where kind = 'blog'
    """,
    "jobs that failed because of a job that did not": """
        update public.jobs set status = 'failed', error = 'Why.', error_detail = '{"code": "dependency_failed"}'
        where kind = 'echo'
    """,
    "jobs that did not wait for the job before them": """
        alter table public.jobs disable trigger user;
        update public.jobs set depends_on = (select id from public.jobs where kind = 'blog') where kind = 'echo'
    """,
    "sequences that did not ask for each of their posts once": """
        update public.jobs set kind = 'sequence',
          result = '{"batch_id": "00000000-0000-0000-0000-000000000001", "jobs": [{"id": "1"}]}'
        where kind = 'echo'
    """,
    "batches that nobody asked for": """
        insert into public.job_batches (user_id, title) select user_id, 'Nobody' from public.jobs limit 1
    """,
    "limits of concurrent jobs that were passed": """
        insert into public.spend_limits (scope, scope_key, concurrent_jobs)
        select distinct 'user', user_id::text, 0 from public.jobs
    """,
    "limits of jobs a day that were passed": """
        insert into public.spend_limits (scope, scope_key, jobs_per_day)
        select distinct 'user', user_id::text, 1 from public.jobs
    """,
    "jobs that ended otherwise than their payload asks for": """
        update public.jobs set payload = '{"steps": 0}' where kind = 'echo'
    """,
    "jobs that were completed twice": """
        insert into public.job_events (job_id, kind, actor, attempt)
        select job_id, kind, actor, attempt from public.job_events where kind = 'completed'
    """,
    "attempts that ended in a defect": """
        update public.job_events set detail = '{"error": {"code": "unexpected"}}' where kind = 'completed'
    """,
    "completed echo jobs whose result does not list each step once, in order": """
        update public.jobs set result = '{"steps": [{"step": 2}]}' where kind = 'echo'
    """,
    "steps that were taken again although a checkpoint held them": _ANOTHER_EVENT
    + """
        (values (1, 'checkpoint', '{"done": 1}'::jsonb), (2, 'claimed', '{}'), (3, 'checkpoint', '{"done": 1}'))
          each (place, kind, detail)
        where e.kind = 'completed' and j.kind = 'echo' order by place
    """,
    "checkpoints that are lost": _ANOTHER_EVENT
    + """
        (values ('checkpoint', '{"done": 1}'::jsonb)) each (kind, detail) where e.kind = 'completed' and j.kind = 'echo'
    """,
    "blog jobs that did not end in exactly their draft": "delete from public.blog_posts",
    "posts that are no untouched drafts": """
        alter table public.blog_posts disable trigger user; update public.blog_posts set status = 'published'
    """,
    "stories that do not fit together": "delete from public.job_events where kind = 'claimed'",
    "only 0 of 1 blog jobs succeeded": """
        update public.jobs set status = 'failed', error = 'Why.', error_detail = '{"code": "review_rejected"}'
        where kind = 'blog'
    """,
    "no blog job was tried": "update public.jobs set status = 'cancelled' where kind = 'blog'",
    "counters that are not the sums of their calls": "update engine.spend_counters set spent_usd = spent_usd + 1",
    "calls that stayed reserved though nobody can settle them": "update public.model_calls set status = 'reserved'",
    "jobs whose cost is not that of their calls": "update public.jobs set cost_usd = 1",
    "calls that stayed reserved": "update public.model_calls set status = 'reserved'",
    "counters that still hold a reservation": "update engine.spend_counters set reserved_usd = 1",
    "calls that were settled twice": "drop index public.model_calls_once;"
    + _ANOTHER_CALL
    + "call_key, 'settled', day, reserved_usd, 0.01 from public.model_calls",
    "calls that were made again though their answer was kept": _ANOTHER_CALL
    + "call_key, 'abandoned', day, reserved_usd, 0 from public.model_calls",
    "calls that one attempt lost twice": _ANOTHER_CALL
    + "'another', 'abandoned', day, reserved_usd, 0 from public.model_calls, generate_series(1, 2)",
    "limits that were passed": "update public.spend_limits set usd = 0.001 where scope = 'user'",
    "calls that were abandoned in an attempt that completed its job": _ANOTHER_CALL
    + "'another', 'abandoned', day, reserved_usd, 0 from public.model_calls",
    "calls of unknown cost that nothing explains": _ANOTHER_CALL
    + "'another', 'abandoned', day, reserved_usd, 0 from public.model_calls",
    "1 calls of unknown cost, but at most 0 were under way": _ANOTHER_CALL
    + "'another', 'abandoned', day, reserved_usd, 0 from public.model_calls",
    "answers in the ledger that the meter does not have": _ANOTHER_CALL
    + "'another', 'failed', day, reserved_usd, 0.0000001 from public.model_calls",
    "1 answers are not in the ledger, 0 calls are unknown": "update public.model_calls set cost_usd = 0",
    "the meter differs from the ledger": "update public.model_calls set cost_usd = 0.02",
}


@dataclass(frozen=True)
class Done:
    """The ids of an echo job with a paid call and of a blog job with its draft, both completed as they should be."""

    jobs: list[UUID]
    began_at: datetime


@pytest.fixture
async def done(connection: AsyncConnection[Any], create_user: Callable[..., Any]) -> Done:
    user, echo, blog, began_at = await create_user("marketing"), uuid4(), uuid4(), datetime.now(UTC)
    for job_id, job_type, result in (
        (echo, "echo", _RESULT),
        (blog, "blog", '{"draft": {"id": "00000000-0000-0000-0000-000000000001"}}'),
    ):
        await connection.execute(_JOB, (job_id, user, job_type))
        cursor = await connection.execute("select lease_token from public.claim_job(%s, 'echo:host:1')", (job_id,))
        [token] = await cursor.fetchone() or [None]
        if job_type == "echo":
            cursor = await connection.execute(
                "select call_id from public.reserve_call(%s, %s, 'key', 'echo', 'text', 'model', 'prompt', 0.5)",
                (job_id, token),
            )
            [call_id] = await cursor.fetchone() or [None]
            await connection.execute("select public.settle_call(%s, %s, 0.01, '{}', '{}')", (call_id, token))
        else:
            await connection.execute(
                "insert into public.blog_posts (id, title, slug, job_id, ai_generated)"
                " values ('00000000-0000-0000-0000-000000000001', 'Title', 'slug', %s, true)",
                (job_id,),
            )
        await connection.execute("select public.complete_job(%s, %s, %s)", (job_id, token, result))
    return Done([echo, blog], began_at)


@pytest.fixture
async def checked(database_url: str, done: Done) -> Callable[..., Any]:
    """Breaks something, checks everything, and gives what was found."""

    async def check(
        breaking: LiteralString | None = None,
        asked: list[UUID] | None = None,
        standstills: list[Standstill] | None = None,
        hit: dict[str, int] | None = None,
    ) -> list[str]:
        database, report = Database(database_url), Report(io.StringIO())
        if breaking is not None:
            await database.work(lambda connection: connection.execute(breaking))
        async with httpx.AsyncClient(verify=False) as http:  # it is not used, and certificates take time to read
            metered = Served(1, Decimal("0.01"), Counter({exact(0.01): 1}))
            model = Model("", http, served={("model", "text"): metered})
            await check_jobs(database, asked or done.jobs, report)
            await check_standstills(database, standstills or [], report)
            await check_money(database, model, {}, hit or {}, report)
        return [finding.what for finding in report.findings]

    return check


async def test_nothing_is_found_where_all_is_well(checked: Callable[..., Any]):
    assert await checked() == []


def test_everything_that_is_looked_for_is_tried_here():
    sought = {*job_checks.MUST_BE_EMPTY, *money_checks.MUST_BE_EMPTY}
    assert sought <= set(_BREAK)


@pytest.mark.parametrize("found", _BREAK)
async def test_what_is_wrong_is_found(checked: Callable[..., Any], found: str):
    assert any(found in what for what in await checked(_BREAK[found]))


async def test_a_confirmed_job_that_is_gone_is_found(checked: Callable[..., Any], done: Done):
    assert await checked(asked=[*done.jobs, uuid4()]) == ["jobs whose insert was confirmed are gone"]


async def test_a_kill_explains_the_calls_that_were_under_way_and_no_more(checked: Callable[..., Any]):
    for calls, explained in ((16, True), (1, False)):
        lose = _ANOTHER_CALL + "'n' || random(), 'abandoned', day, reserved_usd, 0 from public.model_calls"
        found = await checked(cast("LiteralString", f"{lose}, generate_series(1, {calls})"), hit={"echo:1": 1})
        assert not any("that nothing explains" in what for what in found)
        assert explained != any("than their kills can have hidden" in what for what in found)


@pytest.mark.parametrize("kind", ["*", "echo"])
async def test_work_under_a_kill_switch_is_found(checked: Callable[..., Any], done: Done, kind: str):
    long_ago = done.began_at - timedelta(seconds=switches.STOPS_WITHIN_S)
    found = await checked(standstills=[Standstill(kind, long_ago, datetime.now(UTC))])
    assert found == list(switches.MUST_BE_EMPTY)


async def test_work_of_another_kind_and_within_two_seconds_is_allowed(checked: Callable[..., Any], done: Done):
    long_ago, now = done.began_at - timedelta(seconds=60), datetime.now(UTC)
    allowed = [Standstill("deep_research", long_ago, now), Standstill("*", done.began_at, now)]
    assert await checked(standstills=allowed) == []


def test_a_defect_in_a_log_is_found(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "blog.log").write_text('{"message": "fine"}\nTraceback (most recent call last):\n')
    (tmp_path / "logs" / "relay.log").write_text('{"message": "fine"}\n')
    report = Report(io.StringIO())
    check_logs(tmp_path, report)
    assert [finding.what for finding in report.findings] == ["the log of blog tells of a defect"]


async def test_a_zombie_that_writes_is_found(database_url: str, connection: AsyncConnection[Any], done: Done):
    await connection.execute(
        "update public.jobs set status = 'queued', completed_at = null where id = %s", (done.jobs[0],)
    )
    database, report = Database(database_url), Report(io.StringIO())
    [job] = await database.rows("select id, lease_token, checkpoint_data from public.claim_job(%s, 'c')", done.jobs[0])
    stack, model = RunningStack(Path("/none")), Model("", httpx.AsyncClient(verify=False))
    havoc = Havoc(stack, database, model, report)
    await database.rows("""update public.jobs set checkpoint_data = '{"of": "a zombie"}' where id = %s""", job["id"])
    await havoc._check_zombie(job, time.monotonic())
    assert [finding.what for finding in report.findings] == ["a zombie wrote to a job that another attempt holds"]
