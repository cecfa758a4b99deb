"""Text that nobody asked for, told from what tesseract sees in photographs."""

from difflib import SequenceMatcher

from PIL import Image

from shared.content.legibility import thresholds
from shared.content.legibility.compare import Comparison
from shared.content.legibility.contrast import look_of
from shared.content.legibility.ocr import Line, Word
from shared.content.legibility.slide_text import SlideText, plain

_DESIGNED_FOR = 1080


def extra_text(full: Comparison, at_small: Comparison, expected: SlideText, picture: Image.Image) -> tuple[str, ...]:
    """What is on the picture besides the text and what is allowed. `picture`: RGB, the one that `full` was read in."""
    allowed = {_letters(text) for text in expected.allowed_extra}
    small = [_letters(line.text) for line in at_small.extra]
    lines = [
        line.text
        for line in full.extra
        if (letters := _letters(line.text)) not in allowed
        and len(letters) >= thresholds.EXTRA_FEWEST_CHARS
        and line.confidence >= thresholds.EXTRA_CONFIDENCE
        and any(SequenceMatcher(None, letters, other).ratio() >= thresholds.EXTRA_ALIKE for other in small)
        and _size(picture, line) >= thresholds.MIN_TEXT_PX
    ]
    return (*lines, *(word.text for word in full.intruders if _intrudes(word, full, allowed)))


def _intrudes(word: Word, full: Comparison, allowed: set[str]) -> bool:
    letters = _letters(word.text)
    if letters in allowed or not letters:
        return False
    repeats = any(letters == _letters(token.shown) for field in full.fields for token in field.tokens)
    long_enough = len(letters) >= thresholds.EXTRA_FEWEST_CHARS
    return repeats or (long_enough and word.confidence >= thresholds.INTRUDER_CONFIDENCE)


def _size(picture: Image.Image, line: Line) -> float:
    return look_of(picture, line).em_px * _DESIGNED_FOR / picture.width


def _letters(text: str) -> str:
    return "".join(char for char in plain(text).casefold() if char.isalnum())
