"""What is behind the part: a gradient, fine technical lines, and shapes in the brand's colours."""

import math
import random

from PIL import Image, ImageDraw, ImageFilter

from infra.local.emulator.drawing.metal import DRAWN_SCALE, smooth
from infra.local.emulator.drawing.palette import Palette, Rgb, mix

STYLES = ("bright", "deep", "panel", "horizon")


def background(size: tuple[int, int], palette: Palette, style: str, chance: random.Random) -> Image.Image:
    """A background in one of the styles."""
    match style:
        case "deep":
            canvas = _gradient(size, palette.deep, palette.main, diagonal=True)
            _glow(canvas, mix(palette.main, (255, 255, 255), 0.35), (0.7, 0.45), 0.55, 120)
            _grid(canvas, (255, 255, 255), 16)
            _arcs(canvas, (255, 255, 255), 34, chance)
        case "panel":
            canvas = _gradient(size, palette.mist, palette.pale, diagonal=False)
            _grid(canvas, palette.main, 12)
            _slanted_panel(canvas, palette)
        case "horizon":
            canvas = _gradient(size, (255, 255, 255), palette.pale, diagonal=False)
            _bokeh(canvas, palette, chance)
            _table(canvas, palette)
        case _:
            canvas = _gradient(size, (255, 255, 255), palette.pale, diagonal=True)
            _glow(canvas, (255, 255, 255), (0.66, 0.42), 0.5, 210)
            _grid(canvas, palette.main, 14)
            _arcs(canvas, palette.main, 30, chance)
    return canvas


def is_dark(style: str) -> bool:
    """True when text on the quiet side has to be white."""
    return style in {"deep", "panel"}


def _gradient(size: tuple[int, int], start: Rgb, end: Rgb, *, diagonal: bool) -> Image.Image:
    ramp = Image.linear_gradient("L")
    if diagonal:
        ramp = Image.blend(ramp, ramp.transpose(Image.Transpose.ROTATE_90), 0.5)
    mask = ramp.resize(size, Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", size, start)
    canvas.paste(end, (0, 0), mask)
    return canvas


def _glow(canvas: Image.Image, colour: Rgb, centre: tuple[float, float], radius: float, strength: int) -> None:
    light = Image.radial_gradient("L").point(
        [max(0, 255 - round(value * 1.45)) * strength // 255 for value in range(256)]
    )
    side = round(2 * radius * canvas.width)
    mask = light.resize((side, side), Image.Resampling.BILINEAR)
    canvas.paste(
        colour, (round(centre[0] * canvas.width) - side // 2, round(centre[1] * canvas.height) - side // 2), mask
    )


def _grid(canvas: Image.Image, colour: Rgb, opacity: int) -> None:
    mask = Image.new("L", canvas.size, 0)
    pen = ImageDraw.Draw(mask)
    step = max(20, min(canvas.size) // 18)
    for number, x in enumerate(range(0, canvas.width, step)):
        pen.line((x, 0, x, canvas.height), fill=opacity * 2 if number % 5 == 0 else opacity)
    for number, y in enumerate(range(0, canvas.height, step)):
        pen.line((0, y, canvas.width, y), fill=opacity * 2 if number % 5 == 0 else opacity)
    canvas.paste(colour, (0, 0), mask)


def _arcs(canvas: Image.Image, colour: Rgb, opacity: int, chance: random.Random) -> None:
    """Circles, centre lines and ticks, as on a drawing of a turned part."""
    mask = Image.new("L", (canvas.width * DRAWN_SCALE, canvas.height * DRAWN_SCALE), 0)
    pen = ImageDraw.Draw(mask)
    x, y = mask.width * chance.uniform(0.6, 0.74), mask.height * chance.uniform(0.4, 0.58)
    unit = min(mask.size)
    for share in (0.30, 0.42, 0.56, 0.58):
        radius = unit * share
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=opacity, width=3)
    for degrees in range(0, 360, 6):
        angle = math.radians(degrees)
        inner, outer = unit * 0.58, unit * (0.60 if degrees % 30 else 0.625)
        pen.line(
            (
                x + inner * math.cos(angle),
                y + inner * math.sin(angle),
                x + outer * math.cos(angle),
                y + outer * math.sin(angle),
            ),
            fill=opacity * 2,
            width=3,
        )
    _dashes(pen, (x - unit * 0.7, y, x + unit * 0.7, y), opacity * 2)
    _dashes(pen, (x, y - unit * 0.7, x, y + unit * 0.7), opacity * 2)
    canvas.paste(colour, (0, 0), smooth(mask))


def _dashes(pen: ImageDraw.ImageDraw, line: tuple[float, float, float, float], opacity: int) -> None:
    x0, y0, x1, y1 = line
    length = math.hypot(x1 - x0, y1 - y0)
    position, long = 0.0, True
    while position < length:
        piece = 40.0 if long else 10.0
        start, end = position / length, min(1.0, (position + piece) / length)
        pen.line(
            (x0 + (x1 - x0) * start, y0 + (y1 - y0) * start, x0 + (x1 - x0) * end, y0 + (y1 - y0) * end),
            fill=opacity,
            width=3,
        )
        position, long = position + piece + 14, not long


def _slanted_panel(canvas: Image.Image, palette: Palette) -> None:
    width, height = canvas.width * DRAWN_SCALE, canvas.height * DRAWN_SCALE
    wide = width > height * 1.2
    edge = 0.40 if wide else 0.30
    shape = (
        [(0, 0), (width * (edge + 0.10), 0), (width * (edge - 0.06), height), (0, height)]
        if wide
        else [(0, 0), (width, 0), (width, height * edge), (0, height * (edge + 0.08))]
    )
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).polygon(shape, fill=255)
    canvas.paste(_gradient(canvas.size, palette.main, palette.deep, diagonal=True), (0, 0), smooth(mask))
    stripe = Image.new("L", (width, height), 0)
    ends = [shape[1], shape[2]] if wide else [shape[2], shape[3]]
    ImageDraw.Draw(stripe).line(ends, fill=255, width=max(8, width // 170))
    canvas.paste(palette.accent, (0, 0), smooth(stripe))


def _bokeh(canvas: Image.Image, palette: Palette, chance: random.Random) -> None:
    """Lights out of focus in the distance, as in a hall behind the part."""
    small = Image.new("RGB", (canvas.width // 8, canvas.height // 8))
    small.paste(canvas.resize(small.size))
    pen = ImageDraw.Draw(small, "RGBA")
    for _ in range(34):
        x, y = chance.uniform(0, small.width), chance.uniform(0, small.height * 0.62)
        radius = chance.uniform(0.02, 0.075) * small.height
        colour = chance.choice(
            [
                (255, 255, 255),
                palette.pale,
                mix(palette.main, (255, 255, 255), 0.6),
                mix(palette.second, (255, 255, 255), 0.7),
            ]
        )
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colour, chance.randint(60, 150)))
    canvas.paste(small.filter(ImageFilter.GaussianBlur(2.2)).resize(canvas.size, Image.Resampling.BICUBIC))


def _table(canvas: Image.Image, palette: Palette) -> None:
    """A bright bench in the foreground."""
    top = round(canvas.height * 0.66)
    bench = _gradient(
        (canvas.width, canvas.height - top),
        mix(palette.pale, (255, 255, 255), 0.4),
        mix(palette.main, (255, 255, 255), 0.62),
        diagonal=False,
    )
    canvas.paste(bench, (0, top))
    ImageDraw.Draw(canvas).line((0, top, canvas.width, top), fill=(255, 255, 255), width=max(3, canvas.height // 300))
