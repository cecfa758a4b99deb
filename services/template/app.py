"""The service `template`: the tool `echo`, with its parts put together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from services.template.job import echo
from shared.db import Pool, create_pool
from shared.engine.context import JobContext
from shared.engine.outcome import Outcome
from shared.engine.worker import WorkerSettings, create_worker_app
from shared.settings import ModelSettings

if TYPE_CHECKING:
    from shared.model.gateway import JobModels, ModelGateway


def create_app() -> FastAPI:
    """The worker for jobs of the kind `echo`."""
    settings = WorkerSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    pool = create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    gateway = LateGateway(pool)

    async def handle(context: JobContext) -> Outcome:
        return await echo(context, lambda: gateway.for_job(context))

    return create_worker_app("template", {"echo": handle}, settings=settings, pool=pool, resources=gateway.available)


class LateGateway:
    """The model gateway, opened by the first job that calls a model: most echo jobs do without that second."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._gateway: ModelGateway | None = None

    @asynccontextmanager
    async def available(self) -> AsyncGenerator[None]:
        """The gateway can be opened within the block, and is closed at its end."""
        async with self._stack:
            yield

    async def for_job(self, context: JobContext) -> "JobModels":
        """The models, for the lease of this job."""
        async with self._opening:
            if self._gateway is None:
                from shared.model.gateway import open_gateway  # noqa: PLC0415  see the class's docstring

                self._gateway = await self._stack.enter_async_context(open_gateway(ModelSettings(), self._pool))
        return self._gateway.for_job(context.lease, lambda: context.running_stage)
