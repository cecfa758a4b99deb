"""Carousels and posts that people of the company wrote and approved before."""

from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

_PAST_WORK = Path(__file__).with_name("past_work.yaml")

# Without a job_id: a person wrote them, so they may come approved. Ids follow from names, as those of the catalogue do.
_CAROUSELS = """
insert into public.linkedin_carousels
  (id, admin_user_id, user_id, topic, target_audience, pain_point, desired_outcome, proof_points, cta_action, slides,
   caption, language, persona, profile_type, quality_score, status, approved_by, approved_at)
values
  (%(id)s, %(marketing)s, %(marketing)s, %(topic)s, %(target_audience)s, %(pain_point)s, %(desired_outcome)s,
   %(proof_points)s, %(cta_action)s, %(slides)s, %(caption)s, %(language)s, %(persona)s, %(profile_type)s,
   %(quality_score)s, 'approved', %(admin)s, now())
on conflict (id) do nothing
"""
_POSTS = """
insert into public.instagram_posts
  (id, user_id, topic, target_audience, caption, hashtags, format, language, persona, quality_score, status,
   approved_by, approved_at)
values
  (%(id)s, %(marketing)s, %(topic)s, %(target_audience)s, %(caption)s, %(hashtags)s, %(format)s, %(language)s,
   %(persona)s, %(quality_score)s, 'approved', %(admin)s, now())
on conflict (id) do nothing
"""


def read_past_work() -> dict[str, list[dict[str, Any]]]:
    """`carousels` and `posts` as `past_work.yaml` lists them."""
    return yaml.safe_load(_PAST_WORK.read_text())


async def add_past_work(connection: AsyncConnection[Any], people: dict[str, str]) -> None:
    """Writes the rows; `people` maps a role to a user id: marketing wrote them, the administrator approved them."""
    work = read_past_work()
    carousels = [
        {
            **_row(carousel, people),
            "slides": Jsonb(carousel["slides"]),
            "profile_type": "salesperson" if carousel["persona"] == "salesperson" else "company",
        }
        for carousel in work["carousels"]
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(_CAROUSELS, carousels)
        await cursor.executemany(_POSTS, [_row(post, people) for post in work["posts"]])


def _row(piece: dict[str, Any], people: dict[str, str]) -> dict[str, Any]:
    return {
        **piece,
        "id": uuid5(NAMESPACE_URL, f"lifetrek-past-work:{piece['key']}"),
        "caption": piece["caption"].strip(),
        "marketing": people["marketing"],
        "admin": people["admin"],
    }
