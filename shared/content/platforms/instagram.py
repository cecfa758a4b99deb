"""Instagram: one picture or a few to swipe, a livelier text, and few hashtags."""

from pydantic import BaseModel

from shared.content.finished import FinishedPiece
from shared.content.piece import Role
from shared.content.platforms.base import PORTRAIT, SLIDE_LIMITS, SQUARE, Platform
from shared.content.span import Span

INSTAGRAM = Platform(
    name="instagram",
    title="Instagram post",
    tone="Warm, direct and visual; short sentences; curiosity about how things are made. Still exact, never loud.",
    aesthetic=(
        "Picture first: a close, bright view of the part or the work that stops a thumb; bold short lettering, all of "
        "it inside the central 3:4 area, so that the grid does not cut it."
    ),
    caption_style="The first sentence carries the point, for it alone is seen at first; one or two emoji are welcome.",
    slides={"single-image": Span(1, 1), "carousel": Span(3, 7)},
    limits=SLIDE_LIMITS,
    caption_chars=2_200,
    caption_sentences=Span(2, 6),
    hashtags=Span(3, 5),
    alt_text_chars=1_000,
    sizes={"1080x1350": PORTRAIT, "1080x1080": SQUARE},
    grid_ratio=3 / 4,
)


class InstagramItem(BaseModel):
    """One picture of a post, with the words on it."""

    url: str
    alt_text: str
    role: Role
    headline: str
    body: str
    width: int
    height: int


class InstagramPost(BaseModel):
    """A row of `instagram_posts`, without ids and status. `caption` is as it is posted, hashtags included."""

    topic: str
    caption: str
    hashtags: list[str]
    image_url: str
    alt_text: str
    format: str
    items: list[InstagramItem]
    quality_score: float
    assets_used: list[str]
    regeneration_count: int


def instagram_post(piece: FinishedPiece) -> InstagramPost:
    """The piece as the platform takes it; its first picture is the cover."""
    items = [
        InstagramItem(
            url=visual.url,
            alt_text=slide.alt_text,
            role=intent.role,
            headline=slide.headline,
            body=slide.body,
            width=visual.width,
            height=visual.height,
        )
        for intent, slide, visual in zip(piece.plan.slides, piece.text.slides, piece.visuals, strict=True)
    ]
    return InstagramPost(
        topic=piece.brief.topic,
        caption=INSTAGRAM.post_text(piece.text),
        hashtags=piece.text.hashtags,
        image_url=items[0].url,
        alt_text=items[0].alt_text,
        format=piece.format,
        items=items,
        quality_score=piece.quality_score,
        assets_used=piece.assets_used,
        regeneration_count=piece.regeneration_count,
    )
