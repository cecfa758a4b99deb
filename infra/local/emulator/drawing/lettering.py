"""Text in pictures: wrapped, as large as its box allows, legible on what is behind it."""

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from infra.local.emulator.drawing.fonts import inter
from infra.local.emulator.drawing.palette import Palette, Rgb

_LINE = 1.18
CAPTION = "emulator"


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int


def letter(canvas: Image.Image, texts: list[str], box: Box, palette: Palette, *, dark: bool) -> None:
    """Writes a headline and smaller texts below it into the box, an accent bar above."""
    pen = ImageDraw.Draw(canvas)
    ink: Rgb = (255, 255, 255) if dark else palette.deep
    soft: Rgb = (226, 236, 246) if dark else (58, 74, 96)
    gap = round(min(canvas.size) * 0.03)
    headline, others = texts[0], texts[1:]
    share = 0.62 if others else 0.9
    head, head_lines = _largest(
        headline, box.width, round(box.height * share), weight=800, biggest=round(min(canvas.size) * 0.1)
    )
    blocks: list[tuple[ImageFont.FreeTypeFont, list[str], Rgb]] = [(head, head_lines, ink)]
    room = (box.height - _height(head, head_lines)) // max(1, len(others)) - gap
    for text in others:
        font, lines = _largest(text, box.width, max(30, room), weight=400, biggest=round(head.size * 0.56))
        blocks.append((font, lines, soft))
    total = sum(_height(font, lines) for font, lines, _ in blocks) + gap * len(blocks)
    y = box.top + max(0, (box.height - total) // 2)
    pen.rectangle((box.left, y, box.left + gap * 3, y + max(4, gap // 4)), fill=palette.accent)
    y += gap
    for font, lines, colour in blocks:
        for line in lines:
            pen.text((box.left, y), line, font=font, fill=colour)
            y += round(font.size * _LINE)
        y += gap


def caption(canvas: Image.Image, *, dark: bool) -> None:
    """A small mark in the lower left corner that says what drew the picture."""
    size = max(11, round(min(canvas.size) * 0.018))
    colour = (255, 255, 255, 150) if dark else (30, 46, 70, 130)
    pen = ImageDraw.Draw(canvas, "RGBA")
    pen.text((size * 1.4, canvas.height - size * 2.4), CAPTION, font=inter(size, 500), fill=colour)


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines that are no wider than `width` pixels; a single long word stands alone."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return [line for line in lines if line]


def _largest(
    text: str, width: int, height: int, *, weight: int, biggest: int
) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    size = max(14, biggest)
    while True:
        font = inter(size, weight)
        lines = wrapped(text, font, width)
        fits = _height(font, lines) <= height and all(font.getlength(line) <= width for line in lines)
        if fits or size <= 14:
            return font, lines
        size = max(14, round(size * 0.92))


def _height(font: ImageFont.FreeTypeFont, lines: list[str]) -> int:
    return round(len(lines) * font.size * _LINE)
