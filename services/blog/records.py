"""What the blog service reads from and writes to Postgres, beside the job itself."""

from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from services.blog.company import Product
from services.blog.state import BlogDraft
from shared.db import Pool
from shared.engine.errors import JobError
from shared.model.spending import Spending, spending_of

_PRODUCTS: LiteralString = """
    select name, coalesce(description, ''), coalesce(category, '')
    from public.product_catalog
    order by name, id
    limit 500
"""
_SLUGS_LIKE: LiteralString = """
    select slug from public.blog_posts where slug = %(slug)s or slug ~ ('^' || %(slug)s || '-[0-9]+$')
"""
_INSERT: LiteralString = """
    insert into public.blog_posts
      (id, job_id, user_id, title, slug, excerpt, content, featured_image, author_name, tags,
       seo_title, seo_description, keywords, news_sources, language, metadata, status, ai_generated)
    values
      (%(id)s, %(job_id)s, %(user_id)s, %(title)s, %(slug)s, %(excerpt)s, %(content)s, %(featured_image)s,
       %(author_name)s, %(tags)s, %(seo_title)s, %(seo_description)s, %(keywords)s, %(news_sources)s,
       %(language)s, %(metadata)s, 'draft', true)
    on conflict (slug) do nothing
    returning id
"""


class AddressTaken(JobError):
    """Another post took the slug between choice and commit; the next attempt chooses another and pays nothing."""

    code = "address_taken"
    retryable = True


class BlogRecords:
    """The service's own reads and its one write."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def products(self) -> list[Product]:
        """The product catalogue."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_PRODUCTS)).fetchall()
        return [Product(name=name, description=description, category=category) for name, description, category in rows]

    async def free_slug(self, slug: str) -> str:
        """`slug`, or `slug-2`, `slug-3` …, whichever no post has yet."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_SLUGS_LIKE, {"slug": slug})).fetchall()
        taken = {row[0] for row in rows}
        candidates = [slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 2))]
        return next(candidate for candidate in candidates if candidate not in taken)

    async def spending(self, job_id: UUID) -> Spending:
        """What the job has cost so far, failed calls included."""
        return await spending_of(self._pool, job_id)


async def insert_draft(
    connection: AsyncConnection[Any],
    *,
    post_id: UUID,
    job_id: UUID,
    user_id: UUID,
    slug: str,
    draft: BlogDraft,
    metadata: dict[str, Any],
) -> None:
    """Writes the draft in the transaction that completes its job. Raises AddressTaken, which undoes both."""
    parameters = {
        **draft.model_dump(exclude={"references"}),
        "id": post_id,
        "job_id": job_id,
        "user_id": user_id,
        "slug": slug,
        "metadata": Jsonb(metadata),
    }
    row = await (await connection.execute(_INSERT, parameters)).fetchone()
    if row is None:
        raise AddressTaken(
            f"Another post has just taken the address “{slug}”. The draft is saved under another one in a moment."
        )
