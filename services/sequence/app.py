"""The service `sequence`: plans series of posts, with its parts put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.sequence.job import SequenceJobs
from services.sequence.settings import SequenceSettings
from shared.db import create_pool
from shared.engine.worker import create_worker_app
from shared.model.gateway import open_gateway


def create_app() -> FastAPI:
    """The worker for jobs of the kind `sequence`."""
    settings = SequenceSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    pool = create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    jobs = SequenceJobs()

    @asynccontextmanager
    async def models() -> AsyncGenerator[None]:
        async with open_gateway(settings, pool) as gateway:
            with jobs.using(gateway):
                yield

    return create_worker_app("sequence", {"sequence": jobs.sequence}, settings=settings, pool=pool, resources=models)
