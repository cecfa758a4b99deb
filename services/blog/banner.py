"""The banner: a model's picture, cut and scaled to exactly 1600 × 900 pixels."""

import asyncio
import io

from PIL import Image, ImageOps

from shared.content.pictures import drawn_picture

SIZE = (1600, 900)
ASPECT_RATIO = "16:9"
CONTENT_TYPE = "image/jpeg"
_QUALITY = 88


async def make_banner(data: bytes) -> bytes:
    """A JPEG of exactly 1600 × 900 pixels from a picture of any size: the middle of it, nothing stretched.

    JPEG because every network that shows a link's picture reads it. Raises ModelOutputInvalid for what is no picture.
    """
    return await asyncio.to_thread(_make, data)


def _make(data: bytes) -> bytes:
    fitted = ImageOps.fit(drawn_picture(data), SIZE, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    fitted.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return out.getvalue()
