"""The banner: a model's picture, cut and scaled to exactly 1600 × 900 pixels."""

import asyncio
import io

from PIL import Image, ImageOps, UnidentifiedImageError

from shared.engine.errors import ModelOutputInvalid

SIZE = (1600, 900)
ASPECT_RATIO = "16:9"
CONTENT_TYPE = "image/jpeg"
_QUALITY = 88
_MOST_PIXELS = 64_000_000


async def make_banner(data: bytes) -> bytes:
    """A JPEG of exactly 1600 × 900 pixels from a picture of any size: the middle of it, nothing stretched.

    JPEG because every network that shows a link's picture reads it. Raises ModelOutputInvalid for what is no picture.
    """
    return await asyncio.to_thread(_make, data)


def _make(data: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ModelOutputInvalid("The image model sent a picture that is too large to be one.")
            fitted = ImageOps.fit(picture.convert("RGB"), SIZE, Image.Resampling.LANCZOS)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ModelOutputInvalid("The image model sent something that is no picture.") from error
    out = io.BytesIO()
    fitted.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return out.getvalue()
