"""Reviews by measuring: citations, length, structure, claims, repetition, the topic's words and the end of the text."""

import re
from collections import Counter
from dataclasses import dataclass
from statistics import mean
from typing import Any

from infra.local.emulator.language import fold, overlap, sentences
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.checking import forbidden_claim
from infra.local.emulator.writing.fit import shortened
from infra.local.emulator.writing.phrases import load_phrases

_CITATION = re.compile(r"\[\^?\d+\]|\[E\d+\]|<sup>")
_HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)
_REFERENCES = re.compile(
    r"^#{1,3} (?:Referências|References|Fontes|Sources)\b.*", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
_INVITES = re.compile(
    r"\b(?:fale|agende|envie|converse|conheça|solicite|entre em contato|peça|visite|"
    r"talk|book|send|contact|ask|visit|get in touch|request)\b",
    re.IGNORECASE,
)
_FAILED = re.compile(r"false|fail|não|too (?:long|short)", re.IGNORECASE)
_GOOD = 80
# Which measures decide a criterion, by words in its name or description.
_DECIDE = (
    ("evid|sourc|fonte|factual|accur|cita|fato|truth|verdade|claim|afirma|complian|regul", ("citations", "claims")),
    ("struct|estrut|flow|clar|read|legib|organ|escrita|writing|language|idioma", ("structure", "repetition")),
    ("brand|marca|voice|voz|tone|tom", ("claims", "repetition")),
    ("audien|públic|reader|leitor|useful|útil|relev|topic|tema|brief|pain", ("topic", "structure")),
    ("call|cta|chamada|action|ação|close|final|convers", ("closing",)),
    ("seo|length|limit|tamanho|keyword|format", ("length", "limits")),
)


@dataclass(frozen=True)
class Measure:
    """One measure of a text: 0 to 100, and the words that say it."""

    score: float
    words: str


def review(brief: Brief) -> dict[str, Any]:
    """A score and a reason for each criterion, changes for what is weak, a summary."""
    phrases = load_phrases(brief.language).general["review"]
    draft = brief.get("draft", "text", "content", "article", "section")
    measures = measured(draft, brief)
    criteria = (
        brief.records("criteria") or [{"name": line} for line in brief.lines("criteria")] or [{"name": "quality"}]
    )
    scores = [_score(criterion, measures, draft, phrases) for criterion in criteria]
    weakest = min(scores, key=lambda item: item["score"])
    total = round(mean(item["score"] for item in scores))
    return {
        "scores": scores,
        "changes": _changes(scores, measures, brief, phrases),
        "summary": phrases["summary_good" if total >= _GOOD else "summary_weak"].format(weakest=weakest["criterion"]),
        "score": total,
        "overall_score": total,
        "passed": total >= 70,
        "reasons": [item["reason"] for item in scores],
        "findings": [item["reason"] for item in scores if item["score"] < _GOOD],
        "feedback": weakest["reason"],
    }


def measured(draft: str, brief: Brief) -> dict[str, Measure]:
    """All measures of a draft in Markdown."""
    says = load_phrases(brief.language).general["review"]["measures"]
    body = _REFERENCES.sub("", draft)
    blocks = [block for block in re.split(r"\n\s*\n", body) if block.strip() and not block.lstrip().startswith("#")]
    lines = [line for block in blocks for line in sentences(block)]
    return {
        "citations": _citations(blocks, says),
        "length": _length(body, brief, says),
        "structure": _structure(body, lines, says),
        "claims": _claims(lines, brief, says),
        "repetition": _repetition(lines, says),
        "topic": _topic(body, brief, says),
        "closing": _closing(blocks, says),
        "limits": _limits(brief, says),
    }


def text_score(text: str, brief: Brief) -> int:
    """One score for a text when no criteria are given."""
    values = measured(text, brief)
    return round(mean(values[name].score for name in ("structure", "claims", "repetition", "topic")))


def _score(
    criterion: dict[str, Any], measures: dict[str, Measure], draft: str, phrases: dict[str, Any]
) -> dict[str, Any]:
    name = str(criterion.get("criterion") or criterion.get("name") or criterion.get("id") or "")
    deciding = _deciding(f"{name} {criterion.get('description', '')} {criterion.get('asks', '')}")
    weakest = min((measures[key] for key in deciding), key=lambda measure: measure.score)
    # A program that measures has no taste: even a flawless measure is not a perfect mark.
    score = round(min(94, 0.7 * weakest.score + 0.3 * mean(measures[key].score for key in deciding)))
    form = phrases["good" if score >= _GOOD else "weak"]
    return {"criterion": name, "score": score, "reason": form.format(quote=_sample(draft, name), measure=weakest.words)}


def _deciding(text: str) -> tuple[str, ...]:
    folded = text.casefold()
    for pattern, names in _DECIDE:
        if re.search(pattern, folded):
            return names
    return ("structure", "citations", "topic")


def _changes(
    scores: list[dict[str, Any]], measures: dict[str, Measure], brief: Brief, phrases: dict[str, Any]
) -> list[dict[str, Any]]:
    parts = [part.get("name", part.get("part", "")) if isinstance(part, dict) else part for part in _parts(brief)]
    weak = sorted((item for item in scores if item["score"] < _GOOD), key=lambda item: item["score"])
    changes: list[dict[str, Any]] = []
    for number, item in enumerate(weak[:6]):
        worst = min((measures[key] for key in _deciding(item["criterion"])), key=lambda measure: measure.score)
        part = parts[(number + 1) % len(parts)] if parts else ""
        changes.append({"part": part, "change": phrases["change"].format(what=item["criterion"], measure=worst.words)})
    return changes


def _parts(brief: Brief) -> list[Any]:
    return list(brief.records("parts")) or list(brief.lines("parts"))


def _sample(draft: str, name: str) -> str:
    body = _REFERENCES.sub("", draft)
    found = [line for line in sentences(body) if len(line) > 40 and not line.startswith("#")]
    if not found:
        return shortened(" ".join(body.split()), 80) or "…"
    return shortened(_CITATION.sub("", found[sum(map(ord, name)) % len(found)]).strip(), 110)


def _citations(blocks: list[str], says: dict[str, str]) -> Measure:
    # The opening and the end need no sources.
    inner = blocks[1:-1] or blocks
    share = sum(bool(_CITATION.search(block)) for block in inner) / len(inner) if inner else 0.0
    return Measure(min(100.0, 25 + 110 * share), says["citations"].format(share=round(share * 100)))


def _length(body: str, brief: Brief, says: dict[str, str]) -> Measure:
    words = len(body.split())
    wanted = brief.number("min_words", default=800 if _HEADING.search(body) else 40)
    score = 95.0 if words >= wanted else max(20.0, 95.0 * words / wanted)
    return Measure(score, says["length"].format(words=words))


def _structure(body: str, lines: list[str], says: dict[str, str]) -> Measure:
    sections = len(_HEADING.findall(body))
    average = mean(len(line.split()) for line in lines) if lines else 0.0
    score = 95.0 - max(0.0, average - 24) * 2.5 - (12 * max(0, 3 - sections) if len(body) > 2500 else 0)
    return Measure(max(20.0, score), says["structure"].format(sections=sections, sentence=round(average)))


def _claims(lines: list[str], brief: Brief, says: dict[str, str]) -> Measure:
    held = fold(f"{brief.get('certificates')} ISO 13485 ISO 13485:2016 ANVISA")
    count = sum(forbidden_claim(line, held) != "none" for line in lines)
    return Measure(max(10.0, 96.0 - 30 * count), says["claims"].format(claims=count))


def _repetition(lines: list[str], says: dict[str, str]) -> Measure:
    counted = Counter(fold(line) for line in lines if len(line) > 30)
    repeated = sum(count - 1 for count in counted.values())
    return Measure(max(20.0, 94.0 - 12 * repeated), says["repetition"].format(repeated=repeated))


def _topic(body: str, brief: Brief, says: dict[str, str]) -> Measure:
    asked = brief.get("brief") or brief.topic
    share = overlap(asked, body) if asked else 0.7
    return Measure(min(96.0, 50 + 60 * share), says["topic"].format(share=round(share * 100)))


def _closing(blocks: list[str], says: dict[str, str]) -> Measure:
    invites = bool(blocks and _INVITES.search(" ".join(blocks[-2:])))
    return Measure(92.0 if invites else 55.0, says["closing" if invites else "no_closing"])


def _limits(brief: Brief, says: dict[str, str]) -> Measure:
    checks = brief.records("checks")
    failed = sum(_check_failed(check) for check in checks)
    return Measure(max(20.0, 94.0 - 15 * failed), says["limits"].format(failed=failed))


def _check_failed(check: dict[str, Any]) -> bool:
    for name in ("ok", "passed", "met", "within", "holds"):
        if name in check:
            return not check[name]
    return bool(_FAILED.search(str(check.get("result", ""))))
