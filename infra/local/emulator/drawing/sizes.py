"""Pixels by aspect ratio and size, as documented for Gemini's image models."""

from infra.local.emulator.google_errors import GoogleError

_ONE_K: dict[str, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "2:3": (848, 1264),
    "3:2": (1264, 848),
    "3:4": (896, 1200),
    "4:3": (1200, 896),
    "4:5": (928, 1152),
    "5:4": (1152, 928),
    "9:16": (768, 1376),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
}
SCALE = {"1K": 1, "2K": 2, "4K": 4}


def pixels(aspect_ratio: str, size: str) -> tuple[int, int]:
    """Width and height.

    Raises:
        GoogleError: 400 for a ratio or a size that the model does not know.
    """
    if aspect_ratio not in _ONE_K:
        raise GoogleError(400, f"Invalid aspect ratio {aspect_ratio}. Supported: {', '.join(_ONE_K)}.")
    if size not in SCALE:
        raise GoogleError(400, f"Invalid image size {size}. Supported: {', '.join(SCALE)}.")
    width, height = _ONE_K[aspect_ratio]
    return width * SCALE[size], height * SCALE[size]
