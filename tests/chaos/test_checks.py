"""The checks after a run find what they are for."""

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg import AsyncConnection

from tests.chaos.database import Database
from tests.chaos.job_checks import check_jobs
from tests.chaos.model import Model, Served
from tests.chaos.money_checks import check_money
from tests.chaos.report import Report

_JOB = """
    insert into public.jobs (id, user_id, job_type, payload, status) values (%s, %s, %s, '{"steps": 2}', 'queued')
"""
_RESULT = '{"steps": [{"step": 1, "attempt": 1}, {"step": 2, "attempt": 1}]}'
_FIND_JOB: dict[str, LiteralString] = {
    "not ended": "update public.jobs set status = 'queued', completed_at = null where kind = 'echo'",
    "without a reason": "update public.jobs set status = 'failed' where kind = 'blog'",
    "stories": "update public.jobs set status = 'failed' where kind = 'blog'",
    "completed twice": """
        insert into public.job_events (job_id, kind, actor, attempt)
        select job_id, kind, actor, attempt from public.job_events where kind = 'completed'
    """,
    "each step once": """update public.jobs set result = '{"steps": [{"step": 2}]}' where kind = 'echo'""",
    "taken again": """
        insert into public.job_events (job_id, kind, actor, attempt, detail)
        select job_id, 'checkpoint', actor, attempt + later, '{"done": 1}'
        from public.job_events, generate_series(0, 1) later where kind = 'completed'
    """,
    "exactly their draft": "delete from public.blog_posts",
    "no untouched drafts": """
        alter table public.blog_posts disable trigger user; update public.blog_posts set status = 'published'
    """,
    "in a defect": """
        update public.job_events set detail = '{"error": {"code": "unexpected"}}' where kind = 'completed'
    """,
}
_ANOTHER_CALL: LiteralString = """
    insert into public.model_calls (job_id, user_id, kind, attempt, lease_token, stage, call_kind, model, prompt,
      call_key, status, day, reserved_usd, cost_usd)
    select job_id, user_id, kind, attempt, lease_token, stage, call_kind, model, prompt, 'another',
"""
_FIND_MONEY: dict[str, LiteralString] = {
    "stayed reserved": "update public.model_calls set status = 'reserved'",
    "sums of their calls": "update engine.spend_counters set spent_usd = spent_usd + 1",
    "limits that were passed": "update public.spend_limits set usd = 0.001 where scope = 'user'",
    "that of their calls": "update public.jobs set cost_usd = 1",
    "the meter differs": "update public.model_calls set cost_usd = 0.02",
    "answers metered": _ANOTHER_CALL + "status, day, reserved_usd, 0.0000001 from public.model_calls",
    "nothing explains": _ANOTHER_CALL + "'abandoned', day, reserved_usd, 0 from public.model_calls",
    "was broken": _ANOTHER_CALL + "'abandoned', day, reserved_usd, 0 from public.model_calls",
}


@pytest.fixture
async def done(connection: AsyncConnection[Any], create_user: Callable[..., Any]) -> list[UUID]:
    """An echo job with a paid call and a blog job with its draft, both completed as they should be."""
    user, echo, blog = await create_user("marketing"), uuid4(), uuid4()
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
    return [echo, blog]


@pytest.fixture
async def checked(database_url: str, done: list[UUID]) -> Callable[..., Any]:
    """Breaks something, checks everything, and gives what was found."""

    async def check(breaking: LiteralString | None = None, asked: list[UUID] | None = None) -> str:
        database, report = Database(database_url), Report(io.StringIO())
        if breaking is not None:
            await database.work(lambda connection: connection.execute(breaking))
        async with httpx.AsyncClient() as http:
            model = Model("", http, served={("model", "text"): Served(1, Decimal("0.01"))})
            await check_jobs(database, asked or done, report)
            await check_money(database, model, {}, (), report)
        return "\n".join(finding.what for finding in report.findings)

    return check


async def test_nothing_is_found_where_all_is_well(checked: Callable[..., Any]):
    assert await checked() == ""


async def test_a_confirmed_job_that_is_gone_is_found(checked: Callable[..., Any], done: list[UUID]):
    assert "are gone" in await checked(asked=[*done, uuid4()])


@pytest.mark.parametrize("found", [*_FIND_JOB, *_FIND_MONEY])
async def test_what_is_wrong_is_found(checked: Callable[..., Any], found: str):
    assert found in await checked({**_FIND_JOB, **_FIND_MONEY}[found])
