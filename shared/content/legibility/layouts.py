"""Slides as we set them: a photograph with a panel in the brand's colour, or the text alone on that colour."""

import re
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageOps

from shared.content.brand import Brand, Persona
from shared.content.legibility.contrast import Rgb
from shared.content.legibility.logo import white_mark
from shared.content.legibility.picture import resized
from shared.content.legibility.wrapping import Block, Type, largest_block

Layout = Literal["panel", "cover", "plain"]
Size = tuple[int, int]

_DESIGNED_FOR = 1080  # the width for which the measures below are pixels
_MARGIN, _BESIDE_THE_CROP = 84, 26
_CLEAR_SPACE = 56  # around the mark: more than half its height
_MARK = 78
_BAR = (96, 9)
_GAPS = {"above": 46, "bar": 38, "body": 30, "below": 76}
_COVER_MARGIN = 110
_SLANT = 44
_HEADLINE = Type(largest=84, smallest=52, weight=800, leading=1.14)
_BODY = Type(largest=44, smallest=36, weight=400, leading=1.4)
_COVER_HEADLINE = Type(largest=104, smallest=56, weight=800, leading=1.12)
_COVER_BODY = Type(largest=50, smallest=38, weight=400, leading=1.42)
_HIGHEST_PANEL = 0.66
_FEW_LINES = 3  # of a headline, as long as it can be large enough
_REGULAR = 400
_WHITE: Rgb = (255, 255, 255)


class TextDoesNotFit(ValueError):
    """The text is too long for a slide, even at the smallest size that can be read."""


@dataclass(frozen=True)
class Look:
    """Colours of a slide. `deep` is the darker end of the panel's gradient."""

    lead: Rgb
    deep: Rgb
    accent: Rgb

    @classmethod
    def of(cls, brand: Brand, persona: Persona) -> "Look":
        """The colours in which a persona leads."""
        name = brand.personas[persona].leads
        lead = _rgb(brand.colours[name])
        deep = brand.colours.get(f"{name}_hover")
        darker = _mix(_rgb(deep) if deep else lead, (0, 0, 0), 0.28)
        return cls(lead, darker, _rgb(brand.colours["energy_orange"]))


@dataclass(frozen=True)
class Page:
    """What a layout is given. `photograph` is RGB; `mark` RGBA, any size; `safe`: pixels at each side to keep free."""

    size: Size
    look: Look
    headline: str
    body: str
    photograph: Image.Image | None = None
    mark: Image.Image | None = None
    safe: int = 0
    type_scale: float = 1.0

    def px(self, measure: float) -> int:
        """A measure of the design in this page's pixels."""
        return round(measure * self.size[0] / _DESIGNED_FOR)

    @property
    def margin(self) -> int:
        """Pixels left and right of the text."""
        return max(self.px(_MARGIN), self.safe + self.px(_BESIDE_THE_CROP) if self.safe else 0)

    @property
    def text_width(self) -> int:
        """Pixels between the margins."""
        return self.size[0] - 2 * self.margin


def compose(page: Page, layout: Layout) -> Image.Image:
    """The finished slide, RGB. Work for a thread: about 0.2 s.

    Raises:
        TextDoesNotFit: see there.
    """
    if layout == "panel" and page.photograph is not None:
        return _panel(page, page.photograph)
    return _cover(page, page.photograph if layout == "cover" else None)


def _panel(page: Page, photograph: Image.Image) -> Image.Image:
    width, height = page.size
    mark = _mark(page)
    slant = page.px(_SLANT)
    around = slant + page.px(_GAPS["above"]) + page.px(_GAPS["below"])
    headline, body = _blocks(page, mark, (_HEADLINE, _BODY), round(height * _HIGHEST_PANEL) - around)
    edge = height - around - headline.height - _below_headline(page, body, mark)
    canvas = Image.new("RGB", page.size, page.look.lead)
    canvas.paste(ImageOps.fit(photograph, (width, edge + slant), Image.Resampling.LANCZOS), (0, 0))
    _lay_panel(canvas, page, edge, slant)
    _letter(canvas, page, headline, body, edge + slant + page.px(_GAPS["above"]))
    _place_mark(canvas, page, mark)
    return canvas


def _cover(page: Page, photograph: Image.Image | None) -> Image.Image:
    mark = _mark(page)
    canvas = _gradient(page.size, page.look.lead, page.look.deep)
    if photograph is not None:
        soft = ImageOps.fit(photograph, page.size, Image.Resampling.LANCZOS).convert("L").convert("RGB")
        soft = soft.filter(ImageFilter.GaussianBlur(page.px(26)))
        canvas = Image.blend(canvas, ImageChops.multiply(canvas, soft), 0.55)
    else:
        _rings(canvas, page)
    edge = page.px(_COVER_MARGIN)
    bar = page.px(_BAR[1]) + page.px(_GAPS["bar"])
    headline, body = _blocks(page, mark, (_COVER_HEADLINE, _COVER_BODY), page.size[1] - 2 * edge - bar)
    used = bar + headline.height + page.px(_GAPS["body"]) + body.height
    top = max(edge, (page.size[1] - used) // 2 - page.px(40))
    x, y = page.margin, top + page.px(_BAR[1])
    ImageDraw.Draw(canvas).rectangle((x, top, x + page.px(_BAR[0]) - 1, y - 1), fill=page.look.accent)
    _letter(canvas, page, headline, body, top + bar)
    _place_mark(canvas, page, mark)
    return canvas


def _below_headline(page: Page, body: Block, mark: Image.Image) -> int:
    # The mark stands beside the body's last lines, and under the headline when there is no body or a short one.
    return page.px(_GAPS["body"]) + max(body.height, mark.height + page.px(12))


def _blocks(page: Page, mark: Image.Image, kinds: tuple[Type, Type], free: int) -> tuple[Block, Block]:
    headline_type, body_type = (_scaled(page, kind) for kind in kinds)
    body_width = page.text_width - mark.width - page.px(_CLEAR_SPACE)
    body = _fitted(page.body, body_type, body_width, free)
    left = free - _below_headline(page, body, mark)
    return _fitted(page.headline, headline_type, page.text_width, left), body


def _fitted(text: str, kind: Type, width: int, height: int) -> Block:
    block = (
        largest_block(text, kind, width, height, _FEW_LINES if kind.weight > _REGULAR else 12)
        or largest_block(text, kind, width, height)
        or largest_block(_parted(text, kind, width), kind, width, height)
    )
    if block is None:
        raise TextDoesNotFit(f"{len(text)} characters do not fit on a slide: {text[:60]}…")
    return block


def _parted(text: str, kind: Type, width: int) -> str:
    """Words that are wider than the line at the smallest size, cut with hyphens."""
    most = max(4, int(width / (kind.smallest * 0.75)))
    return re.sub(rf"\S{{{most}}}(?=\S{{3}})", lambda found: found[0] + "- ", text)


def _scaled(page: Page, kind: Type) -> Type:
    largest = page.px(kind.largest * page.type_scale)
    return Type(largest, min(largest, page.px(kind.smallest)), kind.weight, kind.leading)


def _letter(canvas: Image.Image, page: Page, headline: Block, body: Block, top: int) -> None:
    pen = ImageDraw.Draw(canvas)
    _write(pen, headline, (page.margin, top), _WHITE)
    below = top + headline.height + page.px(_GAPS["body"])
    _write(pen, body, (page.margin, below), _mix(_WHITE, page.look.lead, 0.06))


def _write(pen: ImageDraw.ImageDraw, block: Block, corner: tuple[int, int], colour: Rgb) -> None:
    step = block.size * block.leading
    cap_height = 0.727 * block.size
    for number, line in enumerate(block.lines):
        baseline = corner[1] + step * number + (step + cap_height) / 2
        pen.text((corner[0], round(baseline)), line, font=block.font, fill=colour, anchor="ls")


def _mark(page: Page) -> Image.Image:
    height = page.px(_MARK)
    if page.mark is None:
        return white_mark(height)
    return ImageOps.contain(page.mark, (height * 3, height), Image.Resampling.LANCZOS)


def _place_mark(canvas: Image.Image, page: Page, mark: Image.Image) -> None:
    place = (canvas.width - page.margin - mark.width, canvas.height - page.px(_GAPS["below"]) - mark.height)
    canvas.paste(mark, place, mark)


def _lay_panel(canvas: Image.Image, page: Page, edge: int, slant: int) -> None:
    """The panel with an edge that rises to the right, a thin line in the accent colour along it, a shadow above."""
    width, height = canvas.size
    finer = 3
    outline = [(0, edge + slant), (width, edge), (width, height), (0, height)]
    large = [(x * finer, (y - edge) * finer) for x, y in outline]
    size = (width * finer, (height - edge) * finer)
    mask = _polygon(size, large)
    line = page.px(8) * finer
    stripe = _polygon(size, [large[0], large[1], (large[1][0], large[1][1] + line), (large[0][0], large[0][1] + line)])
    shadow = Image.new("L", canvas.size, 0)
    shadow.paste(mask, (0, edge - page.px(14)))
    soft = shadow.filter(ImageFilter.GaussianBlur(page.px(16)))
    canvas.paste((0, 0, 0), (0, 0), Image.eval(soft, lambda value: value * 0.35))
    canvas.paste(_gradient(mask.size, page.look.lead, page.look.deep), (0, edge), mask)
    canvas.paste(page.look.accent, (0, edge), stripe)


def _polygon(size: Size, points: list[tuple[int, int]]) -> Image.Image:
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask.reduce(3)


def _rings(canvas: Image.Image, page: Page) -> None:
    """Circles around a corner, as on the drawing of a turned part: quiet enough to read over."""
    finer = 2
    mask = Image.new("L", (canvas.width * finer, canvas.height * finer), 0)
    pen = ImageDraw.Draw(mask)
    x, y = mask.width, round(mask.height * 0.06)
    for radius in (190, 270, 300, 430, 560):
        reach = page.px(radius) * finer
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=34, width=page.px(3) * finer)
    canvas.paste(_WHITE, (0, 0), mask.reduce(finer))


def _gradient(size: Size, start: Rgb, end: Rgb) -> Image.Image:
    ramp = Image.linear_gradient("L")
    diagonal = Image.blend(ramp, ramp.transpose(Image.Transpose.ROTATE_90), 0.35)
    canvas = Image.new("RGB", size, start)
    canvas.paste(end, (0, 0), resized(diagonal, size))
    return canvas


def _rgb(colour: str) -> Rgb:
    red, green, blue = ImageColor.getrgb(colour.replace(" ", ",") if colour.startswith("hsl") else colour)[:3]
    return red, green, blue


def _mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
