"""LinkedIn: a document of slides, or one picture, with a short professional text."""

from typing import Any

from pydantic import BaseModel

from shared.content.finished import FinishedPiece, slides_json
from shared.content.platforms.base import PORTRAIT, SLIDE_LIMITS, SQUARE, Platform
from shared.content.span import Span

LINKEDIN = Platform(
    name="linkedin",
    title="LinkedIn carousel",
    tone="Professional and technically exact: one colleague shows another what to check. No hype.",
    aesthetic="An engineer's page in a business feed: much clear space, one strong subject, sober, high contrast.",
    caption_style="Plain sentences for a business feed; an emoji only where it replaces a word, at best none.",
    slides={"carousel": Span(5, 7), "single-image": Span(1, 1)},
    limits=SLIDE_LIMITS,
    caption_chars=3_000,
    caption_sentences=Span(2, 3),
    hashtags=Span(3, 5),
    alt_text_chars=1_000,
    sizes={"1080x1350": PORTRAIT, "1080x1080": SQUARE},
)


class LinkedInPost(BaseModel):
    """A row of `linkedin_carousels`, without ids and status: the names are the columns."""

    topic: str
    target_audience: str
    pain_point: str
    desired_outcome: str
    proof_points: str
    cta_action: str
    slides: list[dict[str, Any]]
    caption: str
    image_urls: list[str]
    format: str
    profile_type: str
    quality_score: float
    assets_used: list[str]
    regeneration_count: int


def linkedin_post(piece: FinishedPiece) -> LinkedInPost:
    """The piece as the platform takes it. A technical expert writes for the company's profile."""
    brief = piece.brief
    return LinkedInPost(
        topic=brief.topic,
        target_audience=brief.audience,
        pain_point=brief.pain_point,
        desired_outcome=brief.desired_outcome,
        proof_points=brief.proof_points,
        cta_action=brief.cta_action,
        slides=slides_json(piece),
        caption=LINKEDIN.post_text(piece.text),
        image_urls=[visual.url for visual in piece.visuals],
        format=piece.format,
        profile_type="salesperson" if brief.voice == "salesperson" else "company",
        quality_score=piece.quality_score,
        assets_used=piece.assets_used,
        regeneration_count=piece.regeneration_count,
    )
