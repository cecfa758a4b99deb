"""What a service that makes pieces has open while it runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.content.legibility.ocr import Tesseract
from shared.content.legibility.report import LegibilityGate
from shared.db import Pool
from shared.engine.worker import WorkerSettings
from shared.model.gateway import ModelGateway, open_gateway
from shared.pieces.pictures import JobPictures
from shared.retrieval.search import AssetIndex
from shared.settings import ModelSettings, SupabaseSettings
from shared.storage import Storage


class PieceSettings(WorkerSettings, SupabaseSettings, ModelSettings):
    """Database and worker, Storage, and models."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the jobs of a process share."""

    gateway: ModelGateway
    index: AssetIndex
    pictures: JobPictures
    gate: LegibilityGate
    pool: Pool


@asynccontextmanager
async def open_tools(settings: PieceSettings, pool: Pool) -> AsyncGenerator[Tools]:
    """The tools for as long as the context lasts."""
    async with (
        open_gateway(settings, pool) as gateway,
        Storage(settings.supabase_url, settings.supabase_service_key.get_secret_value()) as storage,
    ):
        index = AssetIndex(pool, settings.supabase_url)
        yield Tools(gateway, index, JobPictures(storage), LegibilityGate(Tesseract()), pool)
