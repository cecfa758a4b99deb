"""Slides as an image model may draw them, in many styles, each known to be legible or to have one fault."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import fontpkg_inter
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from bench.legibility.breaking import TEXT_FAULTS
from bench.legibility.texts import TEXTS
from infra.local.emulator.drawing.backgrounds import background
from infra.local.emulator.drawing.fonts import inter
from infra.local.emulator.drawing.lettering import wrapped
from infra.local.emulator.drawing.palette import palette_of
from shared.content.legibility.slide_text import SlideText

Rgb = tuple[int, int, int]
LEGIBLE = "legible"
DRAWN_FAULTS = ("extra_words", "headline_twice", "low_contrast", "tiny", "blurred", "cut_off")
FAULTS = (*TEXT_FAULTS, *DRAWN_FAULTS)

_ASSETS = Path(__file__).parents[2] / "infra/local/seed/assets"
_ITALIC = Path(fontpkg_inter.ROOT) / "files" / "Inter-Italic[opsz,wght].ttf"
_PHOTOGRAPHS = (
    "torno-suico",
    "sala-limpa",
    "maquina-de-medicao",
    "placa-bloqueada",
    "implante-dentario",
    "brocas-cirurgicas",
)
_SIZES = ((1080, 1350), (1080, 1080), (1024, 1280), (928, 1152))
_EXTRAS = (
    "Saiba mais no site",
    "LOREM IPSUM DOLOR",
    "www.medparts.com",
    "Oferta limitada",
    "Quality you can trust",
    "Slide 3",
)
_DARK: tuple[Rgb, ...] = ((0, 79, 143), (0, 44, 82), (26, 122, 62), (28, 36, 48))


@dataclass(frozen=True)
class Specimen:
    """A picture, what it should say, and what is wrong with it: `legible` or the fault's name."""

    picture: bytes
    text: SlideText
    fault: str


@dataclass(frozen=True)
class _Style:
    size: tuple[int, int]
    ground: Rgb
    ink: Rgb
    weight: int
    scale: float
    capitals: bool
    centred: bool
    panel: str  # full, band or photograph
    below: bool
    jpeg: int | None
    face: str
    photograph: str


def specimens(count: int, seed: int = 4) -> Iterator[Specimen]:
    """`count` pictures: every second one legible, the others with each fault in turn; the same for the same seed."""
    faults = 0
    for number in range(count):
        chance = Random(seed * 100_003 + number)
        text = TEXTS[chance.randrange(len(TEXTS))]
        style = _style(chance)
        if number % 2 == 0:
            yield Specimen(_finish(_draw(text, style, chance), style), text, LEGIBLE)
            continue
        fault = FAULTS[faults % len(FAULTS)]
        faults += 1
        yield _broken(text, style, fault, chance)


def _broken(text: SlideText, style: _Style, fault: str, chance: Random) -> Specimen:
    if fault in TEXT_FAULTS:
        others = [text, *chance.sample(TEXTS, len(TEXTS))]
        text, drawn = next((one, bad) for one in others if (bad := TEXT_FAULTS[fault](one, chance)) is not None)
        return Specimen(_finish(_draw(drawn, style, chance), style), text, fault)
    extra = ""
    match fault:
        case "extra_words":
            extra = chance.choice(_EXTRAS)
        case "headline_twice":
            extra = text.headline
        case "low_contrast":
            share = chance.uniform(0.62, 0.82)
            ink = tuple(round(a + (b - a) * share) for a, b in zip(style.ink, style.ground, strict=True))
            style = replace(style, ink=(ink[0], ink[1], ink[2]), panel="full")
        case "tiny":
            style = replace(style, scale=chance.uniform(0.28, 0.42))
        case _:
            pass
    canvas = _draw(text, style, chance, extra, cut_off=fault == "cut_off")
    if fault == "blurred":
        canvas = canvas.filter(ImageFilter.GaussianBlur(chance.uniform(7, 10) * style.size[0] / 1080))
    return Specimen(_finish(canvas, style), text, fault)


def _style(chance: Random) -> _Style:
    dark = chance.choice(_DARK)
    light: Rgb = chance.choice([(255, 255, 255), (240, 244, 249)])
    ground, ink = (dark, light) if chance.random() < 0.65 else (light, dark)
    return _Style(
        size=chance.choice(_SIZES),
        ground=ground,
        ink=ink,
        weight=chance.choice([600, 700, 800, 900]),
        scale=chance.uniform(0.85, 1.15),
        capitals=chance.random() < 0.15,
        centred=chance.random() < 0.4,
        panel=chance.choice(["full", "band", "photograph", "drawn"]),
        below=chance.random() < 0.5,
        jpeg=chance.choice([None, None, 88, 70]),
        face=chance.choice(["upright", "upright", "italic"]),
        photograph=chance.choice(_PHOTOGRAPHS),
    )


def _draw(text: SlideText, style: _Style, chance: Random, extra: str = "", *, cut_off: bool = False) -> Image.Image:
    width, height = style.size
    canvas, band = _ground(style, chance)
    pen = ImageDraw.Draw(canvas)
    margin = round(width * 0.08)
    room = width - 2 * margin
    headline = text.headline.upper() if style.capitals else text.headline
    unit = width / 1080 * style.scale
    y = band[0] + round(height * 0.04)
    x = margin + (round(width * 0.45) if cut_off else 0)
    for words, size, weight in ((headline, 76, style.weight), (text.body, 42, 400), (extra, 42, 600)):
        if not words:
            continue
        font = _font(style.face, max(8, round(size * unit)), weight)
        for line in wrapped(words, font, room):
            left = x + (round((room - font.getlength(line)) / 2) if style.centred else 0)
            pen.text((left, y), line, font=font, fill=style.ink)
            y += round(font.size * 1.28)
        y += round(30 * unit)
    _mark(canvas, style)
    return canvas


def _ground(style: _Style, chance: Random) -> tuple[Image.Image, tuple[int, int]]:
    """The canvas, and from where to where the text may go."""
    width, height = style.size
    if style.panel == "full":
        return Image.new("RGB", style.size, style.ground), (0, height)
    if style.panel == "drawn":
        canvas = background(style.size, palette_of(""), "deep" if sum(style.ink) > 380 else "bright", chance)
        return canvas, (0, height)
    canvas = ImageOps.fit(_photograph(style.photograph), style.size, Image.Resampling.LANCZOS)
    top = round(height * 0.42) if style.below else 0
    deep = round(height * 0.58)
    opacity = 255 if style.panel == "band" else 244
    canvas.paste(style.ground, (0, top), Image.new("L", (width, deep), opacity))
    return canvas, (top, top + deep)


def _mark(canvas: Image.Image, style: _Style) -> None:
    side = round(canvas.width * 0.07)
    font = inter(round(side * 0.55), 900)
    place = (canvas.width - side * 1.4, canvas.height - side * 1.1)
    ImageDraw.Draw(canvas).text(place, "LM", font=font, fill=style.ink if style.panel == "full" else (120, 130, 145))


def _finish(canvas: Image.Image, style: _Style) -> bytes:
    file = io.BytesIO()
    if style.jpeg:
        canvas.save(file, "JPEG", quality=style.jpeg)
    else:
        canvas.save(file, "PNG", compress_level=1)
    return file.getvalue()


@cache
def _photograph(name: str) -> Image.Image:
    with Image.open(_ASSETS / f"{name}.png") as picture:
        return picture.convert("RGB")


@cache
def _font(face: str, size: int, weight: int) -> ImageFont.FreeTypeFont:
    if face == "upright":
        return inter(size, weight)
    font = ImageFont.truetype(str(_ITALIC), size)
    font.set_variation_by_axes([min(32, max(14, size)), weight])
    return font
