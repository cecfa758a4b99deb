"""The service `carousel`: LinkedIn carousels and single pictures, with its parts put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.carousel.job import write_carousel
from shared.content.platforms.linkedin import LINKEDIN
from shared.db import create_pool
from shared.engine.worker import create_worker_app
from shared.pieces.job import PieceJobs
from shared.pieces.tools import PieceSettings, open_tools


def create_app() -> FastAPI:
    """The worker for jobs of the kind `carousel`."""
    settings = PieceSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    pool = create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    jobs = PieceJobs(LINKEDIN, write_carousel)

    @asynccontextmanager
    async def resources() -> AsyncGenerator[None]:
        async with open_tools(settings, pool) as tools:
            with jobs.using(tools):
                yield

    return create_worker_app("carousel", {"carousel": jobs.make}, settings=settings, pool=pool, resources=resources)
