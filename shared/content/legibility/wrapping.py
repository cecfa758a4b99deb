"""Lines of even length: no word alone at the end, no figure parted from its unit."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from PIL import ImageFont

from shared.content.legibility.typeface import inter

_UNIT = re.compile(r"^(?:[µμmcn]?m[²³]?|mm|%|°C?|rpm|h|s|kg|g|N|MPa|HV|eixos|axes|anos|years|dias|days|×|x)[.,;:)!?]*$")
_BINDS_NEXT = re.compile(r"^(?:[<>≤≥±×+=→&–—-]|ISO|RDC|Ra|HV|Ø|FDA|IEC|ASTM|classe|class|R\$|US\$|n[ºo°]\.?)$")
_BINDS_BEFORE = re.compile(r"^[<>≤≥±×+=&/–—-]+$")
_WEAK_ENDS = {
    *("a", "o", "e", "é", "ou", "de", "da", "do", "das", "dos", "em", "no", "na", "um", "uma", "que", "com", "por"),
    *("para", "as", "os", "à", "ao", "se", "the", "an", "of", "in", "to", "and", "or", "for", "is", "by"),
}
_RUPTURE = 4.0
_WEAK_END = 0.05
_LONELY = 0.12


@dataclass(frozen=True)
class Block:
    """Text set in lines of one size. `height`: pixels from the top of the first line to the bottom of the last."""

    lines: tuple[str, ...]
    size: int
    weight: int
    leading: float

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """The typeface at its size."""
        return inter(self.size, self.weight)

    @property
    def height(self) -> int:
        """Pixels."""
        return round(self.size * self.leading * len(self.lines)) if self.lines else 0

    @property
    def width(self) -> float:
        """Pixels of the longest line."""
        return max((self.font.getlength(line) for line in self.lines), default=0.0)


@dataclass(frozen=True)
class Type:
    """How a block may be set: sizes in pixels an em, weight 100-900, leading in ems."""

    largest: int
    smallest: int
    weight: int
    leading: float


def largest_block(text: str, kind: Type, width: int, height: int, most_lines: int = 12) -> Block | None:
    """The text as large as the box allows, its lines balanced; None when it does not fit at the smallest size."""
    if not text:
        return Block((), kind.smallest, kind.weight, kind.leading)
    for size in range(kind.largest, kind.smallest - 1, -2):
        lines = balanced(text, inter(size, kind.weight), width)
        if lines is None or len(lines) > most_lines:
            continue
        block = Block(lines, size, kind.weight, kind.leading)
        if block.height <= height:
            return block
    return None


def balanced(text: str, font: ImageFont.FreeTypeFont, width: int) -> tuple[str, ...] | None:
    """The fewest lines that are no wider than `width`, as even as possible; None when a word is wider."""
    words = text.split()
    lengths = [font.getlength(word) for word in words]
    if not words or max(lengths) > width:
        return None
    space = font.getlength(" ")
    fewest = _greedy(lengths, space, width)
    for count in (fewest, fewest + 1):
        cost, breaks = _best(words, lengths, space, width, count)
        if cost < _RUPTURE or count > fewest:
            break
    if not breaks:
        cost, breaks = _best(words, lengths, space, width, fewest)
    edges = [0, *breaks, len(words)]
    return tuple(" ".join(words[start:end]) for start, end in pairwise(edges))


def _greedy(lengths: list[float], space: float, width: int) -> int:
    count, used = 1, 0.0
    for length in lengths:
        if used and used + space + length > width:
            count, used = count + 1, length
        else:
            used += (space if used else 0) + length
    return count


def _best(
    words: list[str], lengths: list[float], space: float, width: int, count: int
) -> tuple[float, tuple[int, ...]]:
    """Cost and places of the breaks of the best setting in exactly `count` lines (infinite when there is none)."""
    goal = min(float(width), (sum(lengths) + space * (len(words) - count)) / count)

    @cache
    def rest(start: int, left: int) -> tuple[float, tuple[int, ...]]:
        best: tuple[float, tuple[int, ...]] = (float("inf"), ())
        used = -space
        for end in range(start + 1, len(words) + 1):
            used += space + lengths[end - 1]
            if used > width:
                break
            cost = ((used - goal) / width) ** 2
            if left == 1:
                if end == len(words):
                    lonely = _LONELY if end - start == 1 and count > 1 else 0.0
                    best = min(best, (cost + lonely, ()))
                continue
            if end < len(words):
                later, breaks = rest(end, left - 1)
                best = min(best, (cost + _break_cost(words[end - 1], words[end]) + later, (end, *breaks)))
        return best

    return rest(0, count)


def _break_cost(before: str, after: str) -> float:
    """What it costs to end a line between two words."""
    figure = any(char.isdigit() for char in before)
    if (figure and _UNIT.match(after)) or _BINDS_NEXT.match(before) or _BINDS_BEFORE.match(after):
        return _RUPTURE
    return _WEAK_END if before.casefold() in _WEAK_ENDS else 0.0
