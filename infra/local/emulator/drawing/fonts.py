"""The brand's typeface, Inter, in the weights that pictures use."""

from functools import lru_cache
from pathlib import Path

import fontpkg_inter
from PIL import ImageFont

_FILE = Path(fontpkg_inter.ROOT) / "files" / "Inter[opsz,wght].ttf"
_SMALLEST_OPTICAL, _LARGEST_OPTICAL = 14, 32


@lru_cache(maxsize=64)
def inter(size: int, weight: int = 400) -> ImageFont.FreeTypeFont:
    """Inter at `size` pixels and a weight of 100 to 900."""
    font = ImageFont.truetype(str(_FILE), size)
    optical = min(_LARGEST_OPTICAL, max(_SMALLEST_OPTICAL, size))
    font.set_variation_by_axes([optical, weight])
    return font
