"""A finished piece, before a platform's formatter takes it, and what is told about how it was made."""

from typing import Any

from pydantic import BaseModel

from shared.content.brand_analyst import Review
from shared.content.brief import Brief, Format
from shared.content.piece import Copy, Plan, Visual


class FinishedPiece(BaseModel):
    """All that was made for one brief. `flagged`: below the bar and delivered all the same, as the brief wished.

    `milliseconds`: time by stage over all attempts. `regeneration_count`: slides and captions that a review sent back.
    """

    platform: str
    brief: Brief
    format: Format
    plan: Plan
    text: Copy
    visuals: list[Visual]
    reviews: list[Review]
    flagged: bool
    regeneration_count: int
    milliseconds: dict[str, int]

    @property
    def quality_score(self) -> float:
        """The last review's score, 0 to 100."""
        return self.reviews[-1].score

    @property
    def assets_used(self) -> list[str]:
        """Addresses of the company's photographs in it, each once."""
        urls = [visual.asset.url for visual in self.visuals if visual.asset.url]
        return list(dict.fromkeys(urls))


def slides_json(piece: FinishedPiece) -> list[dict[str, Any]]:
    """The slides with their words, pictures and what the pictures rest on, in order."""
    return [
        {
            "number": visual.slide,
            "role": intent.role,
            "headline": slide.headline,
            "body": slide.body,
            "alt_text": slide.alt_text,
            "image_url": visual.url,
            "width": visual.width,
            "height": visual.height,
            "asset": visual.asset.model_dump(mode="json", exclude_none=True),
            "text_rendering": visual.text_rendering,
        }
        for intent, slide, visual in zip(piece.plan.slides, piece.text.slides, piece.visuals, strict=True)
    ]


def generation_metadata(piece: FinishedPiece) -> dict[str, Any]:
    """The JSON of `generation_metadata`; what it cost and which models made it is added by the service."""
    visuals, times = piece.visuals, piece.milliseconds
    return {
        "platform": piece.platform,
        "format": piece.format,
        "persona": piece.brief.voice,
        "language": piece.brief.language,
        "style": piece.brief.style,
        "strategy_time_ms": times.get("strategy", 0),
        "copywriting_time_ms": times.get("copy", 0),
        "design_time_ms": times.get("design", 0),
        "review_time_ms": times.get("review", 0),
        "slide_count": len(visuals),
        "assets_used_count": sum(visual.asset.origin == "real" for visual in visuals),
        "generated_count": sum(visual.asset.origin == "generated" for visual in visuals),
        "readable_count": sum(visual.reading.passed for visual in visuals),
        "right_at_once_count": sum(visual.right_at_once for visual in visuals),
        "typeset_count": sum(visual.text_rendering == "typeset" for visual in visuals),
        "pictures_drawn": sum(visual.drawn for visual in visuals),
        "regeneration_count": piece.regeneration_count,
        "quality_score": piece.quality_score,
        "below_threshold": piece.flagged,
        "narrative": piece.plan.narrative,
        "reviews": [review.model_dump(mode="json") for review in piece.reviews],
        "slides": [_how_made(visual) for visual in visuals],
        "brainstorming": {
            "session_id": piece.brief.brainstorming_session_id or None,
            "context": piece.brief.brainstorming_context or None,
        },
    }


def _how_made(visual: Visual) -> dict[str, Any]:
    told = visual.model_dump(mode="json", include={"slide", "asset", "text_rendering", "drawn", "right_at_once"})
    return told | {"legibility": visual.reading.model_dump(mode="json")}
