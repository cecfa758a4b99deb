"""The legibility gate: reads a picture back and says whether it says what it should, and what to change if not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from shared.content.legibility import thresholds
from shared.content.legibility.compare import Comparison, compare, merge
from shared.content.legibility.contrast import LineLook, look_of
from shared.content.legibility.extra import extra_text
from shared.content.legibility.findings import findings_of
from shared.content.legibility.ocr import Line, Tesseract
from shared.content.legibility.picture import open_picture, resized
from shared.content.legibility.rereading import doubtful_lines, sheet_of
from shared.content.legibility.slide_text import SlideText

_DESIGNED_FOR = 1080
_ENLARGED = 2.0  # the small picture is read enlarged: tesseract likes letters of 20 pixels and more; no detail is added


@dataclass(frozen=True)
class ReportLine:
    """A line of the slide's text. `em_px` and `contrast` as in LineLook, `em_px` for a slide 1080 pixels wide."""

    text: str
    field: str
    confidence: float
    box: tuple[int, int, int, int]
    em_px: float
    contrast: float


@dataclass(frozen=True)
class LegibilityReport:
    """What the gate found. Error rates are characters wrong for each expected one, of the worse field.

    `findings`: sentences that an image model can act on; none exactly when `passed`. `lines` have the picture's pixels.
    `min_text_height_px`: smallest size of type in a slide 1080 pixels wide; `min_contrast`: WCAG ratio; 0 wit0 if none.
    """

    passed: bool
    cer_full: float
    cer_small: float
    findings: tuple[str, ...]
    lines: tuple[ReportLine, ...]
    extra: tuple[str, ...]
    min_text_height_px: float
    min_contrast: float


class LegibilityGate:
    """Checks pictures with one tesseract."""

    def __init__(self, tesseract: Tesseract) -> None:
        self._tesseract = tesseract

    async def check(self, data: bytes, expected: SlideText) -> LegibilityReport:
        """Reads a picture (PNG, JPEG or WebP) at its full size and at 40 % and compares it with the text.

        Raises:
            PictureUnreadable: the bytes are no picture.
            OcrFailed: tesseract is missing or did not answer; says nothing about the picture.
        """
        picture = await asyncio.to_thread(open_picture, data)
        grey = await asyncio.to_thread(picture.convert, "L")
        small = await asyncio.to_thread(_small, grey)
        full_lines, small_lines = await asyncio.gather(
            self._tesseract.read(grey, languages=["por"]), self._tesseract.read(small, languages=["por"])
        )
        full, at_small = compare(full_lines, expected), compare(small_lines, expected)
        if not (full.complete and at_small.complete):
            full, at_small = await self._second_look(grey, small, expected, full, at_small)
        looks = await asyncio.to_thread(_looks, picture, full)
        return _report(expected, full, at_small, looks, picture)

    async def _second_look(
        self, grey: Image.Image, small: Image.Image, expected: SlideText, full: Comparison, at_small: Comparison
    ) -> tuple[Comparison, Comparison]:
        """Words that a reading missed may be tesseract's own slips: others are made where something is missing."""
        full_again, small_again = await asyncio.gather(
            self._more_readings(grey, expected, full), self._more_readings(small, expected, at_small)
        )
        at_small = merge([at_small, *small_again])
        # What can be read at 40 % can be read at full size.
        return merge([full, *full_again, at_small]), at_small

    async def _more_readings(self, grey: Image.Image, expected: SlideText, found: Comparison) -> Sequence[Comparison]:
        readings = [found]
        for attempt in (
            self._closer(grey, found, "eng", 62),
            self._closer(grey, found, "por", 62),
            self._closer(grey, found, "eng", 48),
            self._other_threshold(grey),
        ):
            if merge(readings).complete:
                attempt.close()
            else:
                readings.append(compare(await attempt, expected))
        return readings[1:]

    async def _closer(self, grey: Image.Image, found: Comparison, language: str, line_px: int) -> list[Line]:
        sheet = await asyncio.to_thread(sheet_of, grey, doubtful_lines(found), line_px)
        return await self._tesseract.read(sheet, languages=[language], segmentation=6) if sheet else []

    async def _other_threshold(self, grey: Image.Image) -> list[Line]:
        return await self._tesseract.read(grey, sauvola=True)


def _small(grey: Image.Image) -> Image.Image:
    width, height = (max(1, round(side * thresholds.SMALL)) for side in grey.size)
    shown = resized(grey, (width, height))
    return resized(shown, (round(width * _ENLARGED), round(height * _ENLARGED)))


def _looks(picture: Image.Image, comparison: Comparison) -> list[LineLook]:
    return [look_of(picture, placed.line) for placed in comparison.lines]


def _report(
    expected: SlideText, full: Comparison, at_small: Comparison, looks: list[LineLook], picture: Image.Image
) -> LegibilityReport:
    scale = _DESIGNED_FOR / picture.width
    lines = tuple(
        ReportLine(
            placed.line.text, placed.field, round(placed.line.confidence, 1), placed.line.box.edges,
            round(look.em_px * scale, 1), round(look.contrast, 2),
        )
        for placed, look in zip(full.lines, looks, strict=True)
    )  # fmt: skip
    extra = extra_text(full, at_small, expected, picture)
    findings = findings_of(full, at_small, lines, extra)
    names = [field.name for field in full.fields]
    return LegibilityReport(
        passed=not findings,
        cer_full=round(max((full.error_rate(name) for name in names), default=0.0), 4),
        cer_small=round(max((at_small.error_rate(name) for name in names), default=0.0), 4),
        findings=findings,
        lines=lines,
        extra=extra,
        min_text_height_px=min((line.em_px for line in lines), default=0.0),
        min_contrast=min((line.contrast for line in lines), default=0.0),
    )
