"""Sections, introductions and conclusions: paragraphs of sentences, each fact with the id of what it stands on."""

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from infra.local.emulator.language import Language, sentences
from infra.local.emulator.writing.brief import Brief, Evidence
from infra.local.emulator.writing.phrases import Picker, Theme, load_phrases
from infra.local.emulator.writing.restate import in_language, in_we, opened, paraphrased, similar

_WORDS_A_PARAGRAPH = 80
_MOST_SENTENCES = 5
_SAME = 0.8
_TOO_LONG = 1.2
# Ids of facts from the company's own records; those from the web begin with E.
_COMPANY_IDS = ("C", "P")
# A paragraph speaks in its own theme only when its evidence is clearly about something else than the section.
_CLEARLY = 2.0

_DEFINES = re.compile(r"\b(?:é|são|is|are)\b")

Paragraph = list[dict[str, Any]]


@dataclass
class Writer:
    """Writes sentences for one prompt and remembers which phrases it has used."""

    brief: Brief
    written: str = ""
    picker: Picker = field(init=False)

    def __post_init__(self) -> None:
        self.language: Language = self.brief.language
        self.phrases = load_phrases(self.language)
        self.general = self.phrases.general
        self.picker = Picker(self.brief.seed, self.written)
        self._told = 0

    def usable(self, *names: str) -> list[Evidence]:
        """Evidence in the right language that has not been told before, no two items alike."""
        told = sentences(self.written.replace("\n", " "))
        found: list[Evidence] = []
        for item in in_language(self.brief.evidence(*names), self.language):
            said = in_we(item.text, self.language) if item.id[:1] in _COMPANY_IDS else item.text
            if not any(similar(said, other) >= _SAME for other in [*told, *(kept.text for kept in found)]):
                found.append(item)
        return found

    def fact(self, item: Evidence, *, first_in_paragraph: bool = False) -> dict[str, Any]:
        """A sentence that says what the evidence says."""
        self._told += 1
        text = paraphrased(_one_line(item.text), self.language, self.brief.seed + self._told)
        if item.id[:1] in _COMPANY_IDS:
            said = in_we(text, self.language)
            opening = None if first_in_paragraph else self.picker.pick(self.general["company"])
            return sentence((opened(opening, said, self.language) if opening else None) or said, item.id)
        if not first_in_paragraph and self._told % 2 == 0:
            text = self._connected(text, item)
        return sentence(text, item.id)

    def lead(self, theme: Theme) -> dict[str, Any] | None:
        """A sentence that opens a paragraph."""
        return plain(self.picker.pick(theme.leads, self.general["leads"]))

    def advice(self, theme: Theme) -> dict[str, Any] | None:
        """A sentence that says what to do with a fact."""
        return plain(self.picker.pick(theme.advice, self.general["advice"]))

    def _connected(self, text: str, item: Evidence) -> str:
        banks = [self.general["connectors"]]
        name = item.source.split(":")[0].split("|")[0].strip()
        if self._told % 4 == 0 and 8 <= len(name) <= 60 and "http" not in name:
            banks.insert(0, [form.format(source=f"“{name}”") for form in self.general["attribution"]])
        for bank in banks:
            opening = self.picker.pick(bank)
            joined = opened(opening, text, self.language) if opening else None
            if joined:
                return joined
        return text


def write_section(brief: Brief) -> list[dict[str, Any]]:
    """Paragraphs of a section: each begins with its thought, tells evidence and says what to do with it."""
    writer = Writer(brief, f"{brief.get('written_so_far')}\n{brief.get('feedback')}")
    target = brief.number("words", "word_count", "target_words", default=160)
    evidence = writer.usable("evidence") + writer.usable("company_facts")[:1]
    theme = writer.phrases.theme_of(brief.get("heading", "purpose", "topic"), brief.get("purpose"), *_texts(evidence))
    count = max(1, min(5, round(target / _WORDS_A_PARAGRAPH) or 1, max(len(evidence), 2)))
    groups = [evidence[start::count] for start in range(count)] if len(evidence) < count else _even(evidence, count)
    paragraphs = [_paragraph(writer, theme, group) for group in groups]
    _reach(writer, theme, paragraphs, target)
    return as_paragraphs(paragraphs)


def write_introduction(brief: Brief) -> list[dict[str, Any]]:
    """A situation that the reader knows, what is at stake, one fact, and what the article gives."""
    writer = Writer(brief)
    target = brief.number("words", default=90)
    first = _kept(
        plain(writer.picker.pick(writer.general["hooks"])), plain(writer.picker.pick(writer.general["stakes"]))
    )
    second: Paragraph = []
    evidence = sorted(writer.usable("evidence"), key=lambda item: -_introduces(item, brief))
    if evidence:
        second.append(writer.fact(evidence[0], first_in_paragraph=True))
    if brief.audience and target >= 60:
        second.append(sentence(writer.general["audience"].format(audience=_lower_first(brief.audience))))
    second += _kept(plain(writer.picker.pick(writer.general["promises"])))
    if len(evidence) > 1 and _words([first, second]) < target * 0.75:
        second.insert(1, writer.fact(evidence[1]))
    return as_paragraphs([first, second])


def write_conclusion(brief: Brief) -> list[dict[str, Any]]:
    """What the reader can do now, why the company is a partner for it, and the call to action as the last sentence."""
    writer = Writer(brief, brief.get("written_so_far"))
    target = brief.number("words", default=110)
    facts = sorted(
        writer.usable("company_facts"), key=lambda item: -similar(item.text, brief.get("written_so_far", "topic"))
    )
    call = brief.get("call_to_action") or writer.picker.pick(writer.general["calls"]) or ""
    first = _kept(*(plain(writer.picker.pick(writer.general["closings"])) for _ in range(2)))
    second = [writer.fact(item, first_in_paragraph=True) for item in facts[:2]]
    second += _kept(plain(writer.picker.pick(writer.general["partner"])))
    while _words([first, second]) + len(call.split()) < target * 0.8 and len(first) < 4:
        more = plain(writer.picker.pick(writer.general["closings"]))
        if more is None:
            break
        first.append(more)
    second.append(sentence(_one_line(call)))
    return as_paragraphs([first, second])


def adjust_length(brief: Brief) -> list[dict[str, Any]]:
    """A section made longer with evidence and advice that it has not used, or shorter from its end."""
    paragraphs = section_of(brief)
    target = brief.number("words", default=_words(paragraphs))
    writer = Writer(brief, " ".join(item["text"] for paragraph in paragraphs for item in paragraph))
    theme = writer.phrases.theme_of(brief.get("heading", "purpose"), writer.written)
    if _words(paragraphs) > target:
        _shorten(paragraphs, target)
        return as_paragraphs(paragraphs)
    for item in writer.usable("evidence"):
        if _words(paragraphs) >= target:
            break
        paragraphs.append(_paragraph(writer, theme, [item]))
    _reach(writer, theme, paragraphs, target)
    return as_paragraphs(paragraphs)


def section_of(brief: Brief) -> list[Paragraph]:
    """The section given in a prompt: sentences as JSON lines, with or without the number of their paragraph."""
    records = [record for record in brief.records("section") if record.get("text") or record.get("sentence")]
    items = [sentence(str(r.get("text") or r.get("sentence")), *(r.get("evidence_ids") or [])) for r in records]
    items = items or [sentence(text) for text in sentences(brief.get("section"))]
    if not all("paragraph" in record for record in records):
        return _regrouped(items, brief)
    groups: dict[str, Paragraph] = {}
    for record, item in zip(records, items, strict=False):
        groups.setdefault(str(record["paragraph"]), []).append(item)
    return list(groups.values())


def _regrouped(items: Paragraph, brief: Brief) -> list[Paragraph]:
    """Paragraphs again from a row of sentences: they begin where one of the emulator's own openings stands."""
    phrases = load_phrases(brief.language)
    openings = {lead for theme in phrases.themes for lead in theme.leads} | set(phrases.general["leads"])
    groups: list[Paragraph] = []
    for item in items:
        if not groups or len(groups[-1]) >= _MOST_SENTENCES or (item["text"] in openings and len(groups[-1]) > 1):
            groups.append([])
        groups[-1].append(item)
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2].extend(groups.pop())
    return groups


def sentence(text: str, *evidence_ids: str) -> dict[str, Any]:
    """A sentence as the schemas of this product want it."""
    return {"text": text, "evidence_ids": list(evidence_ids)}


def plain(text: str | None) -> dict[str, Any] | None:
    """A sentence that states no fact, or None."""
    return None if text is None else sentence(text)


def as_paragraphs(paragraphs: list[Paragraph]) -> list[dict[str, Any]]:
    """Paragraphs as objects, the empty ones left out."""
    return [{"sentences": paragraph} for paragraph in paragraphs if paragraph]


def _introduces(item: Evidence, brief: Brief) -> float:
    defines = brief.core.lower() in item.text.lower() and _DEFINES.search(" ".join(item.text.split()[:7])) is not None
    return similar(item.text, brief.topic) + defines


def _paragraph(writer: Writer, theme: Theme, evidence: list[Evidence]) -> Paragraph:
    own = _own_theme(writer, theme, evidence)
    facts = [writer.fact(item, first_in_paragraph=not position) for position, item in enumerate(evidence[:3])]
    return _kept(writer.lead(own), *facts, writer.advice(own))


def _own_theme(writer: Writer, theme: Theme, evidence: list[Evidence]) -> Theme:
    scores = writer.phrases.scores(" ".join(_texts(evidence)))
    best = max(scores, key=lambda name: scores[name])
    return writer.phrases.theme(best) if scores[best] > _CLEARLY * max(scores[theme.name], 0.5) else theme


def _reach(writer: Writer, theme: Theme, paragraphs: list[Paragraph], target: int) -> None:
    """Adds advice while words are missing, at most two pieces a paragraph, and drops advice when there are too many."""
    for paragraph in paragraphs * 2:
        if _words(paragraphs) >= target * 0.95:
            break
        more = writer.advice(theme) if len(paragraph) < _MOST_SENTENCES else None
        if more is not None:
            paragraph.append(more)
    _shorten(paragraphs, round(target * _TOO_LONG))


def _shorten(paragraphs: list[Paragraph], target: int) -> None:
    """Drops sentences that state no fact, from the end, then facts, until the words fit; one paragraph remains."""
    for keep_facts in (True, False):
        for paragraph in reversed(paragraphs):
            for item in list(reversed(paragraph)):
                if _words(paragraphs) <= target or sum(map(len, paragraphs)) <= 2:
                    return
                if not (keep_facts and item["evidence_ids"]) and len(paragraph) > (2 if keep_facts else 0):
                    paragraph.remove(item)


def _even(evidence: list[Evidence], count: int) -> list[list[Evidence]]:
    size, extra = divmod(len(evidence), count)
    cuts = [number * size + min(number, extra) for number in range(count + 1)]
    return [evidence[start:end] for start, end in pairwise(cuts)]


def _kept(*items: dict[str, Any] | None) -> Paragraph:
    return [item for item in items if item is not None]


def _words(paragraphs: list[Paragraph]) -> int:
    return sum(len(item["text"].split()) for paragraph in paragraphs for item in paragraph)


def _texts(evidence: list[Evidence]) -> list[str]:
    return [item.text for item in evidence]


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _lower_first(text: str) -> str:
    return text if text[:2].isupper() or text.split(" ", 1)[0].isupper() else text[0].lower() + text[1:]
