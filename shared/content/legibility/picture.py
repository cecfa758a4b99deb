"""Pictures from outside: opened with a limit on what they may unpack to."""

import io

from PIL import Image, UnidentifiedImageError

from shared.engine.errors import ModelOutputInvalid

MOST_BYTES = 40_000_000
MOST_PIXELS = 40_000_000  # 4K squared and a half; decoded as RGB that is 120 MB
_FORMATS = ("PNG", "JPEG", "WEBP")
_SMALLEST_SIDE = 16


class PictureUnreadable(ModelOutputInvalid):
    """The bytes are no picture that this engine works with: not PNG, JPEG or WebP, cut off, or too large to unpack."""

    code = "picture_unreadable"


def open_picture(data: bytes) -> Image.Image:
    """The picture as RGB, transparent parts on white. Work for a thread: decoding takes tens of milliseconds.

    Raises:
        PictureUnreadable: for what is no picture, is cut off, or is larger than the limits above.
    """
    if len(data) > MOST_BYTES:
        raise PictureUnreadable(f"A picture of {len(data)} bytes is too large.")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            width, height = picture.size  # from the header: nothing is unpacked yet
            if width * height > MOST_PIXELS or min(width, height) < _SMALLEST_SIDE:
                raise PictureUnreadable(f"A picture of {width} × {height} pixels is not one for a slide.")
            if picture.mode in {"RGBA", "LA", "PA", "P"}:
                over = picture.convert("RGBA")
                ground = Image.new("RGBA", over.size, (255, 255, 255, 255))
                return Image.alpha_composite(ground, over).convert("RGB")
            return picture.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise PictureUnreadable("What should be a picture cannot be read as PNG, JPEG or WebP.") from error


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The whole picture at another size, nothing cut off."""
    return picture.resize(size, Image.Resampling.LANCZOS)  # pyright: ignore[reportUnknownMemberType] - NumPy's type in it


def png(picture: Image.Image) -> bytes:
    """The picture as PNG bytes, compressed quickly."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
