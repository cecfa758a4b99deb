"""What to write into a field of a schema that no task knows, by the field's name and description."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.local.emulator.language import Language, fold, sentences
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.fit import fit
from infra.local.emulator.writing.headline import capital, excerpt, seo_description, short_topic, tags, title
from infra.local.emulator.writing.phrases import Theme, load_phrases
from infra.local.emulator.writing.planning import keywords
from infra.local.emulator.writing.prose import Writer
from infra.local.emulator.writing.restate import in_language, paraphrased
from infra.local.emulator.writing.reviewing import text_score

_RANGE = re.compile(
    r"(\d+)\s*(?:-|–|to|a|and|e|até)\s*(\d+)\s*(characters|caracteres|chars|words|palavras|sentences|frases)?",
    re.IGNORECASE,
)
_MOST = re.compile(
    r"(?:at most|no more than|up to|maximum(?: of)?|max\.?|no máximo|até|≤)\s*(\d+)\s*"
    r"(characters|caracteres|chars|words|palavras)?",
    re.IGNORECASE,
)
_CHARACTERS_A_WORD = 6
_LONG_FIELDS = ("content", "article", "markdown", "text", "answer", "report", "essay")


class FieldWriter:
    """Texts and numbers for fields, without repeating itself within one answer."""

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.phrases = load_phrases(brief.language)
        self.writer = Writer(brief)
        self._facts = iter(in_language(brief.evidence("evidence", "facts", "company_facts", "quotes"), brief.language))
        self._used = 0

    def text(self, name: str, description: str, low: int, high: int) -> str:
        """A text for the field within its limits in characters."""
        low, high = _limits(description, low, high)
        handler = next((handler for pattern, handler in _TEXTS if re.search(pattern, name)), None)
        words = handler(Wanted(self, low, high)) if handler else self.prose(name, description, high)
        return fit(words, low, high, self._extras())

    def number(self, name: str) -> float | None:
        """A number for the field, or None when only its range is known."""
        if re.search(r"score|rating|nota|grade", name):
            draft = self.brief.get("draft", "text", "content", "article")
            return text_score(draft or self.brief.prompt, self.brief)
        if re.search(r"count|number|quantity|total", name):
            return self.brief.number(name, default=1)
        return None

    def truth(self, name: str) -> bool:
        """A truth value for the field: problems are not found unless they are measured."""
        return not re.search(r"forbidden|error|problem|violat|blocked|unsafe|reject|missing|urgent", name)

    def choice(self, options: list[Any], name: str) -> Any:
        """One of an enumeration: the one that the prompt names, else a neutral one, else the first."""
        given = fold(self.brief.get(name))
        for option in options:
            if given and fold(str(option)) == given:
                return option
        plain = fold(self.brief.prompt)
        named = [
            option
            for option in options
            if len(str(option)) > 3 and re.search(rf"\b{re.escape(fold(str(option)))}\b", plain)
        ]
        neutral = [option for option in options if str(option).lower() in {"none", "nenhum", "neutral", "ok", "medium"}]
        return (neutral or named or options)[0]

    def items(self, name: str) -> list[Any] | None:
        """All items of a list of texts, or None when each is written by itself."""
        if re.search(r"keyword|palavras?_chave", name):
            return keywords(self.brief, self.phrases)
        if re.search(r"^tags?$|hashtags", name):
            found = tags(self.brief, keywords(self.brief, self.phrases))
            return [f"#{''.join(capital(word) for word in tag.split())}" for tag in found] if "hash" in name else found
        if re.search(r"(evidence|source|quote)_?ids?$|citations", name):
            return [item.id for item in self.brief.evidence("evidence", "facts")][:3]
        if re.search(r"quer(y|ies)", name):
            return [query for theme in self.phrases.ranked_themes(self.brief.prompt)[:4] for query in theme.queries[:1]]
        return None

    def prose(self, name: str, description: str, high: int) -> str:
        """Sentences from the evidence, else the emulator's own words about the themes of the prompt."""
        fact = next(self._facts, None)
        theme = self.phrases.theme_of(f"{name} {description}", self.brief.topic, fact.text if fact else "")
        said = [paraphrased(fact.text, self.brief.language, self._used)] if fact else []
        wanted = 6 if any(part in name for part in _LONG_FIELDS) and high > 400 else 1
        for _ in range(wanted):
            self._used += 1
            sentence = self.writer.advice(theme) if self._used % 2 else self.writer.lead(theme)
            said += [sentence["text"]] if sentence else []
        return " ".join(said) or short_topic(self.brief, high)

    def next_theme(self) -> Theme:
        """The next of the prompt's themes, in turn."""
        ranked = self.phrases.ranked_themes(f"{self.brief.topic} {self.brief.get('angle', 'evidence')}")
        self._used += 1
        return ranked[self._used % len(ranked)] if ranked else self.phrases.themes[0]

    def _extras(self) -> list[str]:
        return [
            *self.phrases.general["seo_ends"],
            *(line for line in sentences(" ".join(self.phrases.general["closings"]))),
        ]


def listed(description: str, low: int, high: int) -> int:
    """How many items a list should have: what its description asks for, within the schema's limits."""
    found = _RANGE.search(description)
    wanted = (int(found[1]) + int(found[2])) // 2 if found and int(found[2]) <= 50 else 3
    return max(low, min(high, wanted))


def _limits(description: str, low: int, high: int) -> tuple[int, int]:
    found = _RANGE.search(description)
    if found and int(found[2]) > int(found[1]):
        scale = _scale(found[3])
        return max(low, int(found[1]) * scale), max(low, min(high, int(found[2]) * scale))
    most = _MOST.search(description)
    return (low, max(low, min(high, int(most[1]) * _scale(most[2])))) if most else (low, high)


def _scale(unit: str | None) -> int:
    if unit is None or unit.lower().startswith("c"):
        return 1
    return _CHARACTERS_A_WORD if unit.lower().startswith(("w", "p")) else 120


@dataclass(frozen=True)
class Wanted:
    """A text that is wanted: who writes it, and its limits in characters."""

    writer: FieldWriter
    low: int
    high: int

    @property
    def brief(self) -> Brief:
        """The prompt."""
        return self.writer.brief

    @property
    def theme(self) -> Theme:
        """A theme of the prompt, another one each time."""
        return self.writer.next_theme()

    def said(self, *banks: Sequence[str]) -> str:
        """A phrase not used before, else a sentence of the prompt's own subject."""
        return self.writer.writer.picker.pick(*banks) or self.writer.prose("", "", self.high)

    def general(self, name: str) -> list[str]:
        """A bank of phrases that belong to no theme."""
        return self.writer.phrases.general[name]


def _title(wanted: Wanted) -> str:
    return title(wanted.brief, max(wanted.low, min(20, wanted.high)), min(wanted.high, 70))


def _seo_title(wanted: Wanted) -> str:
    return title(wanted.brief, max(wanted.low, 30), min(wanted.high, 59), shift=1)


def _seo_description(wanted: Wanted) -> str:
    return seo_description(wanted.brief, max(wanted.low, 150), min(wanted.high, 160))


def _excerpt(wanted: Wanted) -> str:
    return excerpt(wanted.brief, max(wanted.low, min(140, wanted.high)), min(wanted.high, 250))


def _angle(wanted: Wanted) -> str:
    reader = wanted.brief.audience or wanted.writer.phrases.general["reader"]
    return wanted.brief.get("angle") or wanted.said(wanted.general("angles")).format(audience=reader)


def _call(wanted: Wanted) -> str:
    return wanted.brief.get("call_to_action", "cta_action", "cta") or wanted.said(wanted.general("calls"))


def _audience(wanted: Wanted) -> str:
    return wanted.brief.get("audience", "target_audience", "persona") or wanted.writer.phrases.general["reader"]


def _identifier(wanted: Wanted) -> str:
    return next((item.id for item in wanted.brief.evidence("evidence", "facts")), "E1")


def _hashtag(wanted: Wanted) -> str:
    return "#" + "".join(capital(word) for word in wanted.theme.tag.split())


# By the field's name, the first that fits.
_TEXTS: tuple[tuple[str, Callable[[Wanted], str]], ...] = (
    (r"seo_?title", _seo_title),
    (r"seo_?desc|meta_?desc", _seo_description),
    (r"title|headline|subject|^name$|^nome$", _title),
    (r"heading|^label$", lambda wanted: wanted.said(wanted.theme.headings, wanted.general("title_endings"))),
    (r"purpose|goal|objective", lambda wanted: wanted.said(wanted.theme.purposes)),
    (r"excerpt|summary|resumo", _excerpt),
    (r"angle|thesis", _angle),
    (r"call_to_action|^cta", _call),
    (r"alt_?text|caption_alt", lambda wanted: capital(wanted.theme.scene)),
    (r"scene|visual|image_?prompt|image_?desc|^prompt$|illustration", lambda wanted: wanted.theme.scene),
    (r"quer(y|ies)", lambda wanted: wanted.said(wanted.theme.queries)),
    (r"question", lambda wanted: wanted.said(wanted.theme.questions)),
    (r"hashtag", _hashtag),
    (r"keyword|^tag$|categor", lambda wanted: wanted.brief.get("category") or wanted.theme.tag),
    (r"topic|tema|assunto", lambda wanted: wanted.brief.topic),
    (r"audience|publico|persona", _audience),
    (r"language|idioma", lambda wanted: wanted.brief.get("language") or _TAGS[wanted.brief.language]),
    (r"(^|_)ids?$", _identifier),
    (r"url|link|href", lambda wanted: wanted.brief.get("url", "link")),
    (r"date|_at$", lambda _: datetime.now(UTC).date().isoformat()),
    (r"hook", lambda wanted: wanted.said(wanted.general("hooks"))),
)
_TAGS: dict[Language, str] = {"pt": "pt-BR", "en": "en"}
