"""The state of a running attempt: until when its lease is surely ours, and why it has to stop, if it has to."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import structlog

from shared.engine.draining import Drain
from shared.engine.errors import AttemptInterrupted, WorkerDraining
from shared.engine.job import Lease

T = TypeVar("T")
Reason = TypeVar("Reason", bound=AttemptInterrupted)

_log = structlog.get_logger(__name__)
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Attempt:
    """One attempt at a job in this process.

    The lease is renewed by heartbeats and checkpoints. `expires_at` is reckoned on this process's monotonic clock from
    the moment the renewal was *sent*, so it is never later than the database's own reckoning.
    """

    def __init__(self, lease: Lease, drain: Drain, claimed_at: float) -> None:
        self.lease = lease
        self.drain = drain
        self.expires_at = claimed_at + lease.lease_s
        self.interruption: AttemptInterrupted | None = None
        self._stop: Callable[[], None] | None = None

    @property
    def lease_left_s(self) -> float:
        """Seconds for which the lease is surely ours; negative when another attempt may have it."""
        return self.expires_at - time.monotonic()

    def renewed(self, sent_at: float) -> None:
        """A renewal that was sent at `sent_at` (monotonic) has been granted."""
        self.expires_at = max(self.expires_at, sent_at + self.lease.lease_s)

    def note(self, reason: Reason) -> Reason:
        """Remembers why the attempt stops; the first reason stands."""
        if self.interruption is None:
            self.interruption = reason
        return reason

    def interrupt(self, reason: AttemptInterrupted) -> None:
        """Stops the handler now, wherever it is."""
        self.note(reason)
        if self._stop:
            self._stop()

    def end_grace(self) -> None:
        """The worker's grace is over: stop."""
        self.interrupt(WorkerDraining("the worker is shutting down"))

    def on_interrupt(self, stop: Callable[[], None] | None) -> None:
        """What `interrupt` does to the handler, while one runs."""
        self._stop = stop
        if stop and self.interruption:
            stop()

    async def persevere(self, operation: Callable[[], Awaitable[T]], until: float | None = None) -> T:
        """Runs a database operation again while the database is away, until `until` (monotonic) or the lease's end.

        The operation carries the lease's token, so a second run after a lost answer changes nothing that it should not.
        Raises the last `psycopg` error.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await operation()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if time.monotonic() + pause_s >= (self.expires_at if until is None else until):
                    raise
                _log.warning("database_away", error=str(error).strip(), next_try_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
