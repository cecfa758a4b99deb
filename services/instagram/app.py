"""The service `instagram`: Instagram posts of one picture or several, with its parts put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.instagram.job import write_post
from shared.content.platforms.instagram import INSTAGRAM
from shared.db import create_pool
from shared.engine.worker import create_worker_app
from shared.pieces.job import PieceJobs
from shared.pieces.tools import PieceSettings, open_tools


def create_app() -> FastAPI:
    """The worker for jobs of the kind `instagram`."""
    settings = PieceSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    pool = create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    jobs = PieceJobs(INSTAGRAM, write_post)

    @asynccontextmanager
    async def resources() -> AsyncGenerator[None]:
        async with open_tools(settings, pool) as tools:
            with jobs.using(tools):
                yield

    return create_worker_app("instagram", {"instagram": jobs.make}, settings=settings, pool=pool, resources=resources)
