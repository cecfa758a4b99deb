"""Brand colours, metals, and the parts that every screw and drill is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from infra.local.seed.drawing.canvas import Canvas, Color, Gradient, Point, Stop, fade, mix, rgba

BLUE, GREEN, ORANGE = rgba("#004F8F"), rgba("#1A7A3E"), rgba("#F07818")
INK, WHITE, BLACK = rgba("#243447"), rgba("#FFFFFF"), rgba("#000000")

# Across a polished cylinder that is lit from the left: edge, light, body, shade, reflected edge.
_ROUND = (0.0, 0.10, 0.27, 0.36, 0.60, 0.88, 1.0)


@dataclass(frozen=True)
class Metal:
    """A metal's colours across something round, at the places of `_ROUND`."""

    across: Sequence[Color]

    def round(self, start: float, end: float, *, vertical: bool = False, shade: float = 0.0) -> Gradient:
        """Paint for a cylinder between two edges. `shade` from -1 (white) to 1 (black) moves it all."""
        toward = BLACK if shade > 0 else WHITE
        stops: list[Stop] = [
            (at, mix(color, toward, abs(shade))) for at, color in zip(_ROUND, self.across, strict=True)
        ]
        return Gradient(start, end, stops, vertical)

    def flat(self, start: float, end: float, *, vertical: bool = True) -> Gradient:
        """Paint for a brushed plane."""
        return Gradient(start, end, [(0, self.across[2]), (0.45, self.across[4]), (1, self.across[5])], vertical)


def _metal(*codes: str) -> Metal:
    return Metal([rgba(code) for code in codes])


TITANIUM = _metal("#5D6873", "#98A4AF", "#F3F6F9", "#E3E9EE", "#AEB9C3", "#66727E", "#87939E")
STEEL = _metal("#55606B", "#A3AEB8", "#FFFFFF", "#F0F4F7", "#BCC6CF", "#737F8B", "#9AA6B1")
ANODISED_BLUE = _metal("#00284B", "#0A5CA3", "#7FBBEA", "#4C98D6", "#0A5FA8", "#003B6D", "#1B5F9C")
ANODISED_GREEN = _metal("#0A3A1D", "#1C7A42", "#7CCB98", "#4FAE74", "#1E8247", "#0E4F29", "#2B7A49")
ANODISED_GOLD = _metal("#6B4A12", "#B98A35", "#FBE3A6", "#EBC675", "#C2933B", "#7F5A1B", "#A67C35")
DARK = _metal("#1B242D", "#36434F", "#7E8C99", "#5A6874", "#38444F", "#1F2831", "#3C4853")


def cylinder(
    canvas: Canvas, x: float, top: float, bottom: float, radius: float, metal: Metal, shade: float = 0
) -> None:
    """An upright round bar."""
    canvas.rectangle((x - radius, top, x + radius, bottom), metal.round(x - radius, x + radius, shade=shade))


def cone(
    canvas: Canvas, x: float, top: float, bottom: float, radii: tuple[float, float], metal: Metal, shade: float = 0
) -> None:
    """An upright round bar whose radius changes from top to bottom."""
    first, second = radii
    widest = max(radii)
    outline = [(x - first, top), (x + first, top), (x + second, bottom), (x - second, bottom)]
    canvas.polygon(outline, metal.round(x - widest, x + widest, shade=shade))


@dataclass(frozen=True)
class Thread:
    """A screw's thread: `core` and `crest` are radii at its top and at its end, `pitch` from turn to turn.

    Over the last `tip` pixels it runs out to a point.
    """

    core: tuple[float, float]
    crest: tuple[float, float]
    pitch: float
    tip: float = 0.0

    def radii(self, at: float, length: float) -> tuple[float, float]:
        """Core and crest `at` pixels below the top."""
        share = min(1.0, max(0.0, at / length))
        core = self.core[0] + (self.core[1] - self.core[0]) * share
        crest = self.crest[0] + (self.crest[1] - self.crest[0]) * share
        grown = min(1.0, max(0.0, at / self.pitch))  # the first turn rises out of the shaft
        left = min(1.0, max(0.0, (length - at) / self.tip)) if self.tip else 1.0
        return core * left**0.8, (core + (crest - core) * grown) * left**0.6


def threaded(canvas: Canvas, x: float, top: float, bottom: float, thread: Thread, metal: Metal) -> None:
    """An upright shaft with a right-hand thread."""
    length = bottom - top
    heights = [length * i / 60 for i in range(61)]
    sides = [(thread.radii(at, length)[0], top + at) for at in heights]
    widest = max(thread.core)
    outline = [(x + radius, y) for radius, y in sides] + [(x - radius, y) for radius, y in reversed(sides)]
    canvas.polygon(outline, metal.round(x - widest, x + widest, shade=0.14))
    at = thread.pitch * 0.3
    while at < length - thread.pitch * 0.35:
        _turn(canvas, x, top + at, thread, thread.radii(at + thread.pitch / 2, length), thread.radii(at, length), metal)
        at += thread.pitch


def _turn(
    canvas: Canvas,
    x: float,
    y: float,
    thread: Thread,
    left: tuple[float, float],
    right: tuple[float, float],
    metal: Metal,
) -> None:
    """One visible half turn, lower on the left than on the right: the upper flank lit, the lower in the shade."""
    (core_l, crest_l), (core_r, crest_r) = left, right
    half, land = thread.pitch * 0.30, thread.pitch * 0.06
    low, high = y + thread.pitch * 0.5, y
    widest = max(crest_l, crest_r, 1)
    upper = [(x - core_l, low - half), (x - crest_l, low - land), (x + crest_r, high - land), (x + core_r, high - half)]
    edge = [
        (x - crest_l, low - land),
        (x - crest_l, low + land),
        (x + crest_r, high + land),
        (x + crest_r, high - land),
    ]
    lower = [(x - crest_l, low + land), (x - core_l, low + half), (x + core_r, high + half), (x + crest_r, high + land)]
    for outline, shade in ((upper, -0.12), (edge, -0.45), (lower, 0.30)):
        canvas.polygon(outline, metal.round(x - widest, x + widest, shade=shade))


def fluted(canvas: Canvas, x: float, top: float, bottom: float, radius: float, metal: Metal) -> None:
    """The cutting part of a twist drill, with its point at the bottom."""
    pitch, body = radius * 3.1, bottom - radius * 1.15
    canvas.polygon(
        [(x - radius, top), (x + radius, top), (x + radius, body), (x, bottom), (x - radius, body)],
        metal.round(x - radius, x + radius),
    )
    with canvas.layer() as flutes:
        y = top + pitch * 0.2
        while y < bottom + pitch:
            _flute(flutes, x, y, radius, pitch)
            y += pitch
        point = [(x - radius, body), (x, bottom), (x + radius, body), (x + radius, bottom + pitch * 2)]
        flutes.erase([*point, (x - radius, bottom + pitch * 2)])


def _flute(canvas: Canvas, x: float, y: float, radius: float, pitch: float) -> None:
    """One groove: it starts thin at the right edge, is widest in the middle and ends thin, lower, at the left edge."""
    steps = [i / 24 for i in range(25)]

    def along(share: float, offset: float) -> Point:
        across = cos(pi * share)  # even turning, seen from the side
        width = sin(pi * share) * pitch * 0.27
        return x + radius * across, y + pitch * 0.95 * share + offset * width

    groove = [along(share, -1) for share in steps] + [along(share, 1) for share in reversed(steps)]
    dark = [(0, rgba("#3A4550")), (0.35, rgba("#6B7783")), (0.7, rgba("#A7B2BC")), (1, rgba("#59646F"))]
    canvas.polygon(groove, Gradient(x - radius, x + radius, dark, vertical=False))
    canvas.line([along(share, 1) for share in steps[1:-1]], 2.2, rgba("#FFFFFF", 0.75))


def plate_hole(canvas: Canvas, center: Point, radius: float, *, locking: bool = True) -> None:
    """A countersunk screw hole seen from above, with the turns of a locking thread."""
    y = center[1]
    canvas.circle(center, radius * 1.05, fade(y - radius, y + radius, "#5A6570", "#FFFFFF"))
    canvas.circle(center, radius, fade(y - radius, y + radius, "#66727E", "#DDE4EA"))
    if locking:
        for share in (0.86, 0.76):
            canvas.circle(center, radius * share, rgba("#4C5762", 0.55))
            canvas.circle(center, radius * (share - 0.045), rgba("#A9B5C0"))
    inner = radius * 0.64
    canvas.circle(center, inner, fade(y - inner, y + inner, "#1D2731", "#55626E"))


def screw_head(canvas: Canvas, center: Point, radius: float, metal: Metal) -> None:
    """A round head with a hexagonal recess, seen from above."""
    x, y = center
    canvas.circle(center, radius, metal.round(x - radius, x + radius))
    canvas.circle(center, radius * 0.86, metal.round(y - radius, y + radius, vertical=True, shade=-0.15))
    hexagon = [(x + radius * 0.45 * cos(pi / 3 * i), y + radius * 0.45 * sin(pi / 3 * i)) for i in range(6)]
    canvas.polygon(hexagon, fade(y - radius * 0.4, y + radius * 0.4, "#0F161D", "#55626E"))
