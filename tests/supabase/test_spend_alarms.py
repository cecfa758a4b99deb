"""Alarms of spending: at 80 % and when a limit is reached, once a day each, whoever settles at the same moment."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.supabase.counters import assert_books_balance
from tests.supabase.desk import Claim, Connection, Desk, refusal, rows, value

ALARMS = "select scope, scope_key, level, limit_usd, spent_usd from spend_alarms order by at"
RESERVE = "select * from reserve_call(%s, %s, 'too much', 's', 'text', 'm', 'p@1', %s)"
FAIL = "select fail_job(%s, %s, %s, false)"


@pytest.fixture
async def unlimited(desk: Desk) -> Desk:
    await desk.root.execute("delete from spend_limits")
    return desk


async def spend(desk: Desk, claim: Claim, key: str, usd: str) -> None:
    await desk.settle(claim, (await desk.reserve(claim, key, usd))[0], usd)


async def fail_of_the_limit(desk: Desk, claim: Claim, usd: str) -> dict[str, Any]:
    """Asks for more than there is and ends the job as a worker does; returns the refusal's detail."""
    error = await refusal(desk.worker, RESERVE, claim.job_id, claim.token, Decimal(usd))
    assert error.sqlstate == "PT429", error
    limit = json.loads(error.diag.message_detail or "{}")
    detail = {"code": "budget_exceeded", "message": error.diag.message_primary, "limit": limit}
    await desk.worker.execute(FAIL, (claim.job_id, claim.token, json.dumps(detail)))
    return limit


@pytest.mark.parametrize("scope", ["overall", "user", "kind", "job"])
async def test_an_alarm_at_80_percent_and_one_at_the_limit_and_no_third(unlimited, scope):
    desk = unlimited
    await desk.limit(scope, "1.00")
    claim = await desk.claimed()
    key = {"overall": "*", "user": str(desk.user_id), "kind": "echo", "job": str(claim.job_id)}[scope]
    await spend(desk, claim, "a", "0.79")
    assert await rows(desk.root, ALARMS) == []
    await spend(desk, claim, "b", "0.01")
    near = (scope, key, 80, Decimal("1.00"), Decimal("0.80"))
    assert await rows(desk.root, ALARMS) == [near]
    await spend(desk, claim, "c", "0.10")
    await spend(desk, claim, "d", "0.10")
    reached = (scope, key, 100, Decimal("1.00"), Decimal("1.00"))
    assert await rows(desk.root, ALARMS) == [near, reached]
    await fail_of_the_limit(desk, claim, "0.01")
    assert await rows(desk.root, ALARMS) == [near, reached]
    day = await value(desk.root, "select distinct case when scope = 'job' then day + 1 else day end from spend_alarms")
    today = "select case when %s = 'job' then date '1970-01-02' else engine.today() end"
    assert day == await value(desk.root, today, scope)


async def test_crowds_that_settle_at_the_same_moment_raise_one_alarm_for_each_limit(unlimited):
    desk = unlimited
    for scope in ("overall", "user", "kind"):
        await desk.limit(scope, "1.00")
    claims = await desk.claimed_many(20)
    calls = [(await desk.reserve(claim, "k", "0.05"))[0] for claim in claims]

    async def settle(claim: Claim, call_id: int, by: Connection) -> None:
        await by.execute("select settle_call(%s, %s, 0.045, '{}', '{}')", (call_id, claim.token))

    async with desk.crowd(20) as crowd:
        await asyncio.gather(*(settle(*work) for work in zip(claims, calls, crowd, strict=True)))
    found = await rows(desk.root, "select scope, level, spent_usd from spend_alarms order by scope")
    assert found == [(scope, 80, Decimal("0.810")) for scope in ("kind", "overall", "user")]
    await assert_books_balance(desk.root)


@pytest.mark.parametrize("scope", ["overall", "user", "kind", "job"])
async def test_a_job_that_failed_for_want_of_money_tells_that_the_limit_is_reached(unlimited, scope):
    desk = unlimited
    await desk.limit(scope, "0.10")
    claim = await desk.claimed()
    limit = await fail_of_the_limit(desk, claim, "0.11")
    assert await rows(desk.root, ALARMS) == [(scope, limit["scope_key"], 100, Decimal("0.10"), Decimal(0))]
    await fail_of_the_limit(desk, await desk.claimed(), "0.11")
    assert await value(desk.root, "select count(*) from spend_alarms") == (2 if scope == "job" else 1)
    assert await desk.status(claim.job_id) == "failed"


@pytest.mark.parametrize("limit", [None, 1, "text", {}, {"scope": "moon"}, {"scope": "user", "limit_usd": "much"}])
async def test_a_job_ends_whatever_its_error_says_of_the_limit(unlimited, limit):
    claim = await unlimited.claimed()
    detail = json.dumps({"code": "budget_exceeded", "message": "no", "limit": limit})
    await unlimited.worker.execute(FAIL, (claim.job_id, claim.token, detail))
    assert await unlimited.status(claim.job_id) == "failed"
    assert await rows(unlimited.root, ALARMS) == []


async def test_a_limit_that_is_set_below_what_is_spent_is_told_with_the_next_call(unlimited):
    desk = unlimited
    claim = await desk.claimed()
    await spend(desk, claim, "a", "0.50")
    call_id = (await desk.reserve(claim, "b", "0.10"))[0]
    await desk.limit("overall", "0.40")
    await desk.fail_call(claim, call_id, "0.01")
    assert await rows(desk.root, ALARMS) == [("overall", "*", 100, Decimal("0.40"), Decimal("0.51"))]


async def test_what_is_reserved_or_costs_nothing_raises_no_alarm(unlimited):
    desk = unlimited
    await desk.limit("overall", "1.00")
    claim = await desk.claimed()
    call_id = (await desk.reserve(claim, "a", "1.00"))[0]
    await desk.fail_call(claim, call_id)
    await desk.reserve(claim, "b", "1.00")
    await desk.worker.execute("select release_job(%s, %s)", (claim.job_id, claim.token))
    assert await rows(desk.root, ALARMS) == []


async def test_the_next_day_has_its_own_alarms(unlimited):
    desk = unlimited
    await desk.limit("user", "1.00")
    claim = await desk.claimed()
    await spend(desk, claim, "a", "0.90")
    for table in ("model_calls", "spend_alarms"):
        await desk.root.execute(f"update {table} set day = day - 1".encode())
    await desk.root.execute("update engine.spend_counters set day = day - 1 where scope <> 'job'")
    await spend(desk, claim, "b", "0.90")
    assert await value(desk.root, "select count(distinct day) from spend_alarms where level = 80") == 2


async def test_people_see_their_own_alarms_and_staff_the_general_ones(unlimited, create_user):
    desk = unlimited
    for scope in ("overall", "user", "kind", "job"):
        await desk.limit(scope, "1.00")
    await spend(desk, await desk.claimed(), "a", "0.90")

    async def seen(role: str | None, user_id: Any = None) -> set[str]:
        async with desk.person(user_id or await create_user(role), role) as person:
            return {row[0] for row in await rows(person, "select scope from spend_alarms")}

    assert await seen(None, desk.user_id) == {"user", "job"}
    assert await seen(None) == set()
    assert await seen("marketing") == await seen("sales") == {"overall", "kind"}
    assert await seen("admin") == {"overall", "user", "kind", "job"}
