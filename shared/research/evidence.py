"""Evidence: exact words with their source. What cannot be found word for word in its page is not evidence."""

import re
from typing import Literal

from pydantic import BaseModel

MIN_QUOTE_CHARS = 25
MAX_QUOTE_CHARS = 600

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－"), "-")
_QUOTES = dict.fromkeys(map(ord, "“”„‟«»〝〞＂"), '"') | dict.fromkeys(map(ord, "‘’‚‛′´`"), "'")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"), "")
_FOLD = _DASHES | _QUOTES | _INVISIBLE
_AROUND_A_QUOTE = " \"'…"


class Evidence(BaseModel):
    """One thing that a draft may say, with the words that it rests on.

    `id` is E1, E2, … for quotes from the web, and C… (company fact) or P… (product) for the company's own records.
    `statement` is the quote's content in the draft's language; `fetched_at` is ISO 8601; records have no `url`, `site`
    and `fetched_at`.
    """

    id: str
    origin: Literal["web", "company"]
    quote: str
    statement: str
    title: str
    url: str | None = None
    site: str | None = None
    published: str | None = None
    fetched_at: str | None = None


def find_quote(quote: str, text: str) -> str | None:
    """The words of `text` that `quote` repeats, as `text` spells them; None when it does not repeat them.

    Runs of white space, kinds of dashes and of quotation marks, and invisible characters may differ; nothing else. A
    quote must have 25 to 600 characters and begin and end at word boundaries.
    """
    wanted = _fold(quote)[0].strip(_AROUND_A_QUOTE)
    if not MIN_QUOTE_CHARS <= len(wanted) <= MAX_QUOTE_CHARS:
        return None
    folded, positions = _fold(text)
    match = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded)
    if match is None:
        return None
    return text[positions[match.start()] : positions[match.end() - 1] + 1]


def same_words(quote: str) -> str:
    """A key under which two quotes are the same when only case, white space or dashes differ."""
    return _fold(quote)[0].casefold()


def _fold(text: str) -> tuple[str, list[int]]:
    """`text` with spelling differences that do not matter removed, and for each character its position in `text`."""
    folded: list[str] = []
    positions: list[int] = []
    for position, character in enumerate(text):
        replaced = _FOLD.get(ord(character), character)
        if replaced.isspace():
            if not folded or folded[-1] == " ":
                continue
            replaced = " "
        if replaced:
            folded.append(replaced)
            positions.append(position)
    if folded and folded[-1] == " ":
        folded.pop()
        positions.pop()
    return "".join(folded), positions
