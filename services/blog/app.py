"""The service `blog`: blog drafts and deep research, with its parts put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.blog.job import BlogJobs, Tools
from services.blog.records import BlogRecords
from services.blog.settings import BlogSettings
from shared.db import create_pool
from shared.engine.files import JobFiles
from shared.engine.worker import create_worker_app
from shared.model.gateway import open_gateway
from shared.research.fetch import open_fetcher
from shared.storage import Storage


def create_app() -> FastAPI:
    """The worker for jobs of the kinds `blog` and `deep_research`."""
    settings = BlogSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    pool = create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    jobs = BlogJobs(BlogRecords(pool))

    @asynccontextmanager
    async def tools() -> AsyncGenerator[None]:
        async with (
            open_gateway(settings, pool) as gateway,
            open_fetcher(static_hosts=settings.fetch_static_hosts, ca_file=settings.fetch_ca_file) as fetcher,
            Storage(settings.supabase_url, settings.supabase_service_key.get_secret_value()) as storage,
        ):
            with jobs.using(Tools(gateway, fetcher, JobFiles(storage))):
                yield

    handlers = {"blog": jobs.blog, "deep_research": jobs.deep_research}
    return create_worker_app("blog", handlers, settings=settings, pool=pool, resources=tools)
