"""How a due job gets to a worker of its service.

A delivery is `POST <worker>/jobs/<id>`, and may be lost or doubled without harm: a claim succeeds once, and the sweep
finds what was not delivered. So nothing here insists. Each delivery carries a token that says who we are.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from uuid import UUID  # noqa: TC003  kept plain for readers: it costs nothing

import aiohttp
import structlog

from shared.engine.identity import IdentityTokens, IdentityUnavailable
from shared.engine.job import DueJob

_log = structlog.get_logger(__name__)

MAX_WAITING = 10_000
REQUEST_TIMEOUT_S = 3_700  # a worker's request may take 60 minutes
CONNECT_TIMEOUT_S = 5
RETRY_PAUSE_S = 0.2
SUPERSEDED_GRACE_S = 1.0
# Below uvicorn's own 5 s: a connection that the worker is about to close must not be used again.
KEEPALIVE_S = 4
_RETRIED = (aiohttp.ClientConnectionError,)


class Delivery(Protocol):
    """Sends due jobs to workers. Delivering the same wait of the same job twice is one delivery."""

    keeps_in_memory: bool
    """True when `deliver` only takes a note and the work happens behind it. Then it may not be left to a process whose
    CPU is cut after its response."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Deliveries happen within the block."""
        ...

    async def deliver(self, job: DueJob) -> None:
        """Sends one job on its way. Raises only when it cannot be sent now; the sweep tries again."""
        ...


class HttpDelivery:
    """Calls the workers itself: first come, first served, as many at a time as a worker of the service takes.

    A job waits or flies at most once for each wait in the queue (`DueJob.scheduled_for`). When it turns out to be due
    *again* while its request flies, the attempt behind that request is over, answered or not: the job is sent again,
    and what is left of the old request is let go after a moment.
    """

    keeps_in_memory = True

    def __init__(self, worker_urls: Mapping[str, str], concurrency: Mapping[str, int], identity_token_url: str) -> None:
        self._urls = worker_urls
        self._identity_token_url = identity_token_url
        self._concurrency = concurrency
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Deliveries happen within the block; at its end requests in flight are let go, and the workers go on."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            tokens = IdentityTokens(session, self._identity_token_url)
            self._lanes = {
                service: _Lane(session, tokens, url.rstrip("/"), self._concurrency.get(service, 1))
                for service, url in self._urls.items()
            }
            try:
                yield
            finally:
                await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    async def deliver(self, job: DueJob) -> None:
        """Queues the job in memory. Raises `LookupError` when nobody said where its service is."""
        lane = self._lanes.get(job.service)
        if lane is None:
            raise LookupError(f"WORKER_URLS has no address for the service {job.service}")
        lane.add(job)


class _Flight:
    """A request under way."""

    def __init__(self, job: DueJob, task: asyncio.Task[None]) -> None:
        self.job = job
        self.task = task


class _Lane:
    """The deliveries to one service."""

    def __init__(self, session: aiohttp.ClientSession, tokens: IdentityTokens, url: str, concurrency: int) -> None:
        self._session = session
        self._tokens = tokens
        self._url = url
        self._concurrency = concurrency
        self._waiting: dict[UUID, DueJob] = {}  # in order of arrival
        self._flights: dict[UUID, _Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, job: DueJob) -> None:
        flight = self._flights.get(job.id)
        if job.id in self._waiting:
            self._waiting[job.id] = job  # keeps its place
        elif flight and flight.job.scheduled_for >= job.scheduled_for:
            return
        elif len(self._waiting) < MAX_WAITING:
            if flight:
                del self._flights[job.id]
                asyncio.get_running_loop().call_later(SUPERSEDED_GRACE_S, flight.task.cancel)
            self._waiting[job.id] = job
            self._start()

    async def close(self) -> None:
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self) -> None:
        while self._waiting and len(self._tasks) < self._concurrency:
            job = self._waiting.pop(next(iter(self._waiting)))
            task = asyncio.create_task(self._fly(job))
            self._tasks.add(task)
            self._flights[job.id] = _Flight(job, task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start()

    async def _fly(self, job: DueJob) -> None:
        try:
            if not await self._post(job, last_try=False):
                await asyncio.sleep(RETRY_PAUSE_S)
                await self._post(job, last_try=True)
        except (aiohttp.ClientError, TimeoutError, IdentityUnavailable) as error:
            _log.warning("delivery_failed", job_id=str(job.id), kind=job.kind, error=repr(error))
        finally:
            flight = self._flights.get(job.id)
            if flight and flight.task is asyncio.current_task():
                del self._flights[job.id]

    async def _post(self, job: DueJob, *, last_try: bool) -> bool:
        """False when a second try makes sense: the worker was not there, or is being replaced."""
        token = await self._tokens.get(self._url)
        try:
            headers = {"authorization": f"Bearer {token}"}
            async with self._session.post(f"{self._url}/jobs/{job.id}", headers=headers) as response:
                await response.read()
                if response.status == 503 and not last_try:  # noqa: PLR2004
                    return False
                if response.status == 401:  # noqa: PLR2004
                    self._tokens.forget(self._url)
                if response.status != 200:  # noqa: PLR2004
                    _log.warning("delivery_refused", job_id=str(job.id), kind=job.kind, status=response.status)
                return True
        except _RETRIED:
            if last_try:
                raise
            return False
