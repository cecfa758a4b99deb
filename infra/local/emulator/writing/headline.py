"""Titles, excerpts, descriptions and tags of the lengths that are asked for."""

import itertools
from typing import Any

from infra.local.emulator.language import sentences
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.fit import combined, first_within, fit, shortened
from infra.local.emulator.writing.phrases import Picker, load_phrases
from infra.local.emulator.writing.planning import keywords

TITLE = (50, 70)
SEO_TITLE = (30, 59)
SEO_DESCRIPTION = (150, 160)
EXCERPT = (140, 250)
_FEWEST_TAGS = 3


def write_headline(brief: Brief) -> dict[str, Any]:
    """What stands around an article, each text within its limits."""
    phrases = load_phrases(brief.language)
    words = keywords(brief, phrases)
    return {
        "title": title(brief, *TITLE),
        "headline": title(brief, *TITLE),
        "excerpt": excerpt(brief, *EXCERPT),
        "seo_title": title(brief, *SEO_TITLE, shift=1),
        "seo_description": seo_description(brief, *SEO_DESCRIPTION),
        "tags": tags(brief, words),
        "keywords": words,
    }


def title(brief: Brief, low: int, high: int, shift: int = 0) -> str:
    """The topic as a title; with an ending when it is too short, cut at a word when it is too long."""
    picker = Picker(brief.seed + shift)
    endings = picker.rotated(load_phrases(brief.language).general["title_endings"])
    topic = capital(brief.topic.rstrip(".") or brief.core)
    starts = [topic, capital(main_keyword(brief)), capital(brief.core)]
    candidates = [start for start in starts[:1] if ":" not in start or shift == 0]
    candidates += [f"{start}: {ending}" for start in starts if ":" not in start for ending in endings]
    return first_within(candidates, low, high) or fit(topic, low, high, endings)


def seo_description(brief: Brief, low: int, high: int) -> str:
    """Whole sentences that begin with the main keyword."""
    general = load_phrases(brief.language).general
    picker = Picker(brief.seed)
    keyword = capital(main_keyword(brief))
    starts = [
        f"{start.format(keyword=keyword)}{middle}."
        for start in picker.rotated(general["seo_starts"])
        for middle in general["seo_middles"]
    ]
    ends = picker.rotated(general["seo_ends"])
    return (
        combined([starts, ends], low, high)
        or combined([starts, _pairs(ends)], low, high)
        or fit(starts[0], low, high, ends)
    )


def excerpt(brief: Brief, low: int, high: int) -> str:
    """One or two sentences that lead into the article."""
    general = load_phrases(brief.language).general
    keyword = capital(main_keyword(brief))
    starts = [start.format(keyword=keyword) for start in Picker(brief.seed).rotated(general["excerpt_starts"])]
    angle = brief.get("angle")
    ends = general["excerpt_ends"]
    return combined([starts, ends], low, high) or fit(angle or starts[0], low, high, ends)


def tags(brief: Brief, words: list[str]) -> list[str]:
    """Three to six tags of at most three words, lower case."""
    phrases = load_phrases(brief.language)
    themes = phrases.ranked_themes(f"{brief.topic} {brief.get('article', 'angle')}")
    short = [word.lower() for word in words if len(word.split()) <= 3]
    found = list(dict.fromkeys([*short, *(theme.tag for theme in themes[:6])]))[:6]
    common = [theme.tag for theme in phrases.themes if theme.tag not in found]
    return [*found, *common[: max(0, _FEWEST_TAGS - len(found))]]


def main_keyword(brief: Brief) -> str:
    """The first keyword asked for, else the topic's core."""
    listed = [word.strip() for line in brief.lines("keywords", "seo_keywords") for word in line.split(",")]
    first = next((word for word in listed if word), "")
    return first if 0 < len(first) <= 45 else brief.core


def fit_length(brief: Brief) -> dict[str, Any]:
    """The draft within its limits, filled up with the article's own sentences."""
    low = brief.number("min_characters", default=1)
    high = brief.number("max_characters", default=max(low, 10_000))
    draft = brief.get("draft", "text")
    general = load_phrases(brief.language).general
    extras = [*general["seo_ends"], *sentences(brief.get("article_summary"))]
    is_title = not draft.endswith((".", "!", "?")) and high <= 80
    return {
        "text": fit(draft, low, high, [f"– {ending}" for ending in general["title_endings"]] if is_title else extras)
    }


def _pairs(texts: list[str]) -> list[str]:
    return [" ".join(pair) for pair in itertools.permutations(texts, 2)]


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def short_topic(brief: Brief, high: int) -> str:
    """The topic within `high` characters."""
    return capital(shortened(brief.topic or brief.core, high))
