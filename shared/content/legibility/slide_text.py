"""What a slide should say, and which characters a reader takes for the same when that is compared."""

import unicodedata
from dataclasses import dataclass
from functools import cached_property

# Tesseract's two languages do not know all of these, so what they are read as is taken for them: a text may not be
# refused for a character that our reader cannot see. "" means that nothing was read. Anything else is an error.
UNKNOWN_TO_TESSERACT = {
    "µ": "uyphj",
    "±": "+*tf4#",
    "²": "?2*\"'°ºrm",
    "³": "?38*\"'°º",
    "×": "x*",
    "ø": "@o0982dqg6",
    "≥": ">2=z",
    "≤": "<s=c",
    "→": ">-+",
    "•": "*·.e-",
    "·": ".-*",
    "√": "vy",
    "≠": "+=#",
    "≈": "=~-",
    "Δ": "a4",
    "°": "ºo*0\"'“c",
    "º": "°o*0\"'",
    "ª": "*a°º\"'",
    "™": "*t\"'",
    "®": "*oe©&",
    "©": "*oe®&",
    "½": "2",
    "#": "4h",
    "@": "oda0q",
    "<": "-«",
    ">": "-»",
    "=": "-",
}
_SAME = [set("Il|1"), set("O0oº"), set("iíìl|")]
_SPELLED = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "´": "'", "`": "'",
        "–": "-", "—": "-", "−": "-", "‑": "-", "‐": "-", "…": "...", "μ": "µ", "Ø": "ø", "∅": "ø", "⌀": "ø", "￼": "",
    }
)  # fmt: skip
_SILENT = set("\"'.,;:!?-()[]{}*_~^/\\|·•")


@dataclass(frozen=True)
class SlideText:
    """What a slide should say. `allowed_extra`: texts that may be there besides, such as the logo's letters."""

    headline: str
    body: str = ""
    allowed_extra: tuple[str, ...] = ("LM",)


@dataclass(frozen=True)
class Token:
    """A word of the expected text. `core`: start and end, in the field's characters, of what must be right in it."""

    shown: str
    start: int
    end: int
    core: tuple[int, int]


@dataclass(frozen=True)
class Field:
    """Headline or body, made comparable: `chars` without whitespace, and the tokens that they belong to."""

    name: str
    text: str

    @cached_property
    def chars(self) -> str:
        """The characters that are compared."""
        return plain(self.text)

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The words, with their places in `chars`."""
        found: list[Token] = []
        start = 0
        for shown in self.text.split():
            chars = plain(shown)
            if not chars:
                continue
            lead = next((place for place, char in enumerate(chars) if char not in _SILENT), len(chars))
            trail = next((place for place, char in enumerate(reversed(chars)) if char not in _SILENT), 0)
            core = (start + lead, max(start + lead, start + len(chars) - trail))
            found.append(Token(shown, start, start + len(chars), core))
            start += len(chars)
        return tuple(found)


def plain(text: str) -> str:
    """Accents composed; quotation marks and dashes of one kind; no whitespace, emoji or other pictographs.

    Case stays here and is folded when characters are compared: capitals are a matter of style. Whitespace is not
    compared, since tesseract guesses it.
    """
    composed = unicodedata.normalize("NFC", text).translate(_SPELLED)
    return "".join(
        char
        for char in composed
        if not char.isspace()
        and (char in UNKNOWN_TO_TESSERACT or unicodedata.category(char)[0] in "LNP" or char in "+<>=%$|^~")
    )


def silent(char: str) -> bool:
    """Punctuation: it counts inside a figure or a word, and not at its edges, where tesseract invents and loses it."""
    return char in _SILENT


def same(expected: str, read: str) -> bool:
    """True when a reader takes one character for the other: equal but for case, alike, or unknown to tesseract."""
    if expected == read or expected.casefold() == read.casefold():
        return True
    if read.casefold() in UNKNOWN_TO_TESSERACT.get(expected, ""):
        return True
    return any(expected in group and read in group for group in _SAME)
