"""What a prompt asks for: its inputs by name, its language, its evidence.

Prompts hold their inputs as `<input name="topic">…</input>`; a prompt without them is read as one text.
"""

import json
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.local.emulator.language import Language, detect_language, language_of

_INPUT = re.compile(r'<input name="([^"]+)">\n?(.*?)\n?</input>', re.DOTALL)
_EMPTY = {"", "-", "–", "none", "(none)", "null", "[]", "{}", '""', "n/a", "nenhum", "nenhuma"}
_NUMBER = re.compile(r"\d+")
_ABOUT = re.compile(r"(?:sobre|about|regarding|tema|topic|assunto)[:\s]+[\"“]?([^\n\"”.?!]{3,120})", re.IGNORECASE)
_STANDARD = re.compile(
    r"\b(?:ISO(?:/IEC)?\s?\d{3,5}|RDC\s?(?:n[ºo.]+\s?)?\d{2,4}|ASTM\s?[A-Z]\d{2,4}|MDSAP|QMSR|UDI|TPLO|CMM|Anvisa|FDA)\b",
    re.IGNORECASE,
)
_QUESTION_START = re.compile(
    r"^(?:como|por que|porque|o que (?:é|são|muda(?: com)?)|quando|guia (?:de|da|do|para)?|entenda|"
    r"what is|what are|how to|how|why|when|guide to)\s+",
    re.IGNORECASE,
)
_VERB = re.compile(r"^(?:\w+(?:ar|er|ir)|choose|make|specify|select|read|judge|avoid|use)\s+", re.IGNORECASE)
_PREPOSITION = re.compile(r"^(?:com|em|de|para|por|with|in|for|to|of)\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:a|o|as|os|um|uma|the|an)\s+", re.IGNORECASE)
_LONGEST_CORE_WORDS = 5


@dataclass(frozen=True)
class Evidence:
    """Something that may be said, with the words that it rests on; `text` is its statement, if there is one."""

    id: str
    text: str
    quote: str
    source: str


class Brief:
    """The prompt of one request; `pictures` came with it."""

    def __init__(self, prompt: str, pictures: int = 0) -> None:
        self.prompt = prompt
        self.pictures = pictures
        self.inputs: dict[str, str] = {}
        for name, value in _INPUT.findall(prompt):
            self.inputs.setdefault(name.lower(), "" if value.strip().lower() in _EMPTY else value.strip())

    def get(self, *names: str) -> str:
        """The first of the inputs that is not empty."""
        return next((value for name in names if (value := self.inputs.get(name))), "")

    def number(self, *names: str, default: int) -> int:
        """The first number in an input; the mean of a range such as `180-220`."""
        found = [int(digits) for digits in _NUMBER.findall(self.get(*names))[:2]]
        if not found:
            return default
        return sum(found) // len(found) if found[-1] >= found[0] else found[0]

    def lines(self, *names: str) -> list[str]:
        """The lines of an input, or the items of a JSON list."""
        value = self.get(*names)
        if value.startswith("["):
            try:
                return [str(item) for item in json.loads(value)]
            except ValueError:
                pass
        return [line.strip(" -•\t") for line in value.splitlines() if line.strip(" -•\t")]

    def records(self, *names: str) -> list[dict[str, Any]]:
        """JSON objects of an input, one a line or in a list; lines that are none are left out."""
        value = self.get(*names)
        for candidate in ([value], value.splitlines()):
            found = [parsed for text in candidate for parsed in _objects(text)]
            if found:
                return found
        return []

    def evidence(self, *names: str) -> list[Evidence]:
        """Evidence of an input, in order, each id once."""
        found: dict[str, Evidence] = {}
        for record in self.records(*names):
            quote = _text_of(record, "quote", "text", "fact", "statement")
            text = _text_of(record, "statement", "text", "fact", "quote")
            identity = str(record.get("id", ""))
            if identity and quote and identity not in found:
                source = _text_of(record, "source", "title", "publisher", "site", "url")
                found[identity] = Evidence(identity, text, quote, source)
        return list(found.values())

    @cached_property
    def language(self) -> Language:
        """The language of the answer: the input `language`, else the prompt's own."""
        named = self.get("language", "idioma", "lang")
        return language_of(named) if named else detect_language(self.prompt)

    @property
    def topic(self) -> str:
        """What it is about, on one line."""
        return " ".join((self.get("topic", "tema", "subject", "query", "title") or self._guessed_topic).split())

    @property
    def audience(self) -> str:
        """Who it is for; empty when unknown or too long to stand in a sentence."""
        audience = " ".join(self.get("audience", "target_audience", "reader").split()).rstrip(".")
        return audience if len(audience) <= 90 else ""

    @cached_property
    def core(self) -> str:
        """The topic in at most five words: a standard's name when there is one, else its first noun phrase."""
        standard = _STANDARD.search(self.topic)
        if standard:
            return standard.group(0)
        return noun_phrase(self.topic)

    @cached_property
    def seed(self) -> int:
        """A number that is the same for the same prompt."""
        return zlib.crc32(self.prompt.encode())

    @property
    def _guessed_topic(self) -> str:
        plain = _INPUT.sub(" ", self.prompt)
        about = _ABOUT.search(plain)
        if about:
            return about.group(1)
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        return " ".join(lines[-1].split()[:14]) if lines else ""


def without_question(text: str) -> str:
    """A title without the opening of a question: "How to read a report" is about "report"."""
    bare = _QUESTION_START.sub("", text.strip())
    return _ARTICLE.sub("", _PREPOSITION.sub("", _VERB.sub("", bare))) if bare != text.strip() else text.strip()


def noun_phrase(text: str) -> str:
    """The beginning of a title as a phrase of at most five words, without a question's opening."""
    beginning = re.split(r"[:;—–(?!,]| - ", text)[0].strip().rstrip(".")
    bare = _QUESTION_START.sub("", beginning)
    if bare != beginning:
        bare = _VERB.sub("", bare)
        bare = _PREPOSITION.sub("", bare)
    bare = _ARTICLE.sub("", bare)
    words = bare.split()[:_LONGEST_CORE_WORDS]
    while len(words) > 1 and (len(words[-1]) <= 3 and words[-1].islower()):
        words.pop()
    return " ".join(words) or text[:40]


def _objects(text: str) -> list[dict[str, Any]]:
    text = text.strip().rstrip(",")
    if not text.startswith(("{", "[")):
        return []
    try:
        parsed = json.loads(text)
    except ValueError:
        return []
    items = parsed if isinstance(parsed, list) else [parsed]
    return [item for item in items if isinstance(item, dict)]


def _text_of(record: dict[str, Any], *names: str) -> str:
    return next(
        (" ".join(value.split()) for name in names if isinstance(value := record.get(name), str) and value.strip()), ""
    )
