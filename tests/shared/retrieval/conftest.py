"""An index with a few assets of the kinds that there are, embedded as the emulator embeds."""

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from bench.retrieval.library import emulated
from shared.db import Pool
from shared.model.embeddings import Task
from shared.retrieval.indexing import AssetTexts
from shared.retrieval.search import AssetIndex
from tests.conftest import TestDatabases

PROJECT = "https://project.test"
COMPANY_ASSETS = [
    ("equipment", "Torno suíço Citizen L20. Barra de 20 mm.", f"{PROJECT}/storage/v1/object/public/assets/l20.png"),
    ("facility", "Sala limpa ISO classe 7. Duas, de 60 m².", "https://cdn.test/sala.png"),
    ("facility", "Área de usinagem. Tornos CNC.", "https://cdn.test/usinagem.png"),
    ("logo", "Logotipo LM em branco. Para fundos escuros.", "https://cdn.test/logo.png"),
]
PRODUCTS = ["Parafusos pediculares", "Implantes dentários", "Placas de trauma", "Catraca de torque"]


class Models:
    """Embeds as the emulator does, and counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[list[str], Task]] = []
        self._error = error

    async def embed(self, texts: Sequence[str], *, task: Task) -> list[list[float]]:
        if self._error:
            raise self._error
        self.asked.append((list(texts), task))
        return await emulated(texts, task)


@pytest.fixture(scope="session")
def library(databases: TestDatabases) -> str:
    """Name of a database with the assets, none of them with an embedding."""
    with psycopg.connect(databases.cluster.url(), autocommit=True) as connection:
        connection.execute("create database library template migrated")
    with psycopg.connect(databases.cluster.url("library"), autocommit=True) as connection:
        cursor: Any = connection.cursor()
        cursor.executemany("insert into company_assets (type, description, url) values (%s, %s, %s)", COMPANY_ASSETS)
        cursor.executemany(
            "insert into product_catalog (name, category, image_url) values (%s, '', %s)",
            [(name, f"https://cdn.test/{name}.png") for name in PRODUCTS],
        )
        cursor.execute(
            "insert into storage.objects (bucket_id, name) values ('assets', 'l20.png'), ('assets', 'equipe/ana.png')"
        )
        cursor.execute(
            "insert into blog_posts (title, slug, status, metadata) values"
            """ ('UDI na prática', 'udi', 'approved', '{"quality_score": 80}'),"""
            """ ('UDI, rascunho', 'r', 'draft', '{"quality_score": 99}')"""
        )
    return "library"


@pytest.fixture
def database_url(databases: TestDatabases, library: str) -> Any:
    with databases.copy_of(library) as url:
        yield url


@pytest.fixture
async def texts(pool: Pool) -> AssetTexts:
    return AssetTexts(pool, "emulator")


@pytest.fixture
async def index(pool: Pool, texts: AssetTexts) -> AssetIndex:
    """Every asset has its embedding."""
    waiting = await texts.waiting(100)
    assert await texts.keep(waiting, await emulated([text.text for text in waiting], "document")) == len(waiting)
    return AssetIndex(pool, PROJECT)
