"""A closer look at lines that were not read as they should: cut out, dark on light, as large as tesseract likes."""

from collections.abc import Sequence

from PIL import Image, ImageOps, ImageStat

from shared.content.legibility.compare import Comparison, PlacedLine
from shared.content.legibility.ocr import Box
from shared.content.legibility.picture import resized

_GAP = 26
_MOST_LINES = 8
_PAPER = 255
_MIDDLE_GREY = 128


def doubtful_lines(comparison: Comparison) -> list[PlacedLine]:
    """The lines in which a word is wrong."""
    wrong = {
        (name, place)
        for name in comparison.words
        for reading in comparison.wrong_words(name)
        for place in range(*reading.token.core)
    }
    return [
        placed
        for placed in comparison.lines
        if any((placed.field, place) in wrong for place in range(placed.start, placed.end))
    ]


def sheet_of(grey: Image.Image, lines: Sequence[PlacedLine], line_px: int) -> Image.Image | None:
    """The lines, `line_px` high each, on white paper; None without any. `grey`: the picture they were read in."""
    strips = [_strip(grey, placed.line.box, line_px) for placed in lines[:_MOST_LINES]]
    if not strips:
        return None
    width = max(strip.width for strip in strips) + 2 * _GAP
    sheet = Image.new("L", (width, sum(strip.height + _GAP for strip in strips) + _GAP), _PAPER)
    top = _GAP
    for strip in strips:
        sheet.paste(strip, (_GAP, top))
        top += strip.height + _GAP
    return sheet


def _strip(grey: Image.Image, box: Box, line_px: int) -> Image.Image:
    cut = ImageOps.autocontrast(grey.crop(box.grown(max(3, box.height // 5), grey.size).edges), cutoff=1)
    width, height = cut.size
    edges = [cut.crop((0, 0, width, 1)), cut.crop((0, height - 1, width, height))]
    if sum(ImageStat.Stat(edge).mean[0] for edge in edges) < 2 * _MIDDLE_GREY:
        cut = ImageOps.invert(cut)
    scale = line_px / height
    return resized(cut, (max(1, round(width * scale)), max(1, round(height * scale))))
