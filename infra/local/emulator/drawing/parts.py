"""Machined parts, each drawn upright on its own transparent layer `height` pixels high.

They are drawn at twice the size and reduced, so that their edges have no steps.
"""

import math

from PIL import Image, ImageDraw

from infra.local.emulator.drawing.metal import DRAWN_SCALE, cut_out, cylinder, plate, smooth, with_edge
from infra.local.emulator.drawing.palette import Palette, Rgb

_DARK: Rgb = (16, 32, 54)


def bone_screw(height: int, palette: Palette) -> Image.Image:
    """A pedicle screw: tulip head, neck, deep thread, rounded tip."""
    height *= DRAWN_SCALE
    width = round(height * 0.34)
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    middle, head = width / 2, height * 0.27
    pen.rounded_rectangle((width * 0.06, 0, width * 0.94, head), radius=width * 0.1, fill=255)
    pen.rectangle((width * 0.34, 0, width * 0.66, head * 0.5), fill=0)
    pen.pieslice((width * 0.34, head * 0.28, width * 0.66, head * 0.28 + width * 0.32), 0, 180, fill=0)
    pen.polygon(
        [(width * 0.24, head), (width * 0.76, head), (width * 0.64, head * 1.14), (width * 0.36, head * 1.14)], fill=255
    )
    _thread(pen, middle, (head * 1.1, height * 0.985), (width * 0.2, width * 0.34), turns=13)
    layer = cut_out(_threaded_shading(mask.size, palette, head * 1.12, 13), mask)
    ink = ImageDraw.Draw(layer)
    for share in (0.62, 0.7):
        ink.line(
            (width * 0.08, head * share, width * 0.92, head * share), fill=(*_DARK, 90), width=max(2, height // 260)
        )
    return smooth(with_edge(layer, _DARK, height // 150))


def dental_implant(height: int, palette: Palette) -> Image.Image:
    """A tapered dental implant with a polished collar and an internal hexagon."""
    height *= DRAWN_SCALE
    width = round(height * 0.42)
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    collar = height * 0.14
    pen.rounded_rectangle((width * 0.12, height * 0.02, width * 0.88, collar), radius=width * 0.04, fill=255)
    _thread(pen, width / 2, (collar * 0.9, height * 0.985), (width * 0.3, width * 0.42), turns=10, taper=0.45)
    layer = cut_out(_threaded_shading(mask.size, palette, collar, 10), mask)
    ink = ImageDraw.Draw(layer)
    ink.ellipse(
        (width * 0.12, 0, width * 0.88, height * 0.075),
        fill=(214, 224, 234, 255),
        outline=(*_DARK, 150),
        width=max(2, height // 240),
    )
    _hexagon(ink, (width / 2, height * 0.0375), width * 0.22, 0.34, (*_DARK, 220))
    ink.line(
        (width * 0.13, collar * 0.82, width * 0.87, collar * 0.82),
        fill=(*palette.accent, 210),
        width=max(3, height // 150),
    )
    return smooth(with_edge(layer, _DARK, height // 150))


def bone_plate(height: int, palette: Palette) -> Image.Image:
    """A TPLO plate: a broad head with grouped holes and a narrow shaft."""
    height *= DRAWN_SCALE
    width = round(height * 0.5)
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    pen.ellipse((width * 0.06, 0, width * 0.94, height * 0.4), fill=255)
    pen.polygon(
        [
            (width * 0.1, height * 0.26),
            (width * 0.9, height * 0.26),
            (width * 0.68, height * 0.52),
            (width * 0.32, height * 0.52),
        ],
        fill=255,
    )
    pen.rounded_rectangle((width * 0.3, height * 0.45, width * 0.7, height * 0.995), radius=width * 0.19, fill=255)
    layer = with_edge(cut_out(plate(mask.size, palette.main), mask), _DARK, height // 110)
    ink = ImageDraw.Draw(layer)
    for x, y in ((0.5, 0.1), (0.27, 0.22), (0.73, 0.22), (0.5, 0.34)):
        _hole(ink, (width * x, height * y), width * 0.085, palette)
    for y in (0.56, 0.71, 0.86):
        _hole(ink, (width * 0.5, height * y), width * 0.095, palette, slot=height * 0.02)
    return smooth(layer)


def turned_shaft(height: int, palette: Palette) -> Image.Image:
    """A stepped part from a Swiss lathe: collar, grooves, knurl, cone."""
    height *= DRAWN_SCALE
    width = round(height * 0.3)
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    for top, bottom, half in (
        (0.0, 0.16, 0.30),
        (0.16, 0.2, 0.22),
        (0.2, 0.38, 0.46),
        (0.38, 0.42, 0.3),
        (0.42, 0.7, 0.34),
        (0.7, 0.73, 0.24),
        (0.73, 0.9, 0.28),
    ):
        pen.rectangle((width * (0.5 - half), height * top, width * (0.5 + half), height * bottom), fill=255)
    pen.polygon(
        [(width * 0.22, height * 0.9), (width * 0.78, height * 0.9), (width * 0.58, height), (width * 0.42, height)],
        fill=255,
    )
    layer = cut_out(cylinder(mask.size, palette.main), mask)
    ink = ImageDraw.Draw(layer)
    for step in range(9):
        x = width * (0.07 + 0.107 * step)
        ink.line((x, height * 0.205, x, height * 0.375), fill=(*_DARK, 110), width=max(2, height // 240))
    for y in (0.16, 0.2, 0.38, 0.42, 0.7, 0.73, 0.9):
        ink.line((width * 0.04, height * y, width * 0.96, height * y), fill=(*_DARK, 90), width=max(2, height // 300))
    ink.rectangle((width * 0.16, height * 0.52, width * 0.84, height * 0.545), fill=(*palette.accent, 170))
    layer.putalpha(mask)
    return smooth(with_edge(layer, _DARK, height // 150))


def _thread(
    pen: ImageDraw.ImageDraw,
    middle: float,
    span: tuple[float, float],
    depth: tuple[float, float],
    *,
    turns: int,
    taper: float = 0.25,
) -> None:
    """The outline of a thread, narrower towards a rounded tip; the two sides are half a pitch apart."""
    (top, bottom), (core, crest) = span, depth
    pitch = (bottom - top) / turns
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for turn in range(turns):
        start = top + turn * pitch
        slim = 1 - taper * ((turn / turns) ** 2) - (0.28 if turn >= turns - 1 else 0.0)
        for y, reach in ((0.0, core), (0.36, crest), (0.54, crest), (0.8, core)):
            right.append((middle + reach * slim, start + y * pitch))
            left.append((middle - reach * slim, min(bottom, start + (y + 0.5) * pitch)))
    pen.polygon([(middle - core, top), *right, (middle, bottom), *reversed(left)], fill=255)


def _threaded_shading(size: tuple[int, int], palette: Palette, top: float, turns: int) -> Image.Image:
    """A cylinder with slanted light and dark bands where the thread winds around it."""
    shading = cylinder(size, palette.main).convert("RGBA")
    bands = Image.new("RGBA", size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(bands)
    pitch = (size[1] * 0.985 - top) / turns
    for turn in range(turns):
        y = top + turn * pitch
        rise = pitch * 0.5
        for offset, thick, ink in ((0.62, 0.42, (*_DARK, 120)), (0.34, 0.14, (255, 255, 255, 120))):
            upper = y + pitch * offset
            pen.polygon(
                [
                    (0, upper + rise),
                    (size[0], upper),
                    (size[0], upper + pitch * thick),
                    (0, upper + rise + pitch * thick),
                ],
                fill=ink,
            )
    return Image.alpha_composite(shading, bands)


def _hole(
    pen: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, palette: Palette, slot: float = 0
) -> None:
    x, y = centre
    for share, colour in (
        (1.32, (120, 134, 150, 255)),
        (1.2, (238, 243, 248, 255)),
        (1.0, (*_DARK, 235)),
        (0.8, (*palette.deep, 255)),
    ):
        reach = radius * share
        pen.rounded_rectangle((x - reach, y - reach - slot, x + reach, y + reach + slot), radius=reach, fill=colour)


def _hexagon(
    pen: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    radius: float,
    squash: float,
    colour: tuple[int, int, int, int],
) -> None:
    corners = [
        (
            centre[0] + radius * math.cos(math.radians(60 * corner)),
            centre[1] + radius * squash * math.sin(math.radians(60 * corner)),
        )
        for corner in range(6)
    ]
    pen.polygon(corners, fill=colour)
