"""The company's products and pictures as rows."""

from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

_CATALOG = Path(__file__).with_name("catalog.yaml")

# Ids follow from names: a second run finds the rows of the first one.
_PRODUCT_CATALOG = """
insert into public.product_catalog (id, name, description, category, image_url)
values (%(id)s, %(name)s, %(description)s, %(category)s, %(image_url)s)
on conflict (id) do update set image_url = excluded.image_url
"""
_PRODUCTS = """
insert into public.products (id, name, description, category, image_url, metadata)
values (%(id)s, %(name)s, %(description)s, %(category)s, %(image_url)s, %(metadata)s)
on conflict (id) do update set image_url = excluded.image_url
"""
_COMPANY_ASSETS = """
insert into public.company_assets (id, type, url, description)
values (%(id)s, %(type)s, %(url)s, %(description)s)
on conflict (id) do update set url = excluded.url
"""


def read_catalog() -> dict[str, list[dict[str, str]]]:
    """`products` and `assets` as `catalog.yaml` lists them."""
    return yaml.safe_load(_CATALOG.read_text())


async def add_catalog(
    connection: AsyncConnection[Any], catalog: dict[str, list[dict[str, str]]], urls: dict[str, str]
) -> None:
    """Writes the rows; `urls` are the pictures' by their name in the bucket."""
    products = [_product(product, urls) for product in catalog["products"]]
    assets = [
        {
            "id": _id(asset["file"]),
            "type": asset["type"],
            "url": urls[asset["file"]],
            "description": asset["description"],
        }
        for asset in catalog["assets"]
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(_PRODUCT_CATALOG, products)
        await cursor.executemany(_PRODUCTS, products)
        await cursor.executemany(_COMPANY_ASSETS, assets)


def _product(product: dict[str, str], urls: dict[str, str]) -> dict[str, Any]:
    return {
        "id": _id(product["key"]),
        "name": product["name"],
        "description": product["description"],
        "category": product["category"],
        "image_url": urls[product["image"]] if "image" in product else None,
        "metadata": Jsonb({"key": product["key"]}),
    }


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"lifetrek-catalog:{name}")
