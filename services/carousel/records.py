"""The row of a carousel."""

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

TABLE: LiteralString = "linkedin_carousels"
_JSON = ("slides", "image_urls", "generation_settings", "generation_metadata")
_INSERT: LiteralString = """
    insert into public.linkedin_carousels
      (id, job_id, user_id, admin_user_id, topic, target_audience, pain_point, desired_outcome, proof_points,
       cta_action, slides, caption, image_urls, pdf_url, format, profile_type, language, persona, quality_score,
       assets_used, regeneration_count, generation_settings, generation_metadata, status, ai_generated)
    values
      (%(id)s, %(job_id)s, %(user_id)s, %(user_id)s, %(topic)s, %(target_audience)s, %(pain_point)s,
       %(desired_outcome)s, %(proof_points)s, %(cta_action)s, %(slides)s, %(caption)s, %(image_urls)s, %(pdf_url)s,
       %(format)s, %(profile_type)s, %(language)s, %(persona)s, %(quality_score)s, %(assets_used)s,
       %(regeneration_count)s, %(generation_settings)s, %(generation_metadata)s, 'draft', true)
"""


async def insert_carousel(connection: AsyncConnection[Any], row: Mapping[str, Any]) -> None:
    """Writes the draft, in the transaction that completes its job. `row` has the columns of the statement by name."""
    await connection.execute(_INSERT, {**row, **{name: Jsonb(row[name]) for name in _JSON}})
