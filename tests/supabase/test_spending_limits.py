"""Limits: no crowd passes them, each is named when it refuses, and days turn at midnight in São Paulo."""

import asyncio
import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.supabase.counters import assert_books_balance
from tests.supabase.desk import Claim, Desk, refusal, value

RESERVE = "select * from reserve_call(%s, %s, %s, 'research', 'text', 'gemini', 'plan@1', %s)"


@pytest.fixture
async def unlimited(desk: Desk) -> Desk:
    await desk.root.execute("delete from spend_limits")
    return desk


async def refused(desk: Desk, claim: Claim, usd: str, key: str = "next") -> dict[str, Any]:
    """The refusal's message and detail."""
    error = await refusal(desk.worker, RESERVE, claim.job_id, claim.token, key, Decimal(usd))
    assert error.sqlstate == "PT429", error
    return {"message": error.diag.message_primary, **json.loads(error.diag.message_detail or "{}")}


async def test_a_limit_may_be_reached_and_not_passed(unlimited):
    desk = unlimited
    await desk.limit("job", "1.00")
    claim = await desk.claimed()
    await desk.reserve(claim, "a", "0.60")
    await desk.reserve(claim, "b", "0.40")
    before = await desk.snapshot()
    found = await refused(desk, claim, "0.000001")
    assert found["message"] == "This job has reached its spending limit of 1.00 USD. An administrator can raise it."
    assert (found["scope"], found["limit_usd"], found["spent_usd"], found["resets_at"]) == ("job", 1.0, 1.0, None)
    assert await desk.snapshot() == before
    assert (await desk.reserve(claim, "free", "0"))[1] is False


async def test_each_scope_refuses_in_words_with_the_time_of_its_reset(unlimited):
    desk = unlimited
    midnight = await value(desk.root, "select engine.day_start(engine.today() + 1)")
    local = f"{midnight.astimezone(UTC).date()} at 00:00"
    claim = await desk.claimed("blog")
    for scope, words in {
        "overall": "The daily spending limit of 0.10 USD for everyone is reached."
        f" It resets on {local}, São Paulo time.",
        "user": f"Your daily spending limit of 0.10 USD is reached. It resets on {local}, São Paulo time.",
        "kind": 'The daily spending limit of 0.10 USD for jobs of the kind "blog" is reached.'
        f" It resets on {local}, São Paulo time.",
        "job": "This job has reached its spending limit of 0.10 USD. An administrator can raise it.",
    }.items():
        await desk.limit(scope, "0.10")
        found = await refused(desk, claim, "0.11")
        assert (found["scope"], found["message"]) == (scope, words)
        assert (found["resets_at"] is None) == (scope == "job")
        if scope != "job":
            assert datetime.fromisoformat(found["resets_at"]) == midnight
        await desk.limit(scope, None)


async def test_a_limit_of_its_own_goes_before_the_one_for_each(unlimited, create_user):
    desk = unlimited
    for scope, key in (("user", str(desk.user_id)), ("kind", "echo")):
        claim = await desk.claimed()
        await desk.limit(scope, "0.10")
        await refused(desk, claim, "0.20")
        await desk.limit(scope, "0.50", key)
        await desk.settle(claim, (await desk.reserve(claim, "higher", "0.20"))[0], "0")
        await desk.limit(scope, "0.05", key)
        assert (await refused(desk, claim, "0.06"))["limit_usd"] == 0.05
        await desk.limit(scope, None, key)
        await desk.limit(scope, None)
    await desk.limit("job", "0.10")
    claim = await desk.claimed()
    await desk.limit("job", "3", str(claim.job_id))
    await desk.reserve(claim, "raised", "2")


async def test_a_limit_of_nothing_stops_everything_that_costs(unlimited):
    desk = unlimited
    claim = await desk.claimed()
    await desk.limit("overall", "0")
    assert (await refused(desk, claim, "0.000001"))["spent_usd"] == 0


async def test_spent_and_reserved_count_together(unlimited):
    desk = unlimited
    await desk.limit("user", "1.00")
    claim, other = await desk.claimed(), await desk.claimed("blog")
    await desk.settle(claim, (await desk.reserve(claim, "a", "0.90"))[0], "0.30")
    await desk.reserve(other, "b", "0.60")
    assert (await refused(desk, claim, "0.11"))["spent_usd"] == 0.9
    await desk.fail_call(other, (await desk.reserve(other, "c", "0.10"))[0])
    await desk.reserve(claim, "d", "0.10")


async def test_one_persons_limit_is_not_anothers(unlimited, create_user):
    desk = unlimited
    await desk.limit("user", "0.10")
    mine = await desk.claimed()
    await desk.reserve(mine, "k", "0.10")
    theirs = await desk.claim(await desk.insert(user_id=await create_user()))
    assert theirs is not None
    await desk.reserve(theirs, "k", "0.10")
    await refused(desk, mine, "0.01")


@pytest.mark.parametrize("scope", ["overall", "user", "kind", "job"])
async def test_fifty_reservations_at_once_never_pass_the_limit(unlimited, scope):
    desk = unlimited
    await desk.limit(scope, "1.00")
    claims = await desk.claimed_many(1 if scope == "job" else 10)

    async def reserve(number: int, connection: Any) -> str:
        try:
            await desk.reserve(claims[number % len(claims)], f"k{number}", "0.03", connection)
        except psycopg.Error as error:
            return error.sqlstate or repr(error)
        return "reserved"

    async with desk.crowd(50) as crowd:
        found = Counter(await asyncio.gather(*(reserve(number, one) for number, one in enumerate(crowd))))
    assert found == {"reserved": 33, "PT429": 17}
    query = "select max(spent_usd + reserved_usd) from engine.spend_counters where scope = %s"
    assert await value(desk.root, query, scope) == Decimal("0.99")
    await assert_books_balance(desk.root)


async def test_yesterdays_spending_is_not_todays_but_stays_the_jobs(unlimited):
    desk = unlimited
    await desk.limit("user", "1.00")
    await desk.limit("job", "1.20")
    claim = await desk.claimed()
    await desk.settle(claim, (await desk.reserve(claim, "a", "0.90"))[0], "0.90")
    await desk.root.execute("update model_calls set day = day - 1")
    await desk.root.execute("update engine.spend_counters set day = day - 1 where scope <> 'job'")
    await desk.reserve(claim, "b", "0.30")
    assert (await refused(desk, claim, "0.10"))["scope"] == "job"
    await assert_books_balance(desk.root)


async def test_a_call_over_midnight_is_settled_on_the_day_that_it_was_reserved(unlimited):
    desk = unlimited
    claim = await desk.claimed()
    call_id = (await desk.reserve(claim, "k", "0.50"))[0]
    await desk.root.execute("update model_calls set day = day - 1")
    await desk.root.execute("update engine.spend_counters set day = day - 1 where scope <> 'job'")
    await desk.settle(claim, call_id, "0.20")
    assert await value(desk.root, "select count(*) from engine.spend_counters where day = engine.today()") == 0
    await assert_books_balance(desk.root)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-22T02:59:59.999Z", date(2026, 11, 21)),
        ("2026-11-22T03:00:00Z", date(2026, 11, 22)),
        ("2026-12-31T23:59:59Z", date(2026, 12, 31)),
        ("2027-01-01T02:59:59Z", date(2026, 12, 31)),
        ("2028-02-29T12:00:00Z", date(2028, 2, 29)),
        ("2018-11-04T03:30:00Z", date(2018, 11, 4)),  # the last year with summer time, which began at midnight
        ("2018-12-01T02:30:00Z", date(2018, 12, 1)),
    ],
)
def test_days_turn_at_midnight_in_sao_paulo_wherever_the_server_is(databases, moment, day):
    for zone in ("UTC", "Asia/Tokyo", "America/Los_Angeles"):
        with psycopg.connect(databases.cluster.url("migrated"), options=f"-c timezone={zone}") as connection:
            found = connection.execute(
                "select engine.day_of(%(m)s::timestamptz),"
                " engine.day_start(engine.day_of(%(m)s)) <= %(m)s::timestamptz,"
                " engine.day_of(engine.day_start(%(d)s)), engine.day_of(engine.day_start(%(d)s) - interval '1 ms')",
                {"m": moment, "d": day},
            ).fetchone()
        assert found is not None
        assert found[:3] == (day, True, day)
        assert (day - found[3]).days == 1
