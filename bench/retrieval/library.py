"""The library that the search is measured on: the seed's catalogue and photographs beside it, in their tables."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from bench.fresh_jobs import prepared_database
from infra.local.emulator.embeddings import embed
from infra.local.seed.catalog import add_catalog, read_catalog
from infra.local.seed.pictures import BUCKET
from shared.db import create_pool
from shared.model.embeddings import DIMENSIONS, Task, unit_length
from shared.retrieval.indexing import AssetTexts
from shared.retrieval.search import AssetIndex

Embed = Callable[[Sequence[str], Task], Awaitable[list[list[float]]]]

_FILE = Path(__file__).parents[1] / "retrieval_assets.yaml"
_PROJECT = "https://project.example"
_ADDRESS = f"{_PROJECT}/storage/v1/object/public/{BUCKET}/"
_MODEL = "measured"

_PRODUCT = "insert into public.product_catalog (name, description, category, image_url) values (%s, %s, %s, %s)"
_ASSET = "insert into public.company_assets (type, description, url) values (%s, %s, %s)"
_OBJECT = "insert into storage.objects (bucket_id, name) values (%s, %s)"
_POST = """
insert into public.blog_posts (title, slug, excerpt, tags, status, metadata, featured_image)
values (%s, %s, %s, %s, %s, %s, %s)
"""


async def emulated(texts: Sequence[str], task: Task) -> list[list[float]]:
    """The emulator's embeddings, without the way over HTTP."""
    del task  # it embeds both alike
    return await asyncio.to_thread(lambda: [unit_length(embed(text, DIMENSIONS)) for text in texts])


def name_of(url: str | None) -> str:
    """The name of an asset in the labelled queries: that of its picture."""
    return PurePosixPath(url or "").stem


def read_library() -> dict[str, list[dict[str, Any]]]:
    """`products`, `assets`, `files` and `posts` of `bench/retrieval_assets.yaml`."""
    return yaml.safe_load(_FILE.read_text(encoding="utf-8"))


@asynccontextmanager
async def filled_index(admin_url: str, database: str, embed_texts: Embed = emulated) -> AsyncIterator[AssetIndex]:
    """The index of the library in a new database, every asset with its embedding."""
    url = await prepared_database(admin_url, database)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await fill(connection)
    async with create_pool(url, max_size=4) as pool:
        texts = AssetTexts(pool, _MODEL)
        await texts.refresh()
        while waiting := await texts.waiting(50):
            await texts.keep(waiting, await embed_texts([text.text for text in waiting], "document"))
        yield AssetIndex(pool, _PROJECT)


async def fill(connection: AsyncConnection[Any]) -> None:
    """Writes the rows of the catalogue and of the library."""
    catalog, library = read_catalog(), read_library()
    await add_catalog(connection, catalog, {asset["file"]: _ADDRESS + asset["file"] for asset in catalog["assets"]})
    files = [asset["file"] for asset in catalog["assets"]] + library["files"]
    products = [(p["name"], p["description"], p["category"], _ADDRESS + p["file"]) for p in library["products"]]
    assets = [(a["type"], a["description"], _ADDRESS + a["file"]) for a in library["assets"]]
    async with connection.cursor() as cursor:
        await cursor.executemany(_PRODUCT, products)
        await cursor.executemany(_ASSET, assets)
        await cursor.executemany(_OBJECT, [(BUCKET, file) for file in files])
        await cursor.executemany(_POST, [_post_row(post) for post in library["posts"]])


def _post_row(post: dict[str, Any]) -> tuple[Any, ...]:
    quality = Jsonb({"quality_score": post["quality"]})
    address = _ADDRESS + post["file"]
    return post["title"], name_of(address), post["excerpt"], post["tags"], post["status"], quality, address
