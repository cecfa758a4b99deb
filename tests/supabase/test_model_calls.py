"""The call ledger: what a reservation, an answer and a lost attempt do to calls, counters and the job's cost."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.supabase.counters import assert_books_balance
from tests.supabase.desk import LEASE_LOST, Claim, Desk, refusal, rows, value

RESERVE = "select * from reserve_call(%s, %s, %s, 'research', 'text', 'gemini', 'plan@1', %s)"
ENDS = {
    "complete": "select complete_job(%s, %s, '{}')",
    "continue": "select continue_job(%s, %s)",
    "release": "select release_job(%s, %s)",
    "fail for good": "select fail_job(%s, %s, '{}', false)",
    "fail for now": "select fail_job(%s, %s, '{}', true)",
}


async def call_row(desk: Desk, call_id: int) -> dict[str, Any]:
    async with desk.root.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("select * from model_calls where id = %s", (call_id,))
        row = await cursor.fetchone()
    assert row is not None
    return row


async def counters(desk: Desk) -> dict[str, tuple[str, str]]:
    """{scope: (spent, reserved)} of the only counter of each scope."""
    found = await rows(desk.root, "select scope, spent_usd, reserved_usd from engine.spend_counters")
    assert len({row[0] for row in found}) == len(found)
    return {scope: (f"{spent:.2f}", f"{reserved:.2f}") for scope, spent, reserved in found}


def all_scopes(spent: str, reserved: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(("overall", "user", "kind", "job"), (spent, reserved))


async def test_a_reservation_counts_until_the_real_cost_replaces_it(desk):
    claim = await desk.claimed("blog")
    call_id, replayed, *answer = await desk.reserve(claim, "plan:1", "0.50")
    assert (replayed, answer) == (False, [None, None, None])
    assert await counters(desk) == all_scopes("0.00", "0.50")
    assert await desk.settle(claim, call_id, "0.13", {"text": "olá"})
    assert await counters(desk) == all_scopes("0.13", "0.00")
    call = await call_row(desk, call_id)
    assert (call["status"], call["kind"], call["attempt"], call["user_id"]) == ("settled", "blog", 1, desk.user_id)
    assert (call["input_tokens"], call["output_tokens"], call["thought_tokens"], call["images"]) == (10, 5, 2, 0)
    assert (call["cost_usd"], call["model_version"], call["response"]) == (Decimal("0.13"), "emulator", {"text": "olá"})
    assert call["settled_at"] >= call["created_at"]
    assert (await desk.job(claim.job_id))["cost_usd"] == Decimal("0.13")


async def test_an_answer_may_cost_more_or_less_than_was_reserved_to_the_last_digit(desk):
    claim = await desk.claimed()
    for number, (asked, cost) in enumerate([("0.10", "0.25"), ("0.000001", "0"), ("1", "0.0000005"), ("0", "0.3")]):
        call_id = (await desk.reserve(claim, f"k{number}", asked))[0]
        assert await desk.settle(claim, call_id, cost)
    assert (await desk.job(claim.job_id))["cost_usd"] == Decimal("0.5500005")
    await assert_books_balance(desk.root)


async def test_a_settled_call_is_replayed_for_free_by_every_later_attempt(desk):
    first = await desk.claimed()
    call_id = (await desk.reserve(first, "k", "0.50"))[0]
    query = "select settle_call(%s, %s, 0.10, '{}', %s, %s, 'image/png')"
    await desk.worker.execute(query, (call_id, first.token, Jsonb({"text": "once"}), b"\x89PNG"))
    assert await desk.reserve(first, "k", "9999") == (call_id, True, {"text": "once"}, b"\x89PNG", "image/png")
    await desk.expire(first.job_id)
    second = await desk.claim(first.job_id, "w2")
    assert second is not None
    before = await desk.snapshot()
    assert await desk.reserve(second, "k", "9999") == (call_id, True, {"text": "once"}, b"\x89PNG", "image/png")
    assert await desk.snapshot() == before


async def test_a_key_names_a_call_of_one_job_only(desk):
    one, other = await desk.claimed(), await desk.claimed()
    await desk.settle(one, (await desk.reserve(one))[0])
    assert (await desk.reserve(other))[1] is False


async def test_the_same_key_twice_under_way_is_refused_and_reserves_nothing_more(desk):
    claim = await desk.claimed()
    await desk.reserve(claim, "k", "0.10")
    error = await refusal(desk.worker, RESERVE, claim.job_id, claim.token, "k", Decimal("0.10"))
    assert error.sqlstate == "23505"
    assert await counters(desk) == all_scopes("0.00", "0.10")


async def test_a_failed_call_costs_what_it_cost_and_is_not_replayed(desk):
    claim = await desk.claimed()
    free, billed = [(await desk.reserve(claim, key, "0.50"))[0] for key in ("free", "billed")]
    assert await desk.fail_call(claim, free)
    assert await desk.fail_call(claim, billed, "0.20")
    assert await counters(desk) == all_scopes("0.20", "0.00")
    assert (await call_row(desk, billed))["error"] == {"code": "model_unavailable"}
    for key in ("free", "billed"):
        again = await desk.reserve(claim, key, "0.01")
        assert again[0] not in {free, billed}
        assert again[1] is False


async def test_closing_a_call_twice_counts_once(desk):
    claim = await desk.claimed()
    call_id = (await desk.reserve(claim, "k", "0.50"))[0]
    assert await desk.settle(claim, call_id, "0.10")
    before = await desk.snapshot()
    assert await desk.settle(claim, call_id, "0.99", {"text": "another"})
    assert await desk.fail_call(claim, call_id, "0.99")
    assert await desk.snapshot() == before


@pytest.mark.parametrize("end", ENDS)
async def test_nothing_stays_reserved_after_the_attempt(desk, end):
    claim = await desk.claimed()
    settled = (await desk.reserve(claim, "settled", "0.50"))[0]
    await desk.settle(claim, settled, "0.20")
    left = [(await desk.reserve(claim, f"k{n}", "0.50"))[0] for n in range(3)]
    await desk.worker.execute(ENDS[end].encode(), (claim.job_id, claim.token))
    assert await counters(desk) == all_scopes("0.20", "0.00")
    assert [(await call_row(desk, call_id))["status"] for call_id in left] == ["abandoned"] * 3


async def test_a_cancelled_a_swept_a_taken_over_and_a_deleted_job_leave_nothing_reserved(desk):
    claims = [await desk.claimed() for _ in range(4)]
    for claim in claims:
        await desk.reserve(claim, "k", "0.50")
    cancelled, swept, taken, deleted = claims
    await desk.worker.execute("select cancel_job(%s)", (cancelled.job_id,))
    await desk.expire(taken.job_id)
    await desk.claim(taken.job_id, "w2")
    await desk.expire(swept.job_id)
    await desk.worker.execute("select sweep_jobs(10)")
    await desk.root.execute("delete from jobs where id = %s", (deleted.job_id,))
    assert await value(desk.root, "select sum(reserved_usd) from engine.spend_counters") == 0
    assert await value(desk.root, "select count(*) from model_calls where status = 'abandoned'") == 3


async def test_deleting_a_person_keeps_what_was_spent_and_frees_what_was_reserved(desk):
    claim = await desk.claimed()
    await desk.settle(claim, (await desk.reserve(claim, "paid", "0.50"))[0], "0.20")
    await desk.reserve(claim, "under way", "0.50")
    await desk.root.execute("delete from auth.users where id = %s", (desk.user_id,))
    assert await value(desk.root, "select count(*) from jobs") == 0
    assert await counters(desk) == all_scopes("0.20", "0.00")


@pytest.fixture
async def zombie(desk: Desk) -> tuple[Claim, int, Claim]:
    """An attempt with a call under way that was replaced, the call, and the attempt that replaced it."""
    claim = await desk.claimed()
    call_id = (await desk.reserve(claim, "k", "0.50"))[0]
    await desk.expire(claim.job_id)
    successor = await desk.claim(claim.job_id, "w2")
    assert successor is not None
    return claim, call_id, successor


async def test_a_zombies_answer_is_paid_for_and_not_kept(desk, zombie):
    claim, call_id, successor = zombie
    assert not await desk.settle(claim, call_id, "0.13", {"text": "late"})
    call = await call_row(desk, call_id)
    assert (call["status"], call["cost_usd"], call["response"], call["blob"]) == (
        "abandoned",
        Decimal("0.13"),
        None,
        None,
    )
    assert (await desk.job(claim.job_id))["cost_usd"] == Decimal("0.13")
    assert (await desk.reserve(successor, "k", "0.50"))[1] is False, "nothing to replay"
    await assert_books_balance(desk.root)


async def test_a_zombies_answer_does_not_disturb_the_call_that_repeats_it(desk, zombie):
    claim, call_id, successor = zombie
    repeated = (await desk.reserve(successor, "k", "0.50"))[0]
    assert not await desk.settle(claim, call_id, "0.13")
    assert not await desk.settle(claim, call_id, "0.13"), "said twice"
    assert await desk.settle(successor, repeated, "0.14")
    assert not await desk.fail_call(claim, call_id, "0.13")
    assert (await desk.job(claim.job_id))["cost_usd"] == Decimal("0.27")
    await assert_books_balance(desk.root)


async def test_nobody_closes_a_call_with_another_attempts_token(desk, zombie):
    claim, call_id, successor = zombie
    before = await desk.snapshot()
    for token in (successor.token, uuid4(), None):
        error = await refusal(desk.worker, "select settle_call(%s, %s, 0.1, '{}', '{}')", call_id, token)
        assert error.sqlstate == "PT404"
    assert (await refusal(desk.worker, "select fail_call(0, %s, 0, '{}', '{}')", claim.token)).sqlstate == "PT404"
    assert await desk.snapshot() == before


async def test_impossible_amounts_are_refused_and_leave_the_counters_alone(desk):
    claim = await desk.claimed()
    call_id = (await desk.reserve(claim, "k", "0.50"))[0]
    await desk.root.execute("delete from spend_limits")
    before = await desk.snapshot()
    for amount in ("-0.01", "NaN", "Infinity", "-Infinity"):
        assert (
            await refusal(desk.worker, RESERVE, claim.job_id, claim.token, "k2", Decimal(amount))
        ).sqlstate == "23514"
        for close in ("select settle_call(%s, %s, %s, '{}', '{}')", "select fail_call(%s, %s, %s, '{}', '{}')"):
            assert (await refusal(desk.worker, close, call_id, claim.token, Decimal(amount))).sqlstate == "23514"
    assert (await refusal(desk.worker, RESERVE, claim.job_id, claim.token, "k2", None)).sqlstate == "23502"
    assert await desk.snapshot() == before


async def test_an_unknown_kind_of_call_is_refused(desk):
    claim = await desk.claimed()
    query = "select reserve_call(%s, %s, 'k', 's', 'video', 'm', 'p@1', 0.1)"
    assert (await refusal(desk.worker, query, claim.job_id, claim.token)).sqlstate == "23514"
    await assert_books_balance(desk.root)


async def test_without_the_lease_nothing_is_reserved(desk, zombie):
    claim, _, _ = zombie
    before = await desk.snapshot()
    assert (await refusal(desk.worker, RESERVE, claim.job_id, claim.token, "k2", Decimal("0.1"))).sqlstate == LEASE_LOST
    assert await desk.snapshot() == before
