"""From ids to deliveries. Where a job goes is read from the database, never from the hint that named it."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

import psycopg
import structlog

from shared.engine.deadline import within
from shared.engine.delivery import Delivery
from shared.engine.job import DueJob
from shared.engine.store import JobStore

_log = structlog.get_logger(__name__)

MAX_INBOX = 50_000
IN_REQUEST_DEADLINE_S = 5.0
DELIVERIES_AT_A_TIME = 20


class Router:
    """Looks up which of the announced jobs are due, and sends those on their way.

    A delivery that keeps its queue in memory is served by a loop behind an inbox: ids that come in while the loop looks
    some up are looked up together, so a storm of hints costs few queries. Any other delivery (Cloud Tasks) is awaited
    inside the webhook's request, since the cloud takes the CPU away after the response.

    Nothing is retried here: what a full inbox, a database outage or a failed delivery loses, the sweep finds.
    """

    def __init__(self, store: JobStore, delivery: Delivery) -> None:
        self._store = store
        self._delivery = delivery
        self._inbox: dict[UUID, None] = {}
        self._announced = asyncio.Event()

    async def announce(self, ids: Iterable[UUID]) -> None:
        """Takes note of `ids`; in memory at once, else within `IN_REQUEST_DEADLINE_S` seconds. Never raises."""
        if self._delivery.keeps_in_memory:
            for job_id in ids:
                if len(self._inbox) >= MAX_INBOX:
                    break
                self._inbox[job_id] = None
            self._announced.set()
            return
        try:
            await within(IN_REQUEST_DEADLINE_S, self._look_up(list(ids)))
        except TimeoutError:
            _log.warning("hint_not_delivered_in_time")

    async def run(self) -> None:
        """Works off the inbox for ever."""
        while True:
            await self._announced.wait()
            self._announced.clear()
            ids, self._inbox = list(self._inbox), {}
            try:
                await self._look_up(ids)
            except Exception:  # noqa: BLE001  a hint that breaks something must not be the last one
                _log.exception("look_up_crashed")

    async def deliver(self, jobs: Sequence[DueJob]) -> None:
        """Sends the jobs on their way, in order. What cannot be sent is logged, once for each reason."""
        failures: Counter[str] = Counter()

        async def deliver(job: DueJob) -> None:
            try:
                await self._delivery.deliver(job)
            except Exception as error:  # noqa: BLE001  whatever it is, the next sweep tries again
                failures[f"{type(error).__name__}: {error}"] += 1

        if self._delivery.keeps_in_memory:
            for job in jobs:
                await deliver(job)
        else:
            for start in range(0, len(jobs), DELIVERIES_AT_A_TIME):
                await asyncio.gather(*map(deliver, jobs[start : start + DELIVERIES_AT_A_TIME]))
        for reason, count in failures.items():
            _log.warning("not_delivered", reason=reason, jobs=count)

    async def _look_up(self, ids: Sequence[UUID]) -> None:
        if not ids:
            return
        try:
            await self.deliver(await self._store.due(ids))
        except psycopg.Error as error:
            _log.warning("hint_not_looked_up", jobs=len(ids), error=str(error).strip())
