"""What a good piece is: the criteria of its review, what the reviewer is given to read, and what it sends back."""

import re
from collections.abc import Sequence
from typing import Any

from shared.content.brand import Brand
from shared.content.brand_analyst import Check, Criterion, Review
from shared.content.brief import Brief
from shared.content.piece import Copy, Plan, SlideWish, Target, Visual, slide_part
from shared.content.platforms.base import Platform, sentence_count

PIECE_RUBRIC = (
    Criterion(
        name="hook",
        asks="The first slide stops this audience: it names its situation or question, and the rest keeps the promise.",
        weight=15,
    ),
    Criterion(
        name="message",
        asks="Slide by slide one thought leads to the next; the reader takes away something definite to check or do.",
        weight=20,
    ),
    Criterion(
        name="brand voice",
        asks="Sounds like the voice asked for: precise, calm, no superlatives, no advertising tone.",
        weight=15,
    ),
    Criterion(
        name="pictures",
        asks="Each picture shows what its slide speaks of; all look like one series in the brand's colours; parts and "
        "machines look real; the logo stands at the bottom right with clear space.",
        weight=15,
    ),
    Criterion(
        name="legibility",
        asks="The words on each picture are exactly its headline and body, large enough on a telephone, and nothing "
        "else is written.",
        weight=15,
    ),
    Criterion(
        name="language",
        asks="Correct, idiomatic and easy to read in the language asked for; terms of the field used rightly.",
        weight=10,
    ),
    Criterion(
        name="compliance",
        asks="No clinical or efficacy claims, no certificate that is not held, no figure without a source.",
        weight=10,
    ),
    Criterion(
        name="call to action",
        asks="The end asks for one clear next step that fits this audience.",
        weight=10,
    ),
)
_PART = re.compile(r"\bslide\s*(\d+)\s*(copy|text|picture|image)?", re.IGNORECASE)
_CAPTION = re.compile(r"\b(?:caption|hashtags?)\b", re.IGNORECASE)


def piece_inputs(
    brief: Brief,
    platform: Platform,
    plan: Plan,
    text: Copy,
    visuals: Sequence[Visual],
    known: Sequence[str],
    brand: Brand,
) -> dict[str, Any]:
    """The inputs of the review prompt. `known`: all that figures may come from."""
    asked = {
        "topic": brief.topic,
        "audience": brief.audience,
        "pain point": brief.pain_point,
        "desired outcome": brief.desired_outcome,
        "angle": brief.angle,
        "call to action": brief.cta_action,
    }
    numbered = enumerate(zip(plan.slides, text.slides, visuals, strict=True), start=1)
    return {
        "what": f"{platform.title}, {len(text.slides)} pictures",
        "brief": "\n".join(f"{name}: {value}" for name, value in asked.items() if value),
        "narrative": plan.narrative,
        "slides": [
            {
                "slide": number,
                "role": intent.role,
                "purpose": intent.purpose,
                "headline": slide.headline,
                "body": slide.body,
                "alt_text": slide.alt_text,
                "picture_shows": intent.picture,
                "rests_on": visual.asset.title if visual.asset.origin == "real" else "no photograph",
            }
            for number, (intent, slide, visual) in numbered
        ],
        "caption": platform.post_text(text),
        "facts": [{"fact": fact} for fact in known],
        "parts": "\n".join(parts_of(text)),
        "voice": brand.personas[brief.voice].voice,
        "language": brief.language,
    }


def measured(platform: Platform, brief: Brief, text: Copy, visuals: Sequence[Visual]) -> list[Check]:
    """The limits, each with what was measured."""
    page = platform.page_of(brief)
    readable = sum(visual.reading.passed for visual in visuals)
    exact = sum((visual.width, visual.height) == page.pixels for visual in visuals)
    length, sentences = platform.measure(platform.post_text(text)), sentence_count(text.caption)
    return [
        Check(
            name="readable pictures",
            ok=readable == len(visuals),
            detail=f"{readable} of {len(visuals)} were read back word for word",
        ),
        Check(
            name="size of the pictures",
            ok=exact == len(visuals),
            detail=f"{exact} of {len(visuals)} have {page.width} × {page.height} pixels",
        ),
        Check(
            name="slides",
            ok=platform.slides_of(brief).holds(len(visuals)),
            detail=f"{len(visuals)}; {platform.slides_of(brief)} wanted",
        ),
        Check(
            name="caption length",
            ok=length <= platform.caption_chars and platform.caption_sentences.holds(sentences),
            detail=f"{length} characters, {sentences} sentences; at most {platform.caption_chars} characters and "
            f"{platform.caption_sentences} sentences wanted",
        ),
        Check(
            name="hashtags",
            ok=platform.hashtags.holds(len(text.hashtags)),
            detail=f"{len(text.hashtags)}; {platform.hashtags} wanted",
        ),
    ]


def parts_of(text: Copy) -> list[str]:
    """The parts that a review can send back, by the names that it is given."""
    slides = [
        f"{slide_part(number)} {target}" for number in range(1, len(text.slides) + 1) for target in ("copy", "picture")
    ]
    return [*slides, "caption"]


def wishes_of(review: Review, text: Copy) -> list[SlideWish]:
    """What to change where. A review below the bar that names no part sends all words back."""
    wishes = [wish for change in review.changes for wish in _wishes(change.part, change.change, len(text.slides))]
    if wishes:
        return wishes
    general = " ".join([*(change.change for change in review.changes), review.summary])
    return [SlideWish(slide=number, target="copy", wish=general) for number in range(len(text.slides) + 1)]


def _wishes(part: str, wish: str, slides: int) -> list[SlideWish]:
    found = _PART.search(part)
    if found is None:
        return [SlideWish(slide=0, target="copy", wish=wish)] if _CAPTION.search(part) else []
    number, named = int(found[1]), (found[2] or "").lower()
    if not 1 <= number <= slides:
        return []
    targets: list[Target] = ["copy", "picture"]
    if named:
        targets = ["copy"] if named in {"copy", "text"} else ["picture"]
    return [SlideWish(slide=number, target=target, wish=wish) for target in targets]
