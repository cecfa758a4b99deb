"""Reference pictures in the drawing: the first as the photograph, logos in their corner, the others as cards."""

import io

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from infra.local.emulator.drawing.metal import place
from infra.local.emulator.google_errors import GoogleError
from infra.local.emulator.wire import InlineFile

_MOST_REFERENCES = 14
_LOGO_PIXELS = 420


def read_references(files: list[InlineFile]) -> list[Image.Image]:
    """The pictures of a prompt, upright.

    Raises:
        GoogleError: 400 for a file that is no picture, and for more than 14 of them.
    """
    if len(files) > _MOST_REFERENCES:
        raise GoogleError(400, f"Too many input images: {len(files)}. The model takes at most {_MOST_REFERENCES}.")
    found: list[Image.Image] = []
    for file in files:
        try:
            picture = Image.open(io.BytesIO(file.data))
            picture.load()
        except (UnidentifiedImageError, OSError) as error:
            raise GoogleError(400, "Unable to process input image. Please retry or report.") from error
        found.append(ImageOps.exif_transpose(picture).convert("RGBA"))
    return found


def is_logo(picture: Image.Image) -> bool:
    """True for a small picture with a transparent ground."""
    return max(picture.size) <= _LOGO_PIXELS and picture.getchannel("A").histogram()[0] > 0


def place_photograph(canvas: Image.Image, picture: Image.Image) -> None:
    """Fills the right two thirds (the lower two thirds of a tall canvas), fading into the background."""
    wide = canvas.width >= canvas.height
    size = (round(canvas.width * 0.7), canvas.height) if wide else (canvas.width, round(canvas.height * 0.7))
    photograph = ImageOps.fit(picture.convert("RGB"), size, Image.Resampling.LANCZOS)
    fade = Image.linear_gradient("L").point([min(255, value * 3) for value in range(256)])
    mask = (fade.transpose(Image.Transpose.ROTATE_90) if wide else fade).resize(size)
    canvas.paste(photograph, (canvas.width - size[0], canvas.height - size[1]), mask)


def place_cards(canvas: Image.Image, pictures: list[Image.Image]) -> None:
    """Further references as small framed cards along the upper edge."""
    side = round(min(canvas.size) * 0.24)
    for number, picture in enumerate(pictures[:4]):
        card = ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)
        ImageDraw.Draw(card).rectangle(
            (0, 0, side - 1, side - 1), outline=(255, 255, 255, 255), width=max(4, side // 36)
        )
        x = canvas.width - round(side * (0.7 + 1.15 * number))
        place(canvas, card, (x, round(side * 0.68)), shadow=90)


def place_logo(canvas: Image.Image, picture: Image.Image) -> None:
    """A logo in the lower right corner with clear space around it."""
    height = round(min(canvas.size) * 0.11)
    logo = ImageOps.contain(picture, (height * 3, height), Image.Resampling.LANCZOS)
    margin = height // 2
    canvas.paste(logo, (canvas.width - logo.width - margin, canvas.height - logo.height - margin), logo)
