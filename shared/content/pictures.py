"""Pixels: what a model drew, brought to a platform's exact size; photographs and slides, made fit to be sent along."""

import io

from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from shared.content.ports import PictureUnavailable
from shared.engine.errors import ModelOutputInvalid
from shared.model.calls import ReferenceImage

_FORMATS = ["PNG", "JPEG", "WEBP"]
_MOST_PIXELS = 64_000_000
# More than this off at one side, and words at the edge would be cut: then the picture is set on a ground instead.
_MOST_CUT = 0.06
_GROUND_BLUR = 40
_REFERENCE_SIDE = 1_536
_REVIEW_SIDE = 1_024
_REVIEW_QUALITY = 85


def drawn_picture(data: bytes) -> Image.Image:
    """A model's picture in RGB. Raises ModelOutputInvalid for what is no picture."""
    try:
        return _opened(data).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ModelOutputInvalid("The image model sent something that is no picture.") from error


def exactly(data: bytes, size: tuple[int, int]) -> bytes:
    """A PNG of exactly `size` pixels from a model's picture of any size, nothing stretched.

    The middle of it when that cuts off next to nothing; else all of it, on a blurred ground of its own colours.
    Raises ModelOutputInvalid for what is no picture.
    """
    picture = drawn_picture(data)
    fitted = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    if _cut_off(picture.size, size) > _MOST_CUT:
        fitted = fitted.filter(ImageFilter.GaussianBlur(_GROUND_BLUR))
        whole = ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
        fitted.paste(whole, ((size[0] - whole.width) // 2, (size[1] - whole.height) // 2))
    return _png(fitted)


def as_reference(data: bytes) -> ReferenceImage:
    """A photograph or a logo, upright and not larger than a model needs. Raises PictureUnavailable."""
    try:
        picture = ImageOps.exif_transpose(_opened(data))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise PictureUnavailable("the file is no picture") from error
    picture = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    picture.thumbnail((_REFERENCE_SIDE, _REFERENCE_SIDE), Image.Resampling.LANCZOS)
    return ReferenceImage(_png(picture), "image/png")


def for_review(data: bytes) -> ReferenceImage:
    """A finished slide as a reviewer sees it: a JPEG, 1,024 pixels on its longer side."""
    picture = _opened(data).convert("RGB")
    picture.thumbnail((_REVIEW_SIDE, _REVIEW_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_REVIEW_QUALITY)
    return ReferenceImage(file.getvalue(), "image/jpeg")


def _opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    if picture.width * picture.height > _MOST_PIXELS:
        raise ValueError(f"{picture.width} × {picture.height} pixels are too many")
    picture.load()
    return picture


def _cut_off(have: tuple[int, int], want: tuple[int, int]) -> float:
    """The share of a side that is lost when the middle is taken."""
    ratio = (have[0] / have[1]) / (want[0] / want[1])
    return 1 - min(ratio, 1 / ratio)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
