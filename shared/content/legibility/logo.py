"""The company's mark, LM: drawn, for slides that are given no file of it."""

from functools import cache

from PIL import Image, ImageDraw

from shared.content.legibility.picture import resized

_FINER = 4
_L = [(188, 290), (284, 290), (284, 604), (440, 604), (440, 690), (188, 690)]
_M = [
    *((484, 690), (484, 290), (584, 290), (648, 460), (712, 290), (812, 290), (812, 690)),
    *((720, 690), (720, 486), (674, 606), (622, 606), (576, 486), (576, 690)),
]
_BAR = (188, 742, 812, 772)
_CROP = (188, 290, 813, 773)


@cache
def white_mark(height: int) -> Image.Image:
    """The letters and their bar in white on nothing (RGBA), `height` pixels high, without clear space around them."""
    left, top, right, bottom = _CROP
    scale = height * _FINER / (bottom - top)
    size = (round((right - left) * scale), height * _FINER)
    mask = Image.new("L", size, 0)
    pen = ImageDraw.Draw(mask)
    for letter in (_L, _M):
        pen.polygon([((x - left) * scale, (y - top) * scale) for x, y in letter], fill=255)
    x0, y0, x1, y1 = _BAR
    pen.rectangle(((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale), fill=255)
    mask = resized(mask, (round(size[0] / _FINER), height))
    mark = Image.new("RGBA", mask.size, (255, 255, 255, 0))
    mark.putalpha(mask)
    return mark
