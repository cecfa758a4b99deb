"""Colours: the brand's, or those that a prompt names."""

import re
from dataclasses import dataclass

from PIL import ImageColor

_HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
BLUE, GREEN, ORANGE = "#004F8F", "#1A7A3E", "#F07818"

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """A main colour and two accents."""

    main: Rgb
    second: Rgb
    accent: Rgb

    @property
    def deep(self) -> Rgb:
        """The main colour, darker."""
        return mix(self.main, (4, 16, 34), 0.55)

    @property
    def pale(self) -> Rgb:
        """The main colour, nearly white."""
        return mix(self.main, (255, 255, 255), 0.86)

    @property
    def mist(self) -> Rgb:
        """Between pale and white."""
        return mix(self.main, (255, 255, 255), 0.95)


def palette_of(prompt: str) -> Palette:
    """The first three colours that a prompt names, filled up with the brand's."""
    named = list(dict.fromkeys(code.upper() for code in _HEX.findall(prompt)))
    strong = [code for code in named if _saturated(rgb(code))]
    missing = [code for code in (BLUE, GREEN, ORANGE) if code not in strong]
    chosen = [*strong, *missing][:3]
    return Palette(*(rgb(code) for code in chosen))


def rgb(code: str) -> Rgb:
    """A colour by its code."""
    red, green, blue = ImageColor.getrgb(code)[:3]
    return red, green, blue


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`one` with a share of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _saturated(colour: Rgb) -> bool:
    return max(colour) - min(colour) > 60
