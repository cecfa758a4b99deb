"""Whether a sentence and the quotes behind it agree in figures and named standards: arithmetic, not judgement."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBER = re.compile(
    r"(?<![\w.,/])(?<![A-Za-z]-)(?P<number>\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d+(?:[.,]\d+)*)"
    r"(?:\s?(?P<unit>%|µm|μm|um\b|mm²|mm\b|cm\b|m²|m2\b|rpm\b|°\s?C\b|kg\b|MPa\b|GPa\b|[A-Za-zÀ-ÿ]+))?"
)
_THOUSANDS_GROUP = 3
# A clean-room class ("ISO 7", "ISO class 7", "classe ISO 7") is no standard of that number.
_CLEAN_ROOM = re.compile(r"\bISO\s+(?:class|classe)?\s*(?P<level>[1-9])\b(?![\d.:,-]\d)", re.IGNORECASE)
_STANDARD = re.compile(
    r"\b(?P<body>ISO(?:\s?/\s?(?:TS|TR|IEC|ASTM))?|IEC|ASTM|EN|NBR|DIN|RDC|AAMI|ANSI|CFR)(?:\s+ISO)?\s*"
    r"(?:n[.ºo°]*\s*)?(?P<number>[A-Z]?\d[\d.]*(?:-\d+)*)(?P<year>(?::|/|-)(?:19|20)\d\d\b)?",
)
_UNITS = {
    "%": ("%", "percent"),
    "µm": ("µm", "μm", "um", "micrometro", "micrometros", "micrômetro", "micrômetros", "micrometre", "micrometres"),
    "mm": ("mm", "milímetro", "milímetros", "millimetre", "millimetres"),
    "m²": ("m²", "m2"),
    "year": ("ano", "anos", "year", "years"),
    "month": ("mês", "meses", "month", "months"),
    "day": ("dia", "dias", "day", "days"),
    "hour": ("hora", "horas", "hour", "hours"),
    "million": ("milhão", "milhões", "million"),
}
_PER_CENT = re.compile(r"\s(?:por cento|per cent)\b", re.IGNORECASE)
_NUMBER_WORDS = {
    word: value
    for value, words in enumerate(
        (
            "two dois duas",
            "three três",
            "four quatro",
            "five cinco",
            "six seis",
            "seven sete",
            "eight oito",
            "nine nove",
            "ten dez",
            "eleven onze",
            "twelve doze",
        ),
        start=2,
    )
    for word in words.split()
}
_WORD = re.compile(r"[^\W\d_]+")
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as written, the values it may stand for ("1.500" is 1500 or 1.5), and its unit if it is a known one."""

    written: str
    values: frozenset[float]
    unit: str | None

    def agrees_with(self, other: "Figure") -> bool:
        """Same value, and same unit where both name one."""
        same_unit = self.unit is None or other.unit is None or self.unit == other.unit
        return same_unit and not self.values.isdisjoint(other.values)


def figures(text: str) -> list[Figure]:
    """The numbers in `text` that say how much or when. Names like M32 and numbers of standards are none."""
    text = _PER_CENT.sub("%", _CLEAN_ROOM.sub(" ", text))
    without_names = _STANDARD.sub(lambda match: f" {(match['year'] or '')[1:]} ", text)
    return [
        Figure(match["number"], _values(match["number"]), _UNIT_OF.get((match["unit"] or "").lower()))
        for match in _NUMBER.finditer(without_names)
    ]


def standards(text: str) -> set[str]:
    """Standards and resolutions named in `text`, without their year: {"ISO 13485", "RDC 665", "ISO class 7"}."""
    found = {f"ISO class {match['level']}" for match in _CLEAN_ROOM.finditer(text)}
    rest = _CLEAN_ROOM.sub(" ", text)
    for match in _STANDARD.finditer(rest):
        body = "ISO" if "ISO" in match[0] else match["body"]
        found.add(f"{body} {match['number'].rstrip('.-')}")
    return found


def missing_details(sentence: str, quotes: Iterable[str]) -> list[str]:
    """Figures and standards of `sentence` that none of the `quotes` has, as written; empty when all agree.

    A quote may spell a small number out where the sentence has digits.
    """
    quotes = list(quotes)
    known_figures = [figure for quote in quotes for figure in [*figures(quote), *_spelled_out(quote)]]
    known_standards = {name for quote in quotes for name in standards(quote)}
    missing = [
        figure.written for figure in figures(sentence) if not any(figure.agrees_with(known) for known in known_figures)
    ]
    missing += [name for name in sorted(standards(sentence)) if not is_named(name, known_standards)]
    return missing


def is_named(standard: str, known: Iterable[str]) -> bool:
    """True when `known` has the standard or a part of it: "ISO 14644" where "ISO 14644-1" is known, not the reverse."""
    return any(name == standard or name.startswith(f"{standard}-") for name in known)


def _spelled_out(text: str) -> list[Figure]:
    words = [word.lower() for word in _WORD.findall(text)]
    return [Figure(word, frozenset({float(_NUMBER_WORDS[word])}), None) for word in words if word in _NUMBER_WORDS]


def _values(number: str) -> frozenset[float]:
    digits = re.sub(r"[ \u00a0\u202f]", "", number)
    separators = [character for character in digits if character in ".,"]
    if not separators:
        return frozenset({float(digits)})
    whole, _, last = digits.rpartition(separators[-1])
    without = re.sub(r"[.,]", "", whole)
    grouped = float(without + last)
    decimal = float(f"{without}.{last}")
    if len(separators) > 1 and len(set(separators)) == 1:
        return frozenset({grouped})
    if len(last) == _THOUSANDS_GROUP and len(separators) == 1 and without != "0":
        return frozenset({grouped, decimal})
    return frozenset({decimal})
