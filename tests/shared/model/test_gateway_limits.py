"""Limits, lost leases and cancellations: no money without a right to spend it, none unbooked, none left reserved."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection

from shared.engine.errors import (
    BudgetExceeded,
    LeaseLost,
    ModelError,
)
from shared.engine.job import Lease
from shared.model.gateway import JobModels
from shared.model.prices import PriceUnknown
from tests.shared.model.books import Books, Jobs
from tests.shared.model.examples import SEARCH, TITLE, Title, assert_books_are_true
from tests.shared.model.provider import Provider, eventually


async def test_a_call_over_the_limit_is_never_sent(models: JobModels, books: Books, provider: Provider) -> None:
    await books.limit("job", "0.0001")
    with pytest.raises(BudgetExceeded, match=r"spending limit of 0\.0001 USD"):
        await models.text(TITLE, Title)
    assert (await provider.meter()).requests == 0
    await assert_books_are_true(books, provider)


async def test_50_calls_at_once_stay_within_the_limit(provider: Provider, jobs: Jobs, books: Books) -> None:
    await books.limit("overall", "0.9")
    workers = [provider.models(await jobs.claimed()) for _ in range(5)]
    calls = [workers[number % 5].text(TITLE, Title, variant=number) for number in range(50)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, BudgetExceeded)]
    answered = [result for result in results if isinstance(result, Title)]
    assert len(refused) + len(answered) == 50
    assert answered
    assert await books.spent_usd() <= Decimal("0.9")
    await assert_books_are_true(books, provider)


async def test_the_books_stay_true_when_much_goes_wrong_at_once(provider: Provider, jobs: Jobs, books: Books) -> None:
    faults = ["429", "500", "503", "slow", "truncated", "malformed_json", "safety", "safety_answer", "empty"]
    await provider.rates(slow_ms=20, **dict.fromkeys(faults, 0.05))
    workers = [provider.models(await jobs.claimed()) for _ in range(3)]
    texts = [workers[number % 3].text(TITLE, Title, variant=number) for number in range(40)]
    searches = [workers[number % 3].search(SEARCH, variant=number) for number in range(20)]
    results = await asyncio.gather(*texts, *searches, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(failure, ModelError) for failure in failures)
    assert len(failures) < 30
    assert {"settled", "failed"} == set(await books.statuses())
    await assert_books_are_true(books, provider)


async def test_an_answer_after_the_lease_was_lost_is_paid_but_not_used(
    models: JobModels, lease: Lease, jobs: Jobs, books: Books, provider: Provider
) -> None:
    await provider.script("slow", slow_ms=300)
    call = asyncio.create_task(models.text(TITLE, Title))
    await eventually(provider.was_reached)
    successor = await jobs.taken_over(lease)
    with pytest.raises(LeaseLost):
        await call
    [row] = await books.rows()
    assert row["status"] == "abandoned"
    assert row["cost_usd"] > 0
    await assert_books_are_true(books, provider)
    await provider.models(successor).text(TITLE, Title)
    assert (await provider.meter()).served == 2


async def test_no_call_is_made_without_the_lease(
    models: JobModels, lease: Lease, jobs: Jobs, provider: Provider
) -> None:
    await jobs.taken_over(lease)
    with pytest.raises(LeaseLost):
        await models.text(TITLE, Title)
    assert (await provider.meter()).requests == 0


async def test_a_cancelled_call_leaves_nothing_reserved(models: JobModels, books: Books, provider: Provider) -> None:
    await provider.script("timeout")
    call = asyncio.create_task(models.text(TITLE, Title))
    await eventually(provider.was_reached)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    [row] = await books.rows()
    assert (row["status"], row["error"]["code"], row["error"]["cost_unknown"]) == ("failed", "cancelled", True)
    assert await books.reserved_usd() == 0


async def test_a_call_that_is_refused_after_it_was_cancelled_is_cancelled(
    models: JobModels, books: Books, connection: AsyncConnection[Any]
) -> None:
    await books.limit("job", "0.0001")
    async with connection.transaction():
        await connection.execute("lock table public.jobs in exclusive mode")
        call = asyncio.create_task(models.text(TITLE, Title))

        async def reserving() -> bool:
            waiting = await connection.execute("select from pg_locks where not granted")
            return waiting.rowcount > 0

        await eventually(reserving)
        call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await books.statuses() == []


async def test_a_call_cancelled_anywhere_leaves_nothing_reserved(models: JobModels, books: Books) -> None:
    for steps in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048):
        call = asyncio.create_task(models.text(TITLE, Title, variant=steps))
        for _ in range(steps):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait({call})
        assert "reserved" not in await books.statuses()
    assert await books.reserved_usd() == 0
    assert {row["status"] for row in await books.rows()} <= {"failed", "settled"}


async def test_one_failed_batch_stops_the_others(models: JobModels, books: Books, provider: Provider) -> None:
    await books.limit("job", "0.0002")
    with pytest.raises(BudgetExceeded):
        await models.embed([f"text {number} " * 20 for number in range(500)], task="document")
    assert await books.reserved_usd() == 0
    await assert_books_are_true(books, provider)


async def test_calls_are_limited_to_the_slots(provider: Provider, lease: Lease, books: Books) -> None:
    await provider.rates(slow=1.0, slow_ms=50)
    models = provider.models(lease, concurrency=2)
    calls = [asyncio.create_task(models.text(TITLE, Title, variant=number)) for number in range(6)]
    seen: set[int] = set()
    while not all(call.done() for call in calls):
        seen.add((await books.statuses()).count("reserved"))
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    assert max(seen) == 2


def test_a_model_without_a_price_is_refused_at_the_start(provider: Provider) -> None:
    with pytest.raises(PriceUnknown, match="gemini-9-ultra"):
        provider.gateway(text="gemini-9-ultra")


async def test_an_answer_without_usage_is_booked_at_its_worst_case(
    models: JobModels, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.model.answers.usage_of", lambda _response: None)
    await models.text(TITLE, Title)
    [row] = await books.rows()
    assert row["cost_usd"] == row["reserved_usd"] > 0
