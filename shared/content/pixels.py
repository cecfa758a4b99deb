"""Pictures as a PDF stores them: the compressed pixels of a PNG or a JPEG, taken over where that is possible."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from PIL import Image, ImageOps

_SIGNATURE = 8
_EXIF_ORIENTATION = 0x0112
_AS_IT_STANDS = (None, 0, 1)
_BITS = 8
_GREY, _RGB = 0, 2


@dataclass(frozen=True, slots=True)
class Pixels:
    """`size` is (width, height); `channels` 1 for grey, 3 for RGB, of 8 bits.

    `data` is a JPEG file, or what the IDAT chunks of a PNG without interlacing hold together.
    """

    size: tuple[int, int]
    channels: int
    encoding: Literal["jpeg", "png"]
    data: bytes


def read_pixels(picture: bytes) -> Pixels:
    """The pixels of a PNG or JPEG, compressed as they are there.

    Only what a PDF cannot hold so is stored anew, as a PNG of 8 bits: a palette, transparency (over white),
    interlacing, other than 8 bits, CMYK, and a photograph whose camera was held on its side. Raises ValueError, for a
    person to read, when it is no such picture or not a whole one.
    """
    try:
        with Image.open(BytesIO(picture), formats=("PNG", "JPEG")) as image:
            image.load()
            upright = image.getexif().get(_EXIF_ORIENTATION) in _AS_IT_STANDS
            if upright and image.format == "JPEG" and image.mode in {"RGB", "L"}:
                return Pixels(image.size, len(image.getbands()), "jpeg", picture)
            if upright and image.format == "PNG" and (found := _png(picture)):
                return found
            anew = _png(_plain_png(image))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"it is not a whole PNG or JPEG picture ({error}).") from error
    if anew is None:
        raise ValueError("its pixels cannot be stored in a document.")
    return anew


def _plain_png(image: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        with_alpha = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", with_alpha.size, "white"), with_alpha)
    written = BytesIO()
    upright.convert("RGB").save(written, "PNG")
    return written.getvalue()


def _png(picture: bytes) -> Pixels | None:
    """The pixels of a PNG whose rows are as those of a PDF; None for another one."""
    chunks: dict[bytes, bytes] = {}
    place = _SIGNATURE
    while place + 8 <= len(picture):
        length, name = struct.unpack_from(">I4s", picture, place)
        chunks[name] = chunks.get(name, b"") + picture[place + 8 : place + 8 + length]
        place += 12 + length
    width, height, bits, colours, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if bits != _BITS or colours not in {_GREY, _RGB} or interlaced or b"tRNS" in chunks:
        return None
    return Pixels((width, height), 1 if colours == _GREY else 3, "png", chunks[b"IDAT"])
