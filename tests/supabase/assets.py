"""Sources of assets, and what the index has of them."""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

PICTURE = "https://x.test/storage/v1/object/public/assets/{}"


class Assets:
    """Writes to sources as the superuser, with nobody signed in."""

    def __init__(self, root: AsyncConnection[Any]) -> None:
        self.root = root

    async def one(self, statement: str, *parameters: Any) -> Any:
        """The first column of the first row."""
        row = await (await self.root.execute(statement.encode(), parameters)).fetchone()
        assert row is not None
        return row[0]

    async def product(self, name: str, table: str = "product_catalog", picture: str | None = "p.png") -> UUID:
        url = picture and PICTURE.format(picture)
        return await self.one(
            f"insert into {table} (name, description, category, image_url) values (%s, '', 'Trauma', %s) returning id",
            name,
            url,
        )

    async def company_asset(self, kind: str, description: str, picture: str = "a.png") -> UUID:
        insert = "insert into company_assets (type, description, url) values (%s, %s, %s) returning id"
        return await self.one(insert, kind, description, PICTURE.format(picture))

    async def file(self, name: str, bucket: str = "assets") -> UUID:
        return await self.one(
            "insert into storage.objects (bucket_id, name) values (%s, %s) returning id", bucket, name
        )

    async def post(self, title: str, status: str, quality: Any) -> UUID:
        return await self.one(
            "insert into blog_posts (title, slug, status, metadata) values (%s, %s, %s, %s) returning id",
            title,
            title,
            status,
            Jsonb({"quality_score": quality}),
        )

    async def indexed(self) -> set[tuple[str, str, str]]:
        """(source, kind, title) of each row."""
        return set(await (await self.root.execute("select source, kind, title from asset_index")).fetchall())

    async def embed_all(self) -> None:
        """Gives each row some embedding."""
        await self.root.execute(
            "update asset_index set embedding = array_fill(0.1::real, '{768}')::vector, embedding_model = 'm',"
            " embedding_fingerprint = fingerprint"
        )

    async def embedded(self) -> set[str]:
        """Titles of the rows that have an embedding."""
        rows = await (await self.root.execute("select title from asset_index where embedding is not null")).fetchall()
        return {row[0] for row in rows}

    async def found(self, query: str, **options: Any) -> list[str]:
        """Titles, the best first, by words alone."""
        rows = await (
            await self.root.execute(
                "select title from search_assets(%s, kinds => %s, max_hits => %s)",
                (query, options.get("kinds"), options.get("max_hits", 10)),
            )
        ).fetchall()
        return [row[0] for row in rows]

    async def jobs(self) -> list[tuple[UUID, str]]:
        """(user, status) of the jobs that were asked for."""
        rows = await self.root.execute(
            "select user_id, status from jobs where kind = 'index_assets' order by created_at"
        )
        return await rows.fetchall()
