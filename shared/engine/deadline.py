"""A deadline that holds even when what it limits does not stop at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

_left_behind: set[asyncio.Task[Any]] = set()
_log = structlog.get_logger(__name__)


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, or TimeoutError after `seconds`, on the dot.

    psycopg takes up to ten seconds to give up a query whose connection has gone silent. `asyncio.timeout` would wait
    for that; here it is left behind.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            _left_behind.add(task)
            task.add_done_callback(_forget)
    if not done:
        raise TimeoutError
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled() and (error := task.exception()):
        _log.debug("error_left_behind", error=repr(error))
