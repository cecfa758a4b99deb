"""Shutting down without losing work: what happens between SIGTERM and the end of the process.

Cloud Run, like the local supervisor, sends SIGTERM and kills ten seconds later. From the signal on the worker refuses
new jobs; a running attempt goes on to its next checkpoint, where it gives its lease back; what has not come to one
after `grace_s` is cancelled and gives its lease back as well.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Drain:
    """Whether this process is shutting down, and whom to stop when the grace is over. Belongs to one event loop."""

    def __init__(self, grace_s: float = 8.0) -> None:
        self.grace_s = grace_s
        self.requested = False
        self._over = False
        self._to_stop: set[Callable[[], None]] = set()

    def begin(self) -> None:
        """Starts to drain; again is harmless. Call it in the event loop."""
        if not self.requested:
            self.requested = True
            asyncio.get_running_loop().call_later(self.grace_s, self._end_grace)

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Generator[None]:
        """Calls `stop` when the grace ends within the block, at once if it is over already."""
        if self._over:
            stop()
        self._to_stop.add(stop)
        try:
            yield
        finally:
            self._to_stop.discard(stop)

    def _end_grace(self) -> None:
        self._over = True
        for stop in tuple(self._to_stop):
            stop()


@contextmanager
def on_termination(callback: Callable[[], None]) -> Generator[None]:
    """Calls `callback` in the running event loop at SIGTERM or SIGINT, before the handler that was there.

    uvicorn installs its handlers before the application starts; they go on to stop the server. Outside of the main
    thread, where Python takes no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)
        earlier = previous[number]
        if callable(earlier):
            earlier(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)
