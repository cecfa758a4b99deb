"""From a request to a picture: what to draw, how large, with which words and references in it."""

import io
import random
import re
import zlib
from dataclasses import dataclass

from PIL import Image, ImageOps

from infra.local.emulator.answer import Picture
from infra.local.emulator.drawing.backgrounds import STYLES, background, is_dark
from infra.local.emulator.drawing.lettering import Box, caption, letter
from infra.local.emulator.drawing.palette import Palette, palette_of
from infra.local.emulator.drawing.references import is_logo, place_cards, place_logo, place_photograph, read_references
from infra.local.emulator.drawing.scenes import Stage, draw_scene, part_for
from infra.local.emulator.drawing.sizes import pixels
from infra.local.emulator.drawing.slide import SlideWish, draw_slide
from infra.local.emulator.wire import GenerateRequest, field
from infra.local.emulator.writing.brief import Brief

_NO_TEXT = re.compile(
    r"\b(?:no|without(?: any)?|sem(?: nenhum)?|nenhum)\s+(?:text|texto|letters|letras|words|palavras)\b", re.IGNORECASE
)
_QUOTED = re.compile(
    r"(?:text|texto|headline|title|título|words?|palavras?|reads?|says?|diz|escrit\w+|lettering|caption|legenda|body|corpo|cta|slogan)"
    r"[^\"“«\n]{0,60}[\"“«]([^\"”»\n]{2,240})[\"”»]",
    re.IGNORECASE,
)
_TEXT_INPUTS = ("headline", "title_text", "text", "text_on_image", "body", "cta", "overlay_text")
_THOUGHT_SIZE = (344, 344)

Size = tuple[int, int]


@dataclass(frozen=True)
class Wish:
    """What a prompt asks to be drawn."""

    prompt: str
    subjects: list[str]
    texts: list[str]

    @classmethod
    def of(cls, prompt: str) -> "Wish":
        """Reads a prompt."""
        brief = Brief(prompt)
        named = [brief.get(name) for name in ("scene", "visual", "topic", "angle", "headline")]
        subjects = [text for text in named if text] or [prompt]
        if _NO_TEXT.search(prompt):
            return cls(prompt, subjects, [])
        given = [brief.get(name) for name in _TEXT_INPUTS if brief.get(name)]
        return cls(prompt, subjects, given or list(dict.fromkeys(_QUOTED.findall(prompt)))[:4])


def draw(request: GenerateRequest, *, illegible: bool = False) -> Picture:
    """The picture for a request, deterministic in its prompt; `illegible`: the words of a slide cannot be read.

    Raises:
        GoogleError: 400 for an unknown ratio or size and for references that are no pictures.
    """
    config = field(request.config, "imageConfig") or {}
    size_name = str(field(config, "imageSize") or "1K").upper()
    size = pixels(field(config, "aspectRatio") or "1:1", size_name)
    wish = Wish.of(request.prompt_text)
    drawn_size, references = _drawn_size(size, size_name), read_references(request.files)
    slide = _slide_wish(wish)
    if slide is not None:
        pictures = _photograph_and_logo(references, Brief(wish.prompt))
        chance = random.Random(zlib.crc32(wish.prompt.encode()))
        finished = draw_slide(drawn_size, slide, palette_of(wish.prompt), chance, pictures, illegible=illegible)
    else:
        finished = _draw(wish, drawn_size, references)
    finished = finished if finished.size == size else finished.resize(size, Image.Resampling.BICUBIC)
    thought = ImageOps.contain(finished, _THOUGHT_SIZE)
    thought_png = _png(ImageOps.posterize(thought, 3))
    if slide is not None:
        return Picture(_jpeg(finished), size_name, thought_png, "image/jpeg")
    return Picture(_png(finished), size_name, thought_png)


def _slide_wish(wish: Wish) -> SlideWish | None:
    """The wish as one for a slide: a prompt with the inputs `headline` and `series`."""
    brief = Brief(wish.prompt)
    if not wish.texts or not (brief.get("headline") and brief.get("series")):
        return None
    return SlideWish(wish.texts, wish.subjects, brief.get("series"), is_wordy=brief.get("style") == "text-heavy")


def _photograph_and_logo(references: list[Image.Image], brief: Brief) -> tuple[Image.Image | None, Image.Image | None]:
    """The references by what the prompt calls them, in order: `1. photograph: …`, `2. logo: …`."""
    named = dict(zip((line.split(":")[0] for line in brief.lines("references")), references, strict=False))
    found = {name.split(".")[-1].strip(): picture for name, picture in named.items()}
    return found.get("photograph"), found.get("logo")


def _draw(wish: Wish, size: Size, references: list[Image.Image]) -> Image.Image:
    chance = random.Random(zlib.crc32(wish.prompt.encode()))
    palette = palette_of(wish.prompt)
    style = chance.choice(STYLES)
    canvas = background(size, palette, style, chance)
    logos = [picture for picture in references if is_logo(picture)]
    photographs = [picture for picture in references if not is_logo(picture)]
    if photographs:
        place_photograph(canvas, photographs[0])
        place_cards(canvas, photographs[1:])
    else:
        draw_scene(_stage(canvas, wish, palette, chance), wish.subjects)
    if wish.texts:
        letter(canvas, wish.texts, _quiet_box(size), palette, dark=is_dark(style))
    for logo in logos[:1]:
        place_logo(canvas, logo)
    wide = size[0] > size[1] * 1.2
    caption(canvas, dark=style == "deep" or (is_dark(style) and wide) or (bool(photographs) and not wide))
    return canvas


def _stage(canvas: Image.Image, wish: Wish, palette: Palette, chance: random.Random) -> Stage:
    width, height = canvas.size
    wide = width > height * 1.2
    centre = (
        (round(width * 0.68), height // 2) if wide else (width // 2, round(height * (0.64 if wish.texts else 0.55)))
    )
    unit = round(height * 0.86) if wide else round(min(width * 0.8, height * 0.62))
    return Stage(canvas, centre, unit, palette, part_for(wish.subjects), chance)


def _quiet_box(size: Size) -> Box:
    width, height = size
    if width > height * 1.2:
        return Box(round(width * 0.05), round(height * 0.12), round(width * 0.34), round(height * 0.74))
    return Box(round(width * 0.07), round(height * 0.05), round(width * 0.86), round(height * 0.27))


def _drawn_size(size: Size, name: str) -> Size:
    # Larger sizes are drawn somewhat smaller and enlarged: time matters more than the last detail.
    share = {"1K": 1.0, "2K": 0.64, "4K": 0.36}[name]
    return round(size[0] * share), round(size[1] * share)


def _jpeg(picture: Image.Image) -> bytes:
    # A carousel is many pictures at once, and this takes a tenth of a PNG's time.
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
