"""The row of a post."""

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

TABLE: LiteralString = "instagram_posts"
_JSON = ("items", "generation_metadata")
_INSERT: LiteralString = """
    insert into public.instagram_posts
      (id, job_id, user_id, topic, target_audience, language, persona, format, caption, hashtags, image_url, alt_text,
       items, quality_score, assets_used, regeneration_count, generation_metadata, status, ai_generated)
    values
      (%(id)s, %(job_id)s, %(user_id)s, %(topic)s, %(target_audience)s, %(language)s, %(persona)s, %(format)s,
       %(caption)s, %(hashtags)s, %(image_url)s, %(alt_text)s, %(items)s, %(quality_score)s, %(assets_used)s,
       %(regeneration_count)s, %(generation_metadata)s, 'draft', true)
"""


async def insert_post(connection: AsyncConnection[Any], row: Mapping[str, Any]) -> None:
    """Writes the draft, in the transaction that completes its job. `row` has the columns of the statement by name."""
    await connection.execute(_INSERT, {**row, **{name: Jsonb(row[name]) for name in _JSON}})
