"""A line that was read, laid over the text that was expected: where it fits with the fewest wrong characters."""

from dataclasses import dataclass
from functools import cache

from shared.content.legibility.slide_text import UNKNOWN_TO_TESSERACT, same, silent

SEPARATOR = "\n"  # between headline and body: no line crosses it

# In tenths of a wrong character.
_WRONG = 10
_LOST = 7  # less than a wrong one: a word that is missing is stepped over, its neighbours are not bent into its place
_SILENT = 2
_TAKEN = 25  # a place that another line has already: one text is not on the picture twice by being read once
_NEVER = 10_000


@dataclass(frozen=True)
class Pair:
    """One step: an expected character beside the one read in its place. None: lost, or read where nothing should be."""

    expected: int | None
    read: int | None


@dataclass(frozen=True)
class Fit:
    """The best place of a line. `cost` in wrong characters; `pairs` in order, each index of the line once."""

    cost: float
    pairs: tuple[Pair, ...]


def fit(line: str, expected: str, taken: list[bool]) -> Fit:
    """The part of `expected` that `line` is most like: the whole line against any part (Sellers' algorithm).

    Source: P. H. Sellers, The theory and computation of evolutionary distances, Journal of Algorithms 1 (1980).
    """
    width = len(expected) + 1
    rows = [[0] * width]
    skips = [_skip(char) for char in expected]
    for char in line:
        above = rows[-1]
        added = _added(char)
        row = [above[0] + added]
        for place, wanted in enumerate(expected):
            change = _TAKEN if taken[place] else _change(wanted, char)
            best = above[place] + change
            if (lost := row[place] + skips[place]) < best:
                best = lost
            if (extra := above[place + 1] + added) < best:
                best = extra
            row.append(best)
        rows.append(row)
    end = min(range(width), key=lambda place: rows[-1][place])
    return Fit(rows[-1][end] / _WRONG, _path(rows, line, expected, skips, taken, end))


def _path(
    rows: list[list[int]], line: str, expected: str, skips: list[int], taken: list[bool], end: int
) -> tuple[Pair, ...]:
    pairs: list[Pair] = []
    read, place = len(line), end
    while read:
        here = rows[read][place]
        if place:
            change = _TAKEN if taken[place - 1] else _change(expected[place - 1], line[read - 1])
            if here == rows[read - 1][place - 1] + change:
                read, place = read - 1, place - 1
                pairs.append(Pair(place, read))
                continue
            if here == rows[read][place - 1] + skips[place - 1]:
                place -= 1
                pairs.append(Pair(place, None))
                continue
        read -= 1
        pairs.append(Pair(None, read))
    return tuple(reversed(pairs))


@cache
def _change(wanted: str, read: str) -> int:
    if wanted == SEPARATOR:
        return _NEVER
    if same(wanted, read):
        return 0
    return _SILENT if silent(wanted) and silent(read) else _WRONG


@cache
def _skip(wanted: str) -> int:
    if wanted == SEPARATOR:
        return _NEVER
    return _SILENT if silent(wanted) or wanted in UNKNOWN_TO_TESSERACT else _LOST


@cache
def _added(read: str) -> int:
    return _SILENT if silent(read) else _WRONG
