"""Texts of a wanted length, made of whole words and, where possible, whole sentences."""

import itertools
import re
from collections.abc import Iterable, Sequence

from infra.local.emulator.language import STOP_WORDS, sentences

_CLAUSE = re.compile(r"[,;:—–](?=\s)")
_MOST_COMBINATIONS = 4000


def within(text: str, low: int, high: int) -> bool:
    """True when a text has between `low` and `high` characters."""
    return low <= len(text) <= high


def first_within(candidates: Iterable[str], low: int, high: int) -> str | None:
    """The first candidate of the right length."""
    return next((text for text in candidates if within(text, low, high)), None)


def combined(parts: Sequence[Sequence[str]], low: int, high: int, joint: str = " ") -> str | None:
    """The first combination, one of each part, of the right length."""
    products = itertools.islice(itertools.product(*parts), _MOST_COMBINATIONS)
    joined = (joint.join(piece for piece in pieces if piece) for pieces in products)
    return first_within(joined, low, high)


def fit(text: str, low: int, high: int, extras: Sequence[str] = ()) -> str:
    """The text with between `low` and `high` characters: shortened at a sentence, clause or word, or with extras added.

    When nothing fits exactly, the upper limit holds and words are repeated from the extras as far as they go.
    """
    text = " ".join(text.split())
    if within(text, low, high):
        return text
    if len(text) < low:
        return _lengthened(text, low, high, extras)
    shorter = shortened(text, high)
    return shorter if len(shorter) >= low else _lengthened(shorter, low, high, extras, at_word=text)


def shortened(text: str, high: int) -> str:
    """At most `high` characters: as many whole sentences as fit, else the text up to a clause or a word."""
    if len(text) <= high:
        return text
    kept = ""
    for sentence in sentences(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > high:
            break
        kept = longer
    if len(kept) >= high * 0.6:
        return kept
    end = "." if text.endswith(".") and high > 30 else ""
    room = high - len(end)
    clauses = [match.start() for match in _CLAUSE.finditer(text) if room * 0.7 <= match.start() <= room]
    return (text[: clauses[-1]] if clauses else _cut_at_word(text, room)) + end


def _cut_at_word(text: str, high: int) -> str:
    if len(text) <= high:
        return text
    words = text[: high + 1].split(" ")[:-1]
    while len(words) > 1 and words[-1].strip(",;:").lower() in STOP_WORDS:
        words.pop()
    return " ".join(words).rstrip(",;:—–-") if words else text[:high]


def _lengthened(text: str, low: int, high: int, extras: Sequence[str], at_word: str = "") -> str:
    for count in (1, 2, 3):
        for chosen in itertools.islice(itertools.permutations(extras, count), _MOST_COMBINATIONS):
            longer = " ".join([text, *chosen]).strip()
            if within(longer, low, high):
                return longer
    if at_word:
        return _cut(at_word, low, high)
    longer = text
    for extra in itertools.islice(itertools.cycle(extras or [text or "…"]), 200):
        if len(longer) >= low:
            break
        longer = f"{longer} {extra}".strip()
    return longer if within(longer, low, high) else _cut(longer, low, high)


def _cut(text: str, low: int, high: int) -> str:
    """At a word where that leaves enough, else wherever the limit falls."""
    cut = _cut_at_word(text, high)
    return cut if len(cut) >= low else text[:high]
