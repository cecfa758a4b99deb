"""A sheet to draw on: shapes with gradients, soft shadows and turned layers, smooth at the edges.

Coordinates are pixels of the finished picture. Everything is drawn at twice the size and reduced at the end.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, pi, sin

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Color = tuple[int, int, int] | tuple[int, int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
Stop = tuple[float, Color]

_SCALE = 2


@dataclass(frozen=True)
class Gradient:
    """Colours along one axis, from `start` to `end` in pixels; past the ends the last colour goes on."""

    start: float
    end: float
    stops: Sequence[Stop]
    vertical: bool = True


Paint = Color | Gradient


def rgba(code: str, alpha: float = 1.0) -> Color:
    """`#004F8F` and an opacity from 0 to 1."""
    red, green, blue = (int(code[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue, round(alpha * 255)


def fade(
    start: float,
    end: float,
    first: str,
    last: str,
    *,
    via: tuple[float, str] | None = None,
    vertical: bool = True,
) -> Gradient:
    """From one colour to another, with a third one in between at a share of the way."""
    between = [(via[0], rgba(via[1]))] if via else []
    return Gradient(start, end, [(0.0, rgba(first)), *between, (1.0, rgba(last))], vertical)


def mix(first: Color, second: Color, share: float) -> Color:
    """`share` of the second colour in the first."""
    a, b = _with_alpha(first), _with_alpha(second)
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def arc(center: Point, radius: float, start: float, end: float, steps: int = 48) -> list[Point]:
    """Points on a circle; angles in degrees, 0 to the right, 90 downwards."""
    angles = (pi / 180 * (start + (end - start) * i / steps) for i in range(steps + 1))
    return [(center[0] + radius * cos(angle), center[1] + radius * sin(angle)) for angle in angles]


def smooth(points: Sequence[Point], steps: int = 16) -> list[Point]:
    """A closed curve through the points (Catmull-Rom)."""
    curve: list[Point] = []
    count = len(points)
    for i in range(count):
        p0, p1, p2, p3 = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            curve.append((_spline(p0[0], p1[0], p2[0], p3[0], t), _spline(p0[1], p1[1], p2[1], p3[1], t)))
    return curve


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


class Canvas:
    """Shapes land on top of what is there. `layer` draws on a sheet above, which is then turned and laid down."""

    def __init__(self, width: int, height: int, background: Paint | None = None) -> None:
        self.width, self.height = width, height
        self._image = Image.new("RGBA", (width * _SCALE, height * _SCALE), (0, 0, 0, 0))
        if background is not None:
            self.polygon([(0, 0), (width, 0), (width, height), (0, height)], background)

    def polygon(self, points: Sequence[Point], paint: Paint, holes: Sequence[Sequence[Point]] = ()) -> None:
        """A filled outline, without its holes."""
        box = _box(points)
        mask, draw = self._mask(box)
        draw.polygon(self._local(points, box), fill=255)
        for hole in holes:
            draw.polygon(self._local(hole, box), fill=0)
        self._lay(mask, box, paint)

    def ellipse(self, center: Point, radius_x: float, radius_y: float, paint: Paint) -> None:
        """A filled ellipse."""
        box = (center[0] - radius_x, center[1] - radius_y, center[0] + radius_x, center[1] + radius_y)
        mask, draw = self._mask(box)
        draw.ellipse([(0, 0), (mask.width - 1, mask.height - 1)], fill=255)
        self._lay(mask, box, paint)

    def circle(self, center: Point, radius: float, paint: Paint) -> None:
        """A filled circle."""
        self.ellipse(center, radius, radius, paint)

    def rectangle(self, box: Box, paint: Paint, radius: float = 0) -> None:
        """A filled rectangle with round corners."""
        mask, draw = self._mask(box)
        draw.rounded_rectangle([(0, 0), (mask.width - 1, mask.height - 1)], radius * _SCALE, fill=255)
        self._lay(mask, box, paint)

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A stroke with round ends and corners."""
        box = _grown(_box(points), width)
        mask, draw = self._mask(box)
        local = self._local(points, box)
        draw.line(local, fill=255, width=max(1, round(width * _SCALE)), joint="curve")
        half = width * _SCALE / 2
        for x, y in (local[0], local[-1]):
            draw.ellipse([(x - half, y - half), (x + half, y + half)], fill=255)
        self._lay(mask, box, color)

    def erase(self, points: Sequence[Point]) -> None:
        """Makes an outline transparent again."""
        ImageDraw.Draw(self._image).polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=(0, 0, 0, 0))

    def shadow(self, center: Point, radius_x: float, radius_y: float, strength: float = 0.28) -> None:
        """What a thing leaves on the ground under it."""
        margin = max(radius_x, radius_y) * 0.5
        box = (
            center[0] - radius_x - margin,
            center[1] - radius_y - margin,
            center[0] + radius_x + margin,
            center[1] + radius_y + margin,
        )
        # Soft anyway: an eighth of the size is enough, and quick.
        small = (max(8, round((box[2] - box[0]) / 4)), max(8, round((box[3] - box[1]) / 4)))
        mask = Image.new("L", small, 0)
        inset = margin / 4
        ImageDraw.Draw(mask).ellipse([inset, inset, small[0] - inset, small[1] - inset], fill=round(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(min(radius_x, radius_y) / 4 * 0.45 + 1))
        self._lay(mask.resize(self._size(box), Image.Resampling.BICUBIC), box, rgba("#0B2540"))

    def glow(self, box: Box, color: Color, blur: float) -> None:
        """A soft patch of light or colour."""
        wide = _grown(box, blur * 2)
        small = (max(4, round((wide[2] - wide[0]) / 4)), max(4, round((wide[3] - wide[1]) / 4)))
        mask = Image.new("L", small, 0)
        inset = blur / 2
        ImageDraw.Draw(mask).ellipse([inset, inset, small[0] - inset, small[1] - inset], fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(blur / 4))
        self._lay(mask.resize(self._size(wide), Image.Resampling.BICUBIC), wide, color)

    @contextmanager
    def layer(self, angle: float = 0.0, center: Point | None = None) -> Iterator["Canvas"]:
        """A sheet above this one, turned counter-clockwise by `angle` degrees when it is laid down."""
        sheet = Canvas(self.width, self.height)
        yield sheet
        image = sheet._image
        if angle:
            at = center or (self.width / 2, self.height / 2)
            middle = (at[0] * _SCALE, at[1] * _SCALE)
            image = image.rotate(angle, Image.Resampling.BICUBIC, center=middle)
        self._image.alpha_composite(image)

    def finish(self) -> Image.Image:
        """The picture at its size."""
        return self._image.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def _mask(self, box: Box) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        mask = Image.new("L", self._size(box), 0)
        return mask, ImageDraw.Draw(mask)

    def _size(self, box: Box) -> tuple[int, int]:
        left, top, right, bottom = (round(edge * _SCALE) for edge in box)
        return max(1, right - left), max(1, bottom - top)

    def _local(self, points: Sequence[Point], box: Box) -> list[Point]:
        left, top = round(box[0] * _SCALE), round(box[1] * _SCALE)
        return [(x * _SCALE - left, y * _SCALE - top) for x, y in points]

    def _lay(self, mask: Image.Image, box: Box, paint: Paint) -> None:
        left, top = round(box[0] * _SCALE), round(box[1] * _SCALE)
        if isinstance(paint, Gradient):
            patch = _gradient(paint, mask.size, left if not paint.vertical else top)
        else:
            patch = Image.new("RGBA", mask.size, paint)
        patch.putalpha(ImageChops.multiply(patch.getchannel("A"), mask))
        # alpha_composite takes no place outside of the sheet.
        crop = (max(0, -left), max(0, -top), patch.width, patch.height)
        if crop[0] < crop[2] and crop[1] < crop[3]:
            self._image.alpha_composite(patch.crop(crop), (max(0, left), max(0, top)))


def _gradient(paint: Gradient, size: tuple[int, int], offset: int) -> Image.Image:
    length = size[1] if paint.vertical else size[0]
    strip = Image.new("RGBA", (length, 1))
    span = (paint.end - paint.start) * _SCALE or 1
    strip.putdata([_color_at(paint.stops, (offset + i - paint.start * _SCALE) / span) for i in range(length)])
    if paint.vertical:
        strip = strip.transpose(Image.Transpose.ROTATE_270)
    return strip.resize(size, Image.Resampling.NEAREST)


def _color_at(stops: Sequence[Stop], at: float) -> Color:
    previous = stops[0]
    for stop in stops:
        if at <= stop[0]:
            width = stop[0] - previous[0]
            return mix(previous[1], stop[1], (at - previous[0]) / width) if width else _with_alpha(stop[1])
        previous = stop
    return _with_alpha(previous[1])


def _with_alpha(color: Color) -> tuple[int, int, int, int]:
    return color if len(color) == 4 else (*color, 255)


def _box(points: Sequence[Point]) -> Box:
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs), min(ys), max(xs), max(ys)


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by
