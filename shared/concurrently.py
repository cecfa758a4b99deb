"""Runs several awaitables at the same time without leaving any behind."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def concurrently(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """Results in order. When some fail, the others end first and then the first error is raised.

    A call to a model that runs beside a failed one is being paid for: it gets the time to be recorded, and the next
    attempt has it for nothing. Cancelling the whole cancels them all and waits until they have stopped.
    """
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [task.result() for task in tasks]
