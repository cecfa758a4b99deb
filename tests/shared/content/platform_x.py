"""A platform that the product does not have: what it takes to add one."""

import re

from shared.content.platforms.base import SLIDE_LIMITS, SQUARE, Platform
from shared.content.span import Span


def weighted(text: str) -> int:
    """As X counts: an address is 23 characters, an emoji or a character of East Asia two."""
    plain = re.sub(r"https?://\S+", "x" * 23, text)
    return sum(2 if ord(char) > 0x10FF and not 0x2000 <= ord(char) <= 0x206F else 1 for char in plain)


X = Platform(
    name="x",
    title="Post on X",
    tone="Brief and exact.",
    aesthetic="One idea a picture.",
    caption_style="One thought.",
    slides={"single-image": Span(1, 1), "carousel": Span(2, 4)},
    limits=SLIDE_LIMITS,
    caption_chars=280,
    caption_sentences=Span(1, 3),
    hashtags=Span(0, 2),
    alt_text_chars=1_000,
    sizes={"1080x1080": SQUARE},
    measure=weighted,
)
