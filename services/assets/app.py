"""The service `assets`: embeddings for the index of assets, with its parts put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.assets.job import index_assets
from shared.db import create_pool
from shared.engine.context import JobContext
from shared.engine.outcome import Outcome
from shared.engine.worker import WorkerSettings, create_worker_app
from shared.model.gateway import ModelGateway, open_gateway
from shared.retrieval.indexing import AssetTexts
from shared.settings import ModelSettings


class AssetsSettings(WorkerSettings, ModelSettings):
    """Database and worker, and models."""


def create_app() -> FastAPI:
    """The worker for jobs of the kind `index_assets`."""
    settings = AssetsSettings()  # pyright: ignore[reportCallIssue]  read from the environment
    pool = create_pool(settings.database_url.get_secret_value(), max_size=settings.database_pool_size)
    texts = AssetTexts(pool, settings.model_embedding)
    gateways: list[ModelGateway] = []

    @asynccontextmanager
    async def models() -> AsyncGenerator[None]:
        async with open_gateway(settings, pool) as gateway:
            gateways.append(gateway)
            yield

    async def handle(context: JobContext) -> Outcome:
        [gateway] = gateways
        return await index_assets(context, texts, gateway.for_job(context.lease, lambda: context.running_stage))

    return create_worker_app("assets", {"index_assets": handle}, settings=settings, pool=pool, resources=models)
