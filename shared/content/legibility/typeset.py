"""Text that we set over a picture ourselves when the image model cannot: readable, and checked like any other."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image, UnidentifiedImageError

from shared.content.brand import Brand, Persona
from shared.content.legibility.layouts import Layout, Look, Page, Size, compose
from shared.content.legibility.picture import open_picture, png
from shared.content.legibility.report import LegibilityGate, LegibilityReport
from shared.content.legibility.slide_text import SlideText
from shared.content.legibility.typeface import split_drawable


@dataclass(frozen=True)
class Typeset:
    """A slide that we set. `picture`: PNG of exactly the size asked for. `layout`: the one that passed the gate.

    `left_out`: characters that the typeface lacks (emoji, foreign scripts); the slide does not show them.
    """

    picture: bytes
    report: LegibilityReport
    layout: Layout
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """How slides are set. `logo`: a white mark as PNG; without it ours is drawn. `grid_ratio`: what a grid shows.

    Instagram shows the middle 3:4 of a post in the grid: with grid_ratio=3/4 text and mark keep within it.
    """

    brand: Brand
    persona: Persona = "company"
    size: Size = (1080, 1350)
    layout: Layout = "panel"
    grid_ratio: float | None = None
    logo: bytes | None = None


async def typeset(picture: bytes | None, text: SlideText, setting: Setting, gate: LegibilityGate) -> Typeset:
    """Sets headline and body over a picture, and checks the result.

    The picture should be free of text of its own; where it is not, the gate sees that, and the text is set over a
    blurred picture, or on the brand's colour alone. Without a picture it is set on the colour alone.

    Raises:
        PictureUnreadable: `picture` is none.
        TextDoesNotFit: beyond the limits of any platform.
        OcrFailed: the result could not be checked.
    """
    headline, lost = split_drawable(text.headline)
    body, lost_too = split_drawable(text.body)
    shown = replace(text, headline=headline, body=body)
    page = await asyncio.to_thread(_page, picture, shown, setting)
    best: Typeset | None = None
    for layout, scale in _attempts(setting.layout, with_picture=picture is not None):
        data = await asyncio.to_thread(_compose, replace(page, type_scale=scale), layout)
        report = await gate.check(data, shown)
        attempt = Typeset(data, report, layout, tuple(dict.fromkeys((*lost, *lost_too))))
        if report.passed:
            return attempt
        if best is None or report.cer_full < best.report.cer_full:
            best = attempt
    if best is None:
        raise AssertionError("there is always a layout to try")
    return best


def _attempts(first: Layout, *, with_picture: bool) -> Iterator[tuple[Layout, float]]:
    """Layouts from the one asked for to the plainest, each in smaller type too: tesseract's slips go with the size."""
    order: tuple[Layout, ...] = ("panel", "cover", "plain") if with_picture else ("plain",)
    start = order.index(first) if first in order else 0
    for layout in order[start:]:
        yield layout, 1.0
        yield layout, 0.88


def _page(picture: bytes | None, text: SlideText, setting: Setting) -> Page:
    width, height = setting.size
    shown = min(width, height * setting.grid_ratio) if setting.grid_ratio else width
    return Page(
        size=setting.size,
        look=Look.of(setting.brand, setting.persona),
        headline=text.headline,
        body=text.body,
        photograph=open_picture(picture) if picture is not None else None,
        mark=_mark(setting.logo),
        safe=round((width - shown) / 2),
    )


def _mark(logo: bytes | None) -> Image.Image | None:
    if logo is None:
        return None
    open_picture(logo)  # checks size and kind
    try:
        with Image.open(io.BytesIO(logo)) as picture:
            return picture.convert("RGBA")
    except (UnidentifiedImageError, OSError) as error:  # pragma: no cover - it was opened just above
        raise AssertionError("a picture that opens once opens twice") from error


def _compose(page: Page, layout: Layout) -> bytes:
    return png(compose(page, layout))
