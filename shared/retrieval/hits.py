"""What a search finds."""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Source = Literal[
    "product_catalog", "products", "company_assets", "storage", "linkedin_carousels", "instagram_posts", "blog_posts"
]
Kind = Literal["product", "facility", "team", "equipment", "logo", "past_work"]

PICTURES: tuple[Kind, ...] = ("product", "facility", "team", "equipment")
"""The kinds whose pictures may stand on a slide; logos are placed, earlier work is inspiration."""


@dataclass(frozen=True, slots=True)
class AssetHit:
    """An asset for a query.

    `relevance` is how likely it is what was asked for, 0-100: of those above 70 at least nine in ten are. `url` is that
    of the picture: every asset but earlier work has one.
    """

    asset_id: UUID
    source: Source
    source_id: str
    kind: Kind
    title: str
    description: str
    url: str | None
    relevance: float
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
