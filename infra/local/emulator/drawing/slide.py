"""Slides: a headline and a text on a quiet ground, a photograph or a scene beside them, the logo in its corner."""

import random
import zlib
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

from infra.local.emulator.drawing.backgrounds import background
from infra.local.emulator.drawing.fonts import inter
from infra.local.emulator.drawing.lettering import Box, wrapped
from infra.local.emulator.drawing.palette import Palette, Rgb, mix
from infra.local.emulator.drawing.scenes import Stage, draw_scene, part_for

Size = tuple[int, int]

_LINE = 1.2
_MARGIN = 0.085
_LOGO = 0.11
_WHITE: Rgb = (255, 255, 255)
_TEXT: Rgb = (36, 52, 66)
_LAYOUTS = ("dark", "light", "below")
_LOOK_ALIKES = str.maketrans("aeiosgtnlr", "eoa15q+uIn")


@dataclass(frozen=True)
class SlideWish:
    """What a slide should show. `series`: what its whole series is about; slides of one series look alike."""

    texts: list[str]
    subjects: list[str]
    series: str
    is_wordy: bool


@dataclass(frozen=True)
class _Ground:
    """Where the words stand and in which colours."""

    panel: Rgb
    headline: Rgb
    text: Rgb
    box: Box


def draw_slide(
    size: Size,
    wish: SlideWish,
    palette: Palette,
    chance: random.Random,
    pictures: tuple[Image.Image | None, Image.Image | None],
    *,
    illegible: bool = False,
) -> Image.Image:
    """A slide; `pictures` are photograph and logo, as far as there are any."""
    photograph, logo = pictures
    layout = random.Random(zlib.crc32(wish.series.encode())).choice(_LAYOUTS)
    ground = _ground(size, layout, palette, wordy=wish.is_wordy)
    view = _view(size, ground, layout)
    canvas = background(size, palette, "bright", chance)
    if photograph is not None:
        fitted = ImageOps.fit(photograph.convert("RGB"), (view.width, view.height), Image.Resampling.LANCZOS)
        canvas.paste(fitted, (view.left, view.top))
    else:
        centre = (view.left + view.width // 2, view.top + view.height // 2)
        unit = round(min(view.width * 0.8, view.height * 0.86))
        draw_scene(Stage(canvas, centre, unit, palette, part_for(wish.subjects), chance), wish.subjects)
    _panel(canvas, ground, layout, palette)
    _words(canvas, wish.texts, ground, chance, illegible=illegible)
    if logo is not None:
        _logo(canvas, logo)
    return canvas


def _ground(size: Size, layout: str, palette: Palette, *, wordy: bool) -> _Ground:
    width, height = size
    margin = round(width * _MARGIN)
    high = round(height * (0.52 if wordy else 0.44))
    top = round(height * 0.88) - high if layout == "below" else round(height * 0.055)
    box = Box(margin, top + margin // 3, width - 2 * margin, high - round(margin * 0.9))
    if layout == "light":
        return _Ground(_WHITE, palette.deep, _TEXT, box)
    panel = mix(palette.main, palette.deep, 0.45)
    return _Ground(panel, _WHITE, (232, 240, 247), box)


def _view(size: Size, ground: _Ground, layout: str) -> Box:
    """The part of the canvas that the words leave free."""
    width, height = size
    if layout == "below":
        return Box(0, 0, width, ground.box.top)
    top = ground.box.top + ground.box.height
    return Box(0, top, width, height - top)


def _panel(canvas: Image.Image, ground: _Ground, layout: str, palette: Palette) -> None:
    pen = ImageDraw.Draw(canvas)
    stripe = max(4, canvas.height // 170)
    if layout == "below":
        edge = ground.box.top - round(canvas.width * _MARGIN / 3)
        pen.rectangle((0, edge, canvas.width, canvas.height), fill=ground.panel)
        pen.rectangle((0, edge - stripe, canvas.width, edge), fill=palette.accent)
        return
    edge = ground.box.top + ground.box.height + round(canvas.width * _MARGIN / 3)
    pen.rectangle((0, 0, canvas.width, edge), fill=ground.panel)
    pen.rectangle((0, edge, canvas.width, edge + stripe), fill=palette.accent)


def _words(
    canvas: Image.Image,
    texts: list[str],
    ground: _Ground,
    chance: random.Random,
    *,
    illegible: bool,
) -> None:
    """Headline and text, as large as the box allows; when `illegible`, in one of the ways in which models fail."""
    inks, scale = (ground.headline, ground.text), 1.0
    if illegible:
        match chance.choice(("letters", "pale", "small")):
            case "letters":
                texts = [_garbled(text, chance) for text in texts]
            case "pale":
                towards = (0, 0, 0) if ground.panel == _WHITE else _WHITE
                inks = (mix(ground.panel, towards, 0.14), mix(ground.panel, towards, 0.1))
            case _:
                scale = 0.24
    pen = ImageDraw.Draw(canvas)
    side, box = min(canvas.size), ground.box
    blocks: list[tuple[ImageFont.FreeTypeFont, list[str], Rgb]] = []
    gap = round(side * 0.03)
    sizes = (round(side * 0.082), round(side * 0.044))
    room = (0.62, 0.38) if len(texts) > 1 else (0.95, 0.0)
    for text, ink, biggest, share, weight in zip(texts, inks, sizes, room, (800, 500), strict=False):
        font, lines = _largest(text, Box(0, 0, box.width, round((box.height - gap) * share)), weight, biggest)
        if scale != 1.0:
            font = inter(max(9, round(font.size * scale)), weight)
        blocks.append((font, lines, ink))
    high = sum(round(len(lines) * font.size * _LINE) for font, lines, _ in blocks) + gap * (len(blocks) - 1)
    y = box.top + max(0, (box.height - high) // 2)
    for font, lines, ink in blocks:
        for line in lines:
            pen.text((box.left, y), line, font=font, fill=ink)
            y += round(font.size * _LINE)
        y += gap


def _largest(text: str, box: Box, weight: int, biggest: int) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    size = biggest
    while True:
        font = inter(size, weight)
        lines = wrapped(text, font, box.width)
        high = round(len(lines) * size * _LINE)
        if size <= 16 or (high <= box.height and all(font.getlength(line) <= box.width for line in lines)):
            return font, lines
        size = max(16, round(size * 0.94))


def _garbled(text: str, chance: random.Random) -> str:
    """About every third word with letters that only look alike, as image models write."""
    words = text.split()
    for place, word in enumerate(words):
        if len(word) > 3 and (place == 0 or chance.random() < 0.35):
            words[place] = word[:1] + word[1:].translate(_LOOK_ALIKES)
    return " ".join(words)


def _logo(canvas: Image.Image, logo: Image.Image) -> None:
    side = round(canvas.width * _LOGO)
    shown = ImageOps.contain(logo, (side, side), Image.Resampling.LANCZOS)
    margin = round(side * 0.5)
    canvas.paste(shown, (canvas.width - shown.width - margin, canvas.height - shown.height - margin), shown)
