"""A worker service: `POST /jobs/{id}` claims the job, runs it, and answers when the attempt is over.

The work stays inside the request, because Cloud Run takes the CPU away after the response. The caller may go away (a
dispatcher that restarts, a delivery that times out): the attempt goes on, and Postgres has its outcome.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Self
from uuid import UUID

import psycopg
import structlog
from fastapi import Depends, FastAPI
from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from shared.auth import Callers, SigningKeys
from shared.db import Pool, create_pool
from shared.engine.callers import for_callers
from shared.engine.catalog import load_catalog
from shared.engine.draining import Drain, on_termination
from shared.engine.runner import AttemptEnd, Handler, run_attempt
from shared.engine.service_app import Refusal, create_service_app, refusals
from shared.engine.store import JobStore
from shared.logs import configure_logging
from shared.settings import ServiceSettings

_log = structlog.get_logger(__name__)

RETRY_SOON = {"retry-after": "1"}


class WorkerSettings(ServiceSettings):
    """`drain_grace_s`: what a running stage gets after SIGTERM; the platform kills ten seconds after the signal.

    `oidc_…`: whose calls are answered. Tokens must come from the issuer, be made for `oidc_audience` (this worker's own
    URL, as the dispatcher has it) and belong to one of `oidc_invokers` (JSON, e-mail addresses of service accounts).
    """

    model_config = SettingsConfigDict(env_ignore_empty=True)

    drain_grace_s: float = 8.0
    oidc_issuer: str = "https://accounts.google.com"
    oidc_jwks_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    oidc_audience: str = ""
    oidc_invokers: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _somebody_may_call(self) -> Self:
        if not self.oidc_audience or not self.oidc_invokers:
            raise ValueError(
                "OIDC_AUDIENCE and OIDC_INVOKERS must say for whom and by whom jobs are sent: without them"
                " anybody could have this worker run jobs"
            )
        return self


def create_worker_app(
    service: str,
    handlers: Mapping[str, Handler],
    *,
    settings: WorkerSettings | None = None,
    pool: Pool | None = None,
    resources: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
) -> FastAPI:
    """The application of the service `service`, with one handler for each kind it works off.

    Capacity, beyond which it answers 503, comes from the catalogue. `pool` may be shared with the handlers' own parts
    (a call ledger, say): give a closed one, it is opened and closed with the application, around `resources`, which are
    whatever else the handlers need while the application runs. Raises `ValueError` when a handler's kind is not one of
    the service's in the catalogue.
    """
    settings = settings or WorkerSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    configure_logging(service, level=settings.log_level, project=settings.google_cloud_project)
    of_service = load_catalog().services.get(service)
    if of_service is None or not set(handlers) <= set(of_service.kinds):
        raise ValueError(f"shared/catalog.yaml does not give the service {service} all of the kinds {list(handlers)}")
    database = pool or create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    worker = Worker(service, handlers, JobStore(database), of_service.concurrency, settings.drain_grace_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with database, resources():
            with on_termination(worker.drain.begin):
                yield
            await worker.stop()

    app = create_service_app(service, lifespan=lifespan, is_ready=worker.is_ready)
    door = for_callers(_callers(settings))
    app.post("/jobs/{job_id}", dependencies=[Depends(door)], responses=refusals(401, 403, 422, 503))(worker.work)
    return app


def _callers(settings: WorkerSettings) -> Callers:
    return Callers(
        SigningKeys(settings.oidc_jwks_url),
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        invokers=settings.oidc_invokers,
    )


class Worker:
    """The running attempts of this process."""

    def __init__(
        self, service: str, handlers: Mapping[str, Handler], store: JobStore, concurrency: int, drain_grace_s: float
    ) -> None:
        self.name = f"{service}:{socket.gethostname()}:{os.getpid()}"
        self.drain = Drain(drain_grace_s)
        self._handlers = handlers
        self._store = store
        self._concurrency = concurrency
        self._running: set[asyncio.Task[AttemptEnd]] = set()

    async def work(self, job_id: UUID) -> dict[str, str]:
        """Answers `{"job_id", "outcome"}` when the attempt is over, whatever came of it: Postgres has the rest.

        503 means that nothing was begun: the worker shuts down, is full, or cannot reach the database.
        """
        if self.drain.requested:
            raise Refusal(503, "draining", "This worker is shutting down. Send the job again.", headers=RETRY_SOON)
        if len(self._running) >= self._concurrency:
            message = f"This worker runs {self._concurrency} jobs, as many as it takes. Send the job again later."
            raise Refusal(503, "at_capacity", message, headers=RETRY_SOON)
        attempt = asyncio.create_task(run_attempt(self._store, self._handlers, job_id, self.name, self.drain))
        self._running.add(attempt)
        attempt.add_done_callback(self._running.discard)
        try:
            outcome = await asyncio.shield(attempt)
        except psycopg.Error as error:
            _log.warning("claim_failed", job_id=str(job_id), error=str(error).strip())
            message = "The database cannot be reached. Send the job again."
            raise Refusal(503, "database_unavailable", message, headers=RETRY_SOON) from None
        return {"job_id": str(job_id), "outcome": outcome.value}

    async def is_ready(self) -> bool:
        """Whether a job would be taken now."""
        return not self.drain.requested and await self._store.is_ready()

    async def stop(self) -> None:
        """Drains, and returns when the last attempt has given its lease back."""
        self.drain.begin()
        if self._running:
            await asyncio.wait(self._running, timeout=self.drain.grace_s + 2)
