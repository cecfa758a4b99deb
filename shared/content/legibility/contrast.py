"""How well a line stands out and how large it is, measured in the picture's own pixels."""

import unicodedata
from dataclasses import dataclass
from statistics import median

from PIL import Image, ImageChops, ImageFilter, ImageStat

from shared.content.legibility.ocr import Box, Line, Word

Rgb = tuple[int, int, int]

# Shares of an em in Inter, which other sans-serif faces come close to.
_CAPITAL, _SMALL, _SMALL_ACCENTED, _CAPITAL_ACCENTED, _BELOW = 0.73, 0.56, 0.77, 0.95, 0.20
_DESCENDING = set("gjpqyçÇQ,;()[]@|")
_TALL = set("bdfhkltij()[]|/\\%&#$@\"'?!ß")
_FEWEST_INK_PIXELS = 12
_LINEAR_BELOW = 0.04045  # sRGB: IEC 61966-2-1
_MIDDLE_GREY = 127
_ODD_HEIGHT = (0.6, 1.7)  # of the line's median: boxes outside are tesseract's mistakes


@dataclass(frozen=True)
class LineLook:
    """A line as a reader sees it. `em_px`: size of type. `contrast`: WCAG 2.2, 1-21, of its least legible word."""

    em_px: float
    contrast: float


def look_of(picture: Image.Image, line: Line) -> LineLook:
    """Measures a line in the RGB picture in which it was read."""
    heights = [word.box.height for word in line.words]
    usual = median(heights)
    lowest, highest = (usual * share for share in _ODD_HEIGHT)
    words = [word for word in line.words if lowest <= word.box.height <= highest and _has_letters(word)] or list(
        line.words
    )
    return LineLook(
        em_px=median(_em(word) for word in words), contrast=min(word_contrast(picture, word.box) for word in words)
    )


def contrast_ratio(one: Rgb, other: Rgb) -> float:
    """(lighter + 0.05) / (darker + 0.05) of relative luminances: WCAG 2.2, section "contrast ratio"."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Rgb) -> float:
    """Relative luminance of an sRGB colour, 0-1: WCAG 2.2, section "relative luminance"."""
    red, green, blue = (
        share / 12.92 if share <= _LINEAR_BELOW else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def word_contrast(picture: Image.Image, box: Box) -> float:
    """Contrast between a word's strokes and what is right around them.

    The box is split in two by brightness (Otsu); what prevails along its edge is the ground. Strokes count by their
    middle, since their edges are mixed with the ground; the ground by a ring around them, since further away a
    photograph may look different.
    """
    margin = max(3, box.height // 6)
    crop = picture.crop(box.grown(margin, picture.size).edges).convert("RGB")
    grey = crop.convert("L")
    threshold = _otsu(grey.histogram())
    bright = Image.eval(grey, lambda value: 255 if value > threshold else 0)
    ink = ImageChops.invert(bright) if _edge_mean(bright) > _MIDDLE_GREY else bright
    core = ink.filter(ImageFilter.MinFilter(3))
    if _count(core) < _FEWEST_INK_PIXELS:
        core = ink
    reach = 2 * max(2, box.height // 8) + 1
    ring = ImageChops.subtract(ink.filter(ImageFilter.MaxFilter(reach)), ink.filter(ImageFilter.MaxFilter(3)))
    if not _count(core) or not _count(ring):
        return 1.0
    return contrast_ratio(_median_colour(crop, core), _median_colour(crop, ring))


def _otsu(histogram: list[int]) -> int:
    """The brightness that parts the pixels best (N. Otsu, 1979): the largest variance between the two classes."""
    total = sum(histogram)
    whole = sum(value * count for value, count in enumerate(histogram))
    best, threshold, below, weight = -1.0, 127, 0, 0
    for value, count in enumerate(histogram):
        below += count
        weight += value * count
        above = total - below
        if not below or not above:
            continue
        apart = below * above * (weight / below - (whole - weight) / above) ** 2
        if apart > best:
            best, threshold = apart, value
    return threshold


def _edge_mean(mask: Image.Image) -> float:
    width, height = mask.size
    sides = [(0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)]
    sums = [(ImageStat.Stat(mask.crop(side)).sum[0], max(side[2] - side[0], side[3] - side[1])) for side in sides]
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def _count(mask: Image.Image) -> int:
    return mask.histogram()[255]


def _median_colour(picture: Image.Image, mask: Image.Image) -> Rgb:
    red, green, blue = (int(value) for value in ImageStat.Stat(picture, mask).median)
    return red, green, blue


def _has_letters(word: Word) -> bool:
    return sum(char.isalnum() for char in word.text) > 1


def _em(word: Word) -> float:
    """The size of type whose letters, those of the word, would be as high as its box."""
    above = max((_above(char) for char in word.text), default=_CAPITAL)
    below = _BELOW if any(char in _DESCENDING for char in word.text) else 0.0
    return word.box.height / (above + below)


def _above(char: str) -> float:
    accented = len(unicodedata.normalize("NFD", char)) > 1 and char not in "çÇ"
    if char.isupper():
        return _CAPITAL_ACCENTED if accented else _CAPITAL
    if char.isdigit() or char in _TALL:
        return _CAPITAL
    return _SMALL_ACCENTED if accented else _SMALL
