"""The brand's typeface, Inter, in the weights that slides use."""

import unicodedata
from functools import cache
from pathlib import Path

import fontpkg_inter  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image, ImageDraw, ImageFont

_FILE = Path(fontpkg_inter.ROOT) / "files" / "Inter[opsz,wght].ttf"
_OPTICAL_SIZES = (14, 32)
_NOT_A_CHARACTER = "\U0010ffff"


@cache
def inter(size: int, weight: int) -> ImageFont.FreeTypeFont:
    """Inter at `size` pixels an em and a weight of 100 to 900."""
    font = ImageFont.truetype(str(_FILE), size)
    smallest, largest = _OPTICAL_SIZES
    font.set_variation_by_axes([min(largest, max(smallest, size)), weight])
    return font


def split_drawable(text: str) -> tuple[str, tuple[str, ...]]:
    """The text as Inter can draw it, and the characters that had to be left out: emoji, foreign scripts.

    Accents are composed, ligatures taken apart (the typeface joins letters by itself), invisible characters left out.
    """
    composed = "".join(
        unicodedata.normalize("NFKC", char) if "\ufb00" <= char <= "\ufb06" else char
        for char in unicodedata.normalize("NFC", text)
    )
    kept: list[str] = []
    lost: list[str] = []
    for char in composed:
        if char.isspace():
            kept.append(" ")
        elif unicodedata.category(char) in {"Cf", "Cc", "Mn"} or "\ufe00" <= char <= "\ufe0f":
            continue
        else:
            (kept if has_glyph(char) else lost).append(char)
    return " ".join("".join(kept).split()), tuple(dict.fromkeys(lost))


@cache
def has_glyph(char: str) -> bool:
    """True when Inter has the character; what it lacks is drawn as one and the same box."""
    return _shape(char) != _shape(_NOT_A_CHARACTER)


@cache
def _shape(char: str) -> bytes:
    drawn = Image.new("L", (64, 64))
    ImageDraw.Draw(drawn).text((8, 8), char, font=inter(32, 400), fill=255)
    return drawn.tobytes()
