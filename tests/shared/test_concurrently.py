"""Side by side, in order, and nothing left behind."""

import asyncio

import pytest

from shared.concurrently import concurrently


async def test_results_come_in_order():
    first = asyncio.Event()

    async def slow() -> str:
        await first.wait()
        return "slow"

    async def quick() -> str:
        first.set()
        return "quick"

    assert await concurrently([slow(), quick()]) == ["slow", "quick"]


async def test_what_runs_beside_a_failure_ends_before_it_is_raised():
    """A paid answer that is on its way is recorded."""
    failed, recorded = asyncio.Event(), []

    async def fails() -> None:
        failed.set()
        raise ValueError("no")

    async def is_paid_for() -> None:
        await failed.wait()
        await asyncio.sleep(0)
        recorded.append("answer")

    with pytest.raises(ValueError, match="no"):
        await concurrently([fails(), is_paid_for()])
    assert recorded == ["answer"]


async def test_cancelling_stops_all_of_them():
    stopped: list[int] = []
    started = asyncio.Event()

    async def waits(number: int) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            stopped.append(number)

    whole = asyncio.create_task(concurrently([waits(1), waits(2)]))
    await started.wait()
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert sorted(stopped) == [1, 2]
