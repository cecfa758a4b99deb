"""Reviews of slides by measuring: the words of the request, repetition, claims, the pictures, measured limits."""

import re
from dataclasses import dataclass
from statistics import mean
from typing import Any

from infra.local.emulator.language import detect_language, fold, overlap
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.checking import forbidden_claim
from infra.local.emulator.writing.fit import shortened
from infra.local.emulator.writing.slides import slide_phrases

Json = dict[str, Any]

_INVITES = re.compile(
    r"\b(?:fale|agende|envie|converse|conheça|solicite|peça|visite|vamos|leve|traga|baixe|"
    r"talk|book|send|contact|ask|visit|get|request|let us|bring|download)\b",
    re.IGNORECASE,
)
_GOOD = 80
# Which measure decides a criterion, by words in its name.
_DECIDE = (
    ("hook|gancho", "hook"),
    ("picture|visual|image", "pictures"),
    ("legib|read", "legibility"),
    ("complian|regul|voice|brand", "claims"),
    ("langu|idioma", "language"),
    ("call|action|cta", "closing"),
)


@dataclass(frozen=True)
class _Measure:
    score: float
    words: str


def review_slides(brief: Brief) -> Json:
    """A score and a reason for each criterion, and what to change where something is weak."""
    says = slide_phrases(brief.language)["review"]
    slides = brief.records("slides")
    measures = _measured(brief, slides)
    scores = [_score(str(item.get("criterion", "")), measures, slides, says) for item in brief.records("criteria")]
    weak = [item for item in scores if item["score"] < _GOOD]
    changes = [
        {"part": _part(item["criterion"], slides), "change": item["reason"]}
        for item in sorted(weak, key=lambda item: item["score"])[:6]
    ]
    summary = " ".join(item["reason"] for item in sorted(scores, key=lambda item: item["score"])[:2])
    return {"scores": scores, "changes": changes, "summary": summary}


def lowered(answer: Json, brief: Brief) -> Json:
    """The same review by somebody whom the piece does not convince: below the bar, with a slide or two sent back."""
    says = slide_phrases(brief.language)["review"]
    slides = brief.records("slides")
    chosen = sorted({brief.seed % len(slides), (brief.seed // 7) % len(slides)}) if slides else []
    changes: list[Json] = []
    for place in chosen:
        slide = slides[place]
        if (brief.seed + place) % 2:
            changes.append({"part": f"slide {place + 1} picture", "change": says["low_picture"]})
        else:
            change = says["low_change"].format(quote=_quote(slide))
            changes.append({"part": f"slide {place + 1} copy", "change": change})
    quote = _quote(slides[chosen[0]]) if chosen else ""
    scores = [
        {
            **item,
            "score": 52 + (brief.seed + number) % 12,
            "reason": says["low"].format(criterion=item["criterion"], quote=quote),
        }
        for number, item in enumerate(answer["scores"])
    ]
    return {"scores": scores, "changes": changes, "summary": says["low_summary"]}


def _measured(brief: Brief, slides: list[Json]) -> dict[str, _Measure]:
    says = slide_phrases(brief.language)["review"]["measures"]
    texts = [f"{slide.get('headline', '')} {slide.get('body', '')}".strip() for slide in slides]
    count, seen = len(slides), brief.pictures
    share = overlap(brief.get("brief").splitlines()[0] if brief.get("brief") else "", " ".join(texts))
    repeated = count - len({fold(text) for text in texts})
    claims = sum(forbidden_claim(text, fold("ISO 13485 ANVISA")) != "none" for text in texts)
    failed = sum(check.get("ok") is False for check in brief.records("checks"))
    foreign = sum(detect_language(text) != brief.language for text in texts if len(text.split()) > 6)
    invites = bool(texts and _INVITES.search(" ".join([texts[-1], brief.get("caption")])))
    return {
        "hook": _Measure(min(93.0, 66 + 40 * share), says["hook"].format(share=round(share * 100))),
        "message": _Measure(max(40.0, 91.0 - 15 * repeated), says["message"].format(count=count, repeated=repeated)),
        "claims": _Measure(max(20.0, 92.0 - 35 * claims), says["claims"].format(claims=claims)),
        "pictures": _Measure(88.0 if seen == count else 30.0, says["pictures"].format(seen=seen, count=count)),
        "legibility": _Measure(max(30.0, 94.0 - 14 * failed), says["legibility"].format(failed=failed)),
        "language": _Measure(max(30.0, 92.0 - 25 * foreign), says["language"].format(foreign=foreign)),
        "closing": _Measure(90.0 if invites else 58.0, says["closing" if invites else "no_closing"]),
    }


def _score(criterion: str, measures: dict[str, _Measure], slides: list[Json], says: Json) -> Json:
    deciding = next((name for pattern, name in _DECIDE if re.search(pattern, criterion, re.IGNORECASE)), "message")
    measure = measures[deciding]
    quote = _quote(slides[sum(map(ord, criterion)) % len(slides)]) if slides else "…"
    # Nobody's taste agrees with a measure entirely.
    score = round(0.9 * measure.score + 0.1 * mean(each.score for each in measures.values()))
    form = says["good" if score >= _GOOD else "weak"]
    return {
        "criterion": criterion,
        "score": score,
        "reason": form.format(criterion=criterion, measure=measure.words, quote=quote),
    }


def _part(criterion: str, slides: list[Json]) -> str:
    if re.search(r"picture|legib", criterion):
        return "slide 1 picture"
    if re.search(r"call|action", criterion):
        return f"slide {len(slides)} copy"
    return "slide 1 copy" if "hook" in criterion else f"slide {min(2, len(slides))} copy"


def _quote(slide: Json) -> str:
    return shortened(str(slide.get("headline", "")), 70)
