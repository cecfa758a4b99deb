"""The dispatcher: takes webhooks as hints, sweeps, and sends due jobs to the workers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
from fastapi import Depends, FastAPI, Request
from starlette.requests import ClientDisconnect

from services.dispatcher.notices import Notifier, create_senders
from services.dispatcher.routing import Router
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.sweep import Sweeper
from services.dispatcher.webhook import HINT, for_those_who_know, job_ids, read_body
from shared.db import create_pool
from shared.engine.catalog import load_catalog
from shared.engine.cloud_tasks import CloudTasksDelivery
from shared.engine.delivery import Delivery, HttpDelivery
from shared.engine.service_app import Refusal, create_service_app, refusals
from shared.engine.store import JobStore
from shared.logs import configure_logging
from shared.notify.outbox import Outbox

DATABASE_TIMEOUT_S = 3


def create_app(settings: DispatcherSettings | None = None, delivery: Delivery | None = None) -> FastAPI:
    """The dispatcher's application. `delivery` is for tests; else the settings choose it."""
    settings = settings or DispatcherSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    configure_logging(settings.service_name, level=settings.log_level, project=settings.google_cloud_project)
    pool = create_pool(
        settings.database_url.get_secret_value(), max_size=settings.database_pool_size, timeout_s=DATABASE_TIMEOUT_S
    )
    store = JobStore(pool)
    delivery = delivery or _create_delivery(settings)
    router = Router(store, delivery)
    sweeper = Sweeper(store, router)
    notifier = Notifier(Outbox(pool), create_senders(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(pool)
            await stack.enter_async_context(delivery.running())
            loops = [router.run()]
            if settings.sweep_interval_s:
                loops += [sweeper.run(settings.sweep_interval_s), notifier.run(settings.sweep_interval_s)]
            tasks = [asyncio.create_task(loop) for loop in loops]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await notifier.finish()

    app = create_service_app("dispatcher", lifespan=lifespan, is_ready=store.is_ready)
    _add_routes(app, _secrets(settings), router, sweeper, notifier)
    return app


def _add_routes(app: FastAPI, secrets: list[bytes], router: Router, sweeper: Sweeper, notifier: Notifier) -> None:
    door = [Depends(for_those_who_know(secrets))]

    @app.post(
        "/webhooks/jobs",
        status_code=202,
        dependencies=door,
        responses=refusals(400, 401, 413, 422),
        openapi_extra={"requestBody": HINT},
    )
    async def take_hint(request: Request) -> dict[str, Any]:
        """202 says that the hint is understood. What becomes of the jobs is in their rows."""
        try:
            ids = job_ids(await read_body(request.headers, request.stream()))
        except ClientDisconnect:
            raise Refusal(400, "incomplete", "The body ended before its announced length.") from None
        await router.announce(ids)
        return {"accepted": len(ids)}

    @app.post("/sweep", dependencies=door, responses=refusals(401, 503))
    async def sweep() -> dict[str, Any]:
        """Sweeps now, then sends the notices that are due; answers how many jobs were due."""
        try:
            due = await sweeper.sweep()
            # Within the request, since the cloud takes the CPU away after the response.
            await notifier.send_due()
        except psycopg.Error:
            raise Refusal(503, "database_unavailable", "The database cannot be reached. Try again.") from None
        return {"due": due}


def _secrets(settings: DispatcherSettings) -> list[bytes]:
    both = (settings.webhook_secret, settings.webhook_secret_previous)
    return [secret.get_secret_value().encode() for secret in both if secret]


def _create_delivery(settings: DispatcherSettings) -> Delivery:
    if settings.delivery == "http":
        services = load_catalog().services
        concurrency = {name: service.concurrency for name, service in services.items()}
        return HttpDelivery(settings.worker_urls, concurrency, settings.identity_token_url)
    return CloudTasksDelivery(
        project=settings.google_cloud_project or "",
        location=settings.cloud_tasks_location or "",
        invoker=settings.cloud_tasks_invoker or "",
        worker_urls=settings.worker_urls,
    )
