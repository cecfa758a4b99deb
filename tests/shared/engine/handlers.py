"""Handlers for attempts under test."""

import asyncio
import time

from shared.engine.outcome import Done, Outcome
from shared.engine.runner import JobContext


async def done(_: JobContext) -> Outcome:
    return Done({"ok": True})


class Waiting:
    """A handler that waits until it is stopped, and says when it started and how it ended."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.stopped_after_s: float | None = None
        self.go_on = asyncio.Event()

    async def __call__(self, _: JobContext) -> Outcome:
        begun = time.monotonic()
        self.started.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.stopped_after_s = time.monotonic() - begun
            raise
        return Done({})
