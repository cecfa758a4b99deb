"""Words from outside in Markdown of ours: escaped text, safe links, dates as readers write them."""

import re
from datetime import date
from typing import Literal

_SPECIAL = re.compile(r"([\\`*_\[\]~|]|<(?=[A-Za-z/!?])|&(?=#?\w+;))")
_LINE_START = re.compile(r"^(?P<number>\d*)(?P<mark>(?<=\d)[.)](?=\s)|(?<!\d)(?:#|>|[-+](?=\s)|=(?===)|-(?=--)))")


def escaped(text: str) -> str:
    """`text` on one line, with everything escaped that Markdown or HTML would read as more than text."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def as_paragraph(markdown: str) -> str:
    """A line that stays a paragraph even when it begins with "1. ", "# " or "- "."""
    return _LINE_START.sub(r"\g<number>\\\g<mark>", markdown)


def link(words: str, address: str) -> str:
    """A link on escaped words. Characters that would end the address are encoded."""
    encoded = (
        address.replace("(", "%28").replace(")", "%29").replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    )
    return f"[{escaped(words)}]({encoded})"


def readable_day(day: str | None, language: Literal["pt-BR", "en"]) -> str:
    """An ISO date or time as readers of the language write its day; what is no date as it is."""
    try:
        moment = date.fromisoformat((day or "")[:10])
    except ValueError:
        return day or ""
    return f"{moment:%d/%m/%Y}" if language == "pt-BR" else f"{moment.day} {moment:%B %Y}"
