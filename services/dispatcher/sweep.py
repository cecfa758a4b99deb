"""The sweep finds what no webhook announced: due jobs, expired leases, retries whose time has come."""

import asyncio

import psycopg
import structlog

from services.dispatcher.routing import Router
from shared.engine.store import JobStore

_log = structlog.get_logger(__name__)

MAX_JOBS = 2_000
LEAST_PAUSE_S = 0.25


class Sweeper:
    """One sweep at a time in this process; other processes may sweep as well."""

    def __init__(self, store: JobStore, router: Router) -> None:
        self._store = store
        self._router = router
        self._sweeping = asyncio.Lock()

    async def sweep(self) -> int:
        """Puts jobs with expired leases back, delivers what is due (the longest waiting first) and counts it.

        At most `MAX_JOBS` at a time: the next sweep sees the rest. Raises `psycopg.Error` when the database is away.
        """
        async with self._sweeping:
            due = await self._store.sweep(MAX_JOBS)
            await self._router.deliver(due)
        return len(due)

    async def run(self, interval_s: float) -> None:
        """Sweeps every `interval_s` seconds, and when the next scheduled job is due if that is sooner.

        Goes on through database outages and whatever else goes wrong.
        """
        while True:
            pause_s = interval_s
            try:
                await self.sweep()
                pause_s = await self._pause(interval_s)
            except psycopg.Error as error:
                _log.warning("sweep_failed", error=str(error).strip())
            except Exception:  # noqa: BLE001  the safety net must outlive any defect
                _log.exception("sweep_crashed")
            await asyncio.sleep(pause_s)

    async def _pause(self, interval_s: float) -> float:
        """Seconds until the next sweep. Many jobs scheduled close to each other share one."""
        next_due_s = await self._store.seconds_to_next_due()
        return interval_s if next_due_s is None else min(interval_s, max(next_due_s, LEAST_PAUSE_S))
