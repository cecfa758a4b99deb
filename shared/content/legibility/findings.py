"""What is wrong with a picture, in sentences that can be given to an image model."""

from collections.abc import Sequence
from typing import Protocol

from shared.content.legibility import thresholds
from shared.content.legibility.compare import Comparison, WordReading

_MOST_WORDS = 6
_ASKED_PX = thresholds.MIN_TEXT_PX + 8


class SeenLine(Protocol):
    """A line with what was measured of it."""

    @property
    def text(self) -> str:
        """As read."""
        ...

    @property
    def em_px(self) -> float:
        """Size of type in a slide 1080 pixels wide."""
        ...

    @property
    def contrast(self) -> float:
        """WCAG ratio."""
        ...


def findings_of(
    full: Comparison, at_small: Comparison, lines: Sequence[SeenLine], extra: Sequence[str]
) -> tuple[str, ...]:
    """One sentence for each thing to change; nothing when the picture passes."""
    found: list[str] = []
    for field in full.fields:
        found.extend(_misread(field.name, field.text, full))
    if not found:
        for field in full.fields:
            found.extend(_blurred(field.name, field.text, at_small))
    if extra:
        texts = ", ".join(f"“{text}”" for text in extra[:_MOST_WORDS])
        found.append(f"Remove text that was not asked for: {texts}. Write nothing but the headline and the body.")
    found.extend(_look(line) for line in lines if _too_faint(line))
    found.extend(
        f"The text “{line.text}” is too small ({line.em_px:.0f} px): make it at least {_ASKED_PX:.0f} px high."
        for line in lines
        if line.em_px < thresholds.MIN_TEXT_PX
    )
    return tuple(found)


def _misread(name: str, text: str, full: Comparison) -> list[str]:
    if full.error_rate(name) <= thresholds.CER_FULL:
        return []
    wrong = full.wrong_words(name)
    missing = [reading for reading in wrong if not reading.read]
    if len(missing) == len(full.words[name]):
        return [f"The {name} cannot be read. Write it large and clear, exactly: “{text}”."]
    return [f"The {name} is not right: {_named(wrong)}. Write it exactly, with every accent and figure: “{text}”."]


def _blurred(name: str, text: str, at_small: Comparison) -> list[str]:
    if at_small.error_rate(name) <= thresholds.CER_SMALL or at_small.wrong_chars(name) <= thresholds.CHARS_SMALL:
        return []
    words = ", ".join(f"“{reading.token.shown}”" for reading in at_small.wrong_words(name)[:_MOST_WORDS])
    advice = f"Make its letters larger and plainer, on a quiet ground: “{text}”."
    return [f"On a telephone the {name} cannot be read ({words}). {advice}"]


def _named(wrong: Sequence[WordReading]) -> str:
    parts = [
        f"it says “{reading.read}” instead of “{reading.token.shown}”"
        if reading.read
        else f"“{reading.token.shown}” is missing"
        for reading in wrong[:_MOST_WORDS]
    ]
    return ", ".join(parts) + (" and more" if len(wrong) > _MOST_WORDS else "")


def _too_faint(line: SeenLine) -> bool:
    large = line.em_px >= thresholds.LARGE_TEXT_PX
    return line.contrast < (thresholds.CONTRAST_LARGE if large else thresholds.CONTRAST)


def _look(line: SeenLine) -> str:
    return (
        f"The text “{line.text}” does not stand out (contrast {line.contrast:.1f}:1). "
        "Put it on a plain ground, white on dark blue or dark blue on white."
    )
