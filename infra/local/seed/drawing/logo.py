"""The monogram and the word mark, on nothing: they are laid over pictures."""

from functools import cache
from pathlib import Path

import fontpkg_inter
from PIL import Image, ImageDraw, ImageFont

from infra.local.seed.drawing.canvas import Canvas, Color, Point, rgba
from infra.local.seed.drawing.metal import BLUE, GREEN, WHITE

_SIZE = 1000


def monogram() -> Image.Image:
    """White letters on a blue tile with round corners."""
    canvas = Canvas(_SIZE, _SIZE)
    canvas.rectangle((40, 40, 960, 960), BLUE, radius=190)
    _letters(canvas, WHITE, GREEN)
    return canvas.finish()


def white_monogram() -> Image.Image:
    """The letters alone, for dark grounds."""
    canvas = Canvas(_SIZE, _SIZE)
    _letters(canvas, WHITE, WHITE)
    return canvas.finish()


def word_mark() -> Image.Image:
    """The monogram with the company's name beside it."""
    picture = Image.new("RGBA", (1600, 480), (0, 0, 0, 0))
    picture.alpha_composite(monogram().resize((400, 400), Image.Resampling.LANCZOS), (40, 40))
    draw = ImageDraw.Draw(picture)
    draw.text((500, 62), "Lifetrek", font=_inter(800, 190), fill=rgba("#004F8F"))
    draw.text((506, 268), "Medical", font=_inter(400, 130), fill=rgba("#243447"))
    return picture


def _letters(canvas: Canvas, color: Color, bar: Color) -> None:
    letter_l: list[Point] = [(188, 290), (284, 290), (284, 604), (440, 604), (440, 690), (188, 690)]
    left: list[Point] = [(484, 690), (484, 290), (584, 290), (648, 460), (712, 290), (812, 290), (812, 690)]
    right: list[Point] = [(720, 690), (720, 486), (674, 606), (622, 606), (576, 486), (576, 690)]
    canvas.polygon(letter_l, color)
    canvas.polygon(left + right, color)
    canvas.rectangle((188, 742, 812, 772), bar)


@cache
def _inter(weight: int, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(Path(fontpkg_inter.ROOT) / "files" / "Inter[opsz,wght].ttf", size)
    font.set_variation_by_axes([32, weight])  # optical size for headlines
    return font
