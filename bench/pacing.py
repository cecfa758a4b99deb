"""An open loop: operations start by the clock, whether or not earlier ones have ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def at_rate(rate_per_s: float, for_s: float, operation: Callable[[], Awaitable[None]]) -> list[float]:
    """Starts `operation` `rate_per_s` times a second for `for_s` seconds. Returns how long each took, in milliseconds.

    The clock starts anew for each operation when it is started, so a slow one delays no other.
    Raises an ExceptionGroup when an operation failed.
    """
    durations_ms: list[float] = []

    async def timed() -> None:
        started = time.perf_counter()
        await operation()
        durations_ms.append((time.perf_counter() - started) * 1000)

    first = time.perf_counter()
    async with asyncio.TaskGroup() as running:
        for number in range(round(rate_per_s * for_s)):
            await asyncio.sleep(first + number / rate_per_s - time.perf_counter())
            running.create_task(timed())
    return durations_ms
