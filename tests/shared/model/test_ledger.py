import asyncio
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection

from shared.db import Pool
from shared.engine.errors import BudgetExceeded, LeaseLost
from shared.engine.job import Lease
from shared.model.ledger import Bill, CallLedger, CallRow, StoredAnswer
from shared.model.prices import Usage
from tests.shared.model.books import Books, Jobs

CALL = CallRow(key="write/title@1/0/abc", kind="text", stage="write", model="some-model", prompt="title@1")
BILL = Bill(Decimal("0.01"), Usage(10, 20, 30, 2, 1), "some-model-001")
ANSWER = StoredAnswer({"text": "título"}, b"\x00\xffbytes", "image/png")


def another(number: int) -> CallRow:
    return CallRow(key=f"key {number}", kind="text", stage="write", model="some-model", prompt="title@1")


async def break_connections(connection: AsyncConnection[Any]) -> None:
    """Ends every connection but this one, as a restart of the server does."""
    await connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )


@pytest.fixture
def ledger(pool: Pool) -> CallLedger:
    return CallLedger(pool)


async def test_a_settled_call_has_its_cost_and_is_replayed(ledger: CallLedger, lease: Lease, books: Books) -> None:
    reserved = await ledger.reserve(lease, CALL, Decimal(1))
    assert reserved.replay is None
    assert await books.reserved_usd() == 1
    assert await ledger.settle(reserved.call_id, lease, BILL, ANSWER)
    again = await ledger.reserve(lease, CALL, Decimal(1))
    assert again.replay == ANSWER
    [row] = await books.rows()
    assert row["cost_usd"] == await books.spent_usd() == Decimal("0.01")
    assert await books.reserved_usd() == 0
    used = [row[name] for name in ("input_tokens", "output_tokens", "thought_tokens", "search_queries", "images")]
    assert used == [10, 20, 30, 2, 1]
    assert (row["model_version"], row["prompt"], row["stage"]) == ("some-model-001", "title@1", "write")


async def test_a_failed_call_keeps_its_cost_and_is_made_again(ledger: CallLedger, lease: Lease, books: Books) -> None:
    first = await ledger.reserve(lease, CALL, Decimal(1))
    assert await ledger.fail(first.call_id, lease, BILL, {"code": "empty"})
    second = await ledger.reserve(lease, CALL, Decimal(1))
    assert second.replay is None
    assert second.call_id != first.call_id
    assert await books.statuses() == ["failed", "reserved"]
    assert await books.spent_usd() == Decimal("0.01")


async def test_closing_a_call_twice_costs_once(ledger: CallLedger, lease: Lease, books: Books) -> None:
    reserved = await ledger.reserve(lease, CALL, Decimal(1))
    for _ in range(2):
        assert await ledger.settle(reserved.call_id, lease, BILL, ANSWER)
    assert await books.spent_usd() == Decimal("0.01")


async def test_a_lost_lease_reserves_nothing(ledger: CallLedger, lease: Lease, jobs: Jobs, books: Books) -> None:
    await jobs.taken_over(lease)
    with pytest.raises(LeaseLost):
        await ledger.reserve(lease, CALL, Decimal(1))
    assert await books.rows() == []


async def test_a_late_answer_is_paid_and_not_kept(ledger: CallLedger, lease: Lease, jobs: Jobs, books: Books) -> None:
    reserved = await ledger.reserve(lease, CALL, Decimal(1))
    successor = await jobs.taken_over(lease)
    assert not await ledger.settle(reserved.call_id, lease, BILL, ANSWER)
    assert await books.cost_usd() == await books.spent_usd() == Decimal("0.01")
    assert (await ledger.reserve(successor, CALL, Decimal(1))).replay is None


async def test_a_call_of_a_deleted_job_ends_as_a_lost_lease(
    ledger: CallLedger, lease: Lease, books: Books, connection: AsyncConnection[Any]
) -> None:
    reserved = await ledger.reserve(lease, CALL, Decimal(1))
    await connection.execute("delete from jobs where id = %s", (lease.job_id,))
    assert not await ledger.settle(reserved.call_id, lease, BILL, ANSWER)
    assert await books.reserved_usd() == 0


async def test_a_limit_refuses_with_words_for_a_person(ledger: CallLedger, lease: Lease, books: Books) -> None:
    await books.limit("job", "0.5")
    with pytest.raises(BudgetExceeded, match=r"spending limit of 0\.5 USD") as caught:
        await ledger.reserve(lease, CALL, Decimal("0.51"))
    assert caught.value.stage == "write"
    assert not caught.value.retryable
    assert await books.reserved_usd() == 0


async def test_50_calls_at_once_never_pass_the_limit(ledger: CallLedger, jobs: Jobs, books: Books) -> None:
    await books.limit("overall", "1")
    leases = [await jobs.claimed() for _ in range(5)]

    async def reserve(number: int) -> bool:
        try:
            await ledger.reserve(leases[number % 5], another(number), Decimal("0.07"))
        except BudgetExceeded:
            return False
        return True

    granted = await asyncio.gather(*(reserve(number) for number in range(50)))
    assert sum(granted) == 14
    assert await books.reserved_usd() == Decimal("0.98")


async def test_a_reservation_whose_confirmation_was_lost_is_taken_up(
    ledger: CallLedger, lease: Lease, books: Books
) -> None:
    lost = await ledger.reserve(lease, CALL, Decimal(1))
    found = await ledger.reserve(lease, CALL, Decimal(1))
    assert found == lost
    assert await books.reserved_usd() == 1


async def test_what_was_paid_is_booked_although_all_connections_break(
    ledger: CallLedger, lease: Lease, books: Books, connection: AsyncConnection[Any]
) -> None:
    reserved = await ledger.reserve(lease, CALL, Decimal(1))
    await break_connections(connection)
    assert await ledger.settle(reserved.call_id, lease, BILL, ANSWER)
    await break_connections(connection)
    assert (await ledger.reserve(lease, CALL, Decimal(1))).replay == ANSWER
    assert await books.spent_usd() == Decimal("0.01")


async def test_characters_that_jsonb_refuses_do_not_keep_an_answer_out(
    ledger: CallLedger, lease: Lease, books: Books
) -> None:
    first = await ledger.reserve(lease, CALL, Decimal(1))
    await ledger.fail(first.call_id, lease, BILL, {"code": "invalid", "message": "a\x00b\ud800"})
    second = await ledger.reserve(lease, CALL, Decimal(1))
    await ledger.settle(second.call_id, lease, BILL, StoredAnswer({"text": "c\x00d"}))
    failed, settled = await books.rows()
    assert failed["error"]["message"] == "ab?"
    assert settled["response"]["text"] == "cd"
