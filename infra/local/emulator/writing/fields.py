"""What to write into a field of a schema that no task knows, by the field's name and description."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from infra.local.emulator.language import fold, sentences
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.fit import fit, shortened
from infra.local.emulator.writing.headline import capital, excerpt, seo_description, short_topic, tags, title
from infra.local.emulator.writing.phrases import load_phrases
from infra.local.emulator.writing.planning import keywords
from infra.local.emulator.writing.prose import Writer
from infra.local.emulator.writing.restate import in_language, paraphrased
from infra.local.emulator.writing.reviewing import text_score

_RANGE = re.compile(r"(\d+)\s*(?:-|–|to|a|and|e|até)\s*(\d+)\s*(characters|caracteres|chars|words|palavras|sentences|frases)?", re.IGNORECASE)
_MOST = re.compile(
    r"(?:at most|no more than|up to|maximum(?: of)?|max\.?|no máximo|até|≤)\s*(\d+)\s*(characters|caracteres|chars|words|palavras)?", re.IGNORECASE
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
        words = handler(self, low, high) if handler else self.prose(name, description, high)
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
        named = [option for option in options if len(str(option)) > 3 and re.search(rf"\b{re.escape(fold(str(option)))}\b", plain)]
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

    def given(self, *names: str) -> str:
        """An input of the prompt."""
        return self.brief.get(*names)

    def _extras(self) -> list[str]:
        return [*self.phrases.general["seo_ends"], *(line for line in sentences(" ".join(self.phrases.general["closings"])))]


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


_Handler = Callable[[FieldWriter, int, int], str]

# By the field's name, the first that fits.
_TEXTS: tuple[tuple[str, _Handler], ...] = (
    (r"seo_?title", lambda w, low, high: title(w.brief, max(low, 30), min(high, 59), shift=1)),
    (r"seo_?desc|meta_?desc", lambda w, low, high: seo_description(w.brief, max(low, 150), min(high, 160))),
    (r"title|headline|subject|^name$|^nome$", lambda w, low, high: title(w.brief, max(low, min(20, high)), min(high, 70))),
    (r"heading|^label$", lambda w, low, high: w.writer.picker.pick(_theme(w).headings, w.phrases.general["title_endings"]) or ""),
    (r"purpose|goal|objective", lambda w, low, high: w.writer.picker.pick(_theme(w).purposes) or w.prose("purpose", "", high)),
    (r"excerpt|summary|resumo", lambda w, low, high: excerpt(w.brief, max(low, min(140, high)), min(high, 250))),
    (r"angle|thesis", lambda w, low, high: w.given("angle") or (w.writer.picker.pick(w.phrases.general["angles"]) or "").format(audience=w.brief.audience or w.phrases.general["reader"])),
    (r"call_to_action|^cta", lambda w, low, high: w.given("call_to_action", "cta_action", "cta") or w.writer.picker.pick(w.phrases.general["calls"]) or ""),
    (r"alt_?text|caption_alt", lambda w, low, high: capital(_theme(w).scene)),
    (r"scene|visual|image_?prompt|image_?desc|^prompt$|illustration", lambda w, low, high: _theme(w).scene),
    (r"quer(y|ies)", lambda w, low, high: w.writer.picker.pick(_theme(w).queries) or shortened(w.brief.topic, high)),
    (r"question", lambda w, low, high: w.writer.picker.pick(_theme(w).questions) or w.prose("question", "", high)),
    (r"hashtag", lambda w, low, high: "#" + "".join(capital(word) for word in _theme(w).tag.split())),
    (r"keyword|^tag$|categor", lambda w, low, high: w.given("category") or _theme(w).tag),
    (r"topic|tema|assunto", lambda w, low, high: w.brief.topic),
    (r"audience|publico|persona", lambda w, low, high: w.given("audience", "target_audience", "persona") or w.phrases.general["reader"]),
    (r"language|idioma|locale", lambda w, low, high: w.given("language") or ("en" if w.brief.language == "en" else "pt-BR")),
    (r"(^|_)ids?$", lambda w, low, high: next((item.id for item in w.brief.evidence("evidence", "facts")), "E1")),
    (r"url|link|href", lambda w, low, high: w.given("url", "link")),
    (r"date|_at$", lambda w, low, high: datetime.now(UTC).date().isoformat()),
    (r"hook", lambda w, low, high: w.writer.picker.pick(w.phrases.general["hooks"]) or ""),
)  # fmt: skip


def _theme(writer: FieldWriter) -> Any:
    ranked = writer.phrases.ranked_themes(f"{writer.brief.topic} {writer.brief.get('angle', 'evidence')}")
    writer._used += 1  # noqa: SLF001 - part of the same writer, outside the class only to be named in the table
    return ranked[writer._used % len(ranked)] if ranked else writer.phrases.themes[0]  # noqa: SLF001
