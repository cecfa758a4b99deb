"""Runs several awaitables at the same time without leaving any behind."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def concurrently(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """Results in order. The first error stops the others before it is raised, so no paid call runs on unseen."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
