"""Scenes: a part and what happens to it, chosen by the words of the prompt and drawn around a centre."""

import math
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageDraw

from infra.local.emulator.drawing.metal import DRAWN_SCALE, place, smooth
from infra.local.emulator.drawing.palette import Palette, Rgb, mix
from infra.local.emulator.drawing.parts import bone_plate, bone_screw, dental_implant, turned_shaft
from infra.local.emulator.language import fold

_INK: Rgb = (20, 36, 58)
PartDrawer = Callable[[int, Palette], Image.Image]


@dataclass(frozen=True)
class Stage:
    """Where a scene is drawn: canvas, centre of the subject, and the unit that everything is measured in."""

    canvas: Image.Image
    centre: tuple[int, int]
    unit: int
    palette: Palette
    part: PartDrawer
    chance: random.Random

    def at(self, x: float, y: float) -> tuple[int, int]:
        """A point relative to the centre, in units."""
        return round(self.centre[0] + x * self.unit), round(self.centre[1] + y * self.unit)

    @contextmanager
    def sketch(self) -> "Iterator[Sketch]":
        """Draws shapes around the centre at twice the size, reduced onto the canvas at the end."""
        reach = self.unit
        left, top = max(0, self.centre[0] - reach), max(0, self.centre[1] - reach)
        right, bottom = min(self.canvas.width, self.centre[0] + reach), min(self.canvas.height, self.centre[1] + reach)
        layer = Image.new("RGBA", ((right - left) * DRAWN_SCALE, (bottom - top) * DRAWN_SCALE), (255, 255, 255, 0))
        origin = ((self.centre[0] - left) * DRAWN_SCALE, (self.centre[1] - top) * DRAWN_SCALE)
        yield Sketch(layer, origin, self.unit * DRAWN_SCALE)
        reduced = smooth(layer)
        self.canvas.paste(reduced, (left, top), reduced)


class Sketch(ImageDraw.ImageDraw):
    """A pen that measures in units around a centre."""

    def __init__(self, layer: Image.Image, origin: tuple[int, int], unit: int) -> None:
        super().__init__(layer, "RGBA")
        self.origin = origin
        self.unit = unit

    def at(self, x: float, y: float) -> tuple[int, int]:
        """A point relative to the centre, in units."""
        return round(self.origin[0] + x * self.unit), round(self.origin[1] + y * self.unit)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[int, int, int, int]:
        """A box relative to the centre, in units."""
        return (*self.at(x0, y0), *self.at(x1, y1))


def draw_scene(stage: Stage, texts: list[str]) -> None:
    """The scene of the first text that speaks of one; the part alone when none does."""
    for text in texts:
        for pattern, scene in _SCENES:
            if re.search(pattern, fold(text)):
                scene(stage)
                return
    _alone(stage)


def part_for(texts: list[str]) -> PartDrawer:
    """The part that the first text names that names any; a turned part when none does."""
    for text in texts:
        folded = fold(text)
        found = [(match.start(), part) for pattern, part in _PARTS if (match := re.search(pattern, folded))]
        if found:
            return min(found, key=lambda pair: pair[0])[1]
    return turned_shaft


def _alone(stage: Stage) -> None:
    lean = stage.chance.uniform(-32, -20)
    place(stage.canvas, stage.part(round(stage.unit * 1.02), stage.palette), stage.at(-0.02, 0.0), angle=lean)
    place(stage.canvas, stage.part(round(stage.unit * 0.56), stage.palette), stage.at(0.52, 0.2), angle=lean + 46)


def _measured(stage: Stage) -> None:
    """A probe of a coordinate measuring machine touches the part; dimension lines beside it."""
    place(stage.canvas, stage.part(round(stage.unit * 0.74), stage.palette), stage.at(-0.06, 0.17), angle=-6)
    with stage.sketch() as pen:
        width = pen.unit
        pen.rounded_rectangle(pen.box(0.2, -0.76, 0.4, -0.4), radius=width // 40, fill=mix(_INK, (255, 255, 255), 0.12))
        pen.rectangle(pen.box(0.205, -0.47, 0.395, -0.445), fill=stage.palette.accent)
        tip = pen.at(0.09, -0.225)
        pen.line((*pen.at(0.3, -0.4), *tip), fill=(205, 214, 224), width=width // 55)
        ball = width * 0.036
        pen.ellipse((tip[0] - ball, tip[1] - ball, tip[0] + ball, tip[1] + ball), fill=(178, 24, 44))
        pen.ellipse((tip[0] - ball * 0.5, tip[1] - ball * 0.6, tip[0], tip[1] - ball * 0.1), fill=(255, 190, 196, 200))
        _dimension(pen, stage.palette.accent, (0.3, -0.19), (0.3, 0.53))


def _polished(stage: Stage) -> None:
    """A bright part above a roughness profile that calms down from left to right."""
    place(stage.canvas, stage.part(round(stage.unit * 0.84), stage.palette), stage.at(0.0, -0.12), angle=-58)
    with stage.sketch() as pen:
        pen.line(
            (*pen.at(-0.66, 0.42), *pen.at(0.66, 0.42)), fill=(*stage.palette.accent, 90), width=max(2, pen.unit // 260)
        )
        points: list[tuple[int, int]] = []
        for step in range(161):
            share = step / 160
            height = (1 - share) ** 2 * 0.08 * math.sin(step * 1.9) + (1 - share) * 0.025 * math.sin(step * 5.3)
            points.append(pen.at(-0.66 + 1.32 * share, 0.42 + height))
        pen.line(points, fill=stage.palette.accent, width=pen.unit // 120, joint="curve")
        for x, y, size in ((0.22, -0.42, 0.07), (0.42, -0.2, 0.045), (-0.2, -0.3, 0.05)):
            _sparkle(pen, (x, y), size)


def _marked(stage: Stage) -> None:
    """A laser writes a code; the code is shown large beside the part."""
    place(stage.canvas, stage.part(round(stage.unit * 0.92), stage.palette), stage.at(-0.22, 0.05), angle=-18)
    with stage.sketch() as pen:
        target = pen.at(-0.18, 0.04)
        for width, opacity in ((40, 50), (18, 120), (6, 255)):
            pen.line(
                (*pen.at(0.06, -0.76), *target),
                fill=(*stage.palette.accent, opacity),
                width=max(2, pen.unit * width // 1400),
            )
        for size, opacity in ((0.075, 80), (0.04, 160), (0.016, 255)):
            reach = pen.unit * size
            pen.ellipse(
                (target[0] - reach, target[1] - reach, target[0] + reach, target[1] + reach),
                fill=(255, 236, 200, opacity),
            )
        _data_matrix(pen, stage, (0.18, -0.2), 0.4)


def _recorded(stage: Stage) -> None:
    """A record with its checks, the part in front of it."""
    sheet = _sheet(round(stage.unit * 0.98 * DRAWN_SCALE), stage.palette)
    place(stage.canvas, smooth(sheet), stage.at(-0.12, 0.0), angle=5, shadow=90)
    place(stage.canvas, stage.part(round(stage.unit * 0.78), stage.palette), stage.at(0.34, 0.14), angle=-30)


def _sheet(height: int, palette: Palette) -> Image.Image:
    """A list of which all but the last line are done."""
    width = round(height * 0.755)
    sheet = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    pen = ImageDraw.Draw(sheet)
    pen.rounded_rectangle(
        (0, 0, width - 1, height - 1), radius=width // 26, fill="white", outline=(*palette.main, 90), width=3
    )
    pen.rounded_rectangle((0, 0, width - 1, height * 0.13), radius=width // 26, fill=palette.main)
    pen.rectangle((0, height * 0.09, width - 1, height * 0.13), fill=palette.main)
    for row, reach in enumerate((0.86, 0.7, 0.8, 0.62, 0.76, 0.55)):
        y = height * (0.22 + row * 0.115)
        colour = palette.second if row < 5 else mix(palette.main, (255, 255, 255), 0.65)
        box = (width * 0.09, y, width * 0.17, y + width * 0.08)
        pen.rounded_rectangle(box, radius=width // 60, outline=colour, width=max(3, width // 120))
        if row < 5:
            tick = [
                (width * 0.105, y + width * 0.042),
                (width * 0.128, y + width * 0.062),
                (width * 0.168, y + width * 0.008),
            ]
            pen.line(tick, fill=colour, width=max(4, width // 60), joint="curve")
        for end, top, shade in ((reach, 0.012, 0.45), (reach - 0.16, 0.052, 0.75)):
            line = (width * 0.24, y + width * top, width * end, y + width * (top + 0.02))
            pen.rounded_rectangle(line, radius=width // 90, fill=mix(_INK, (255, 255, 255), shade))
    return sheet


def _clean(stage: Stage) -> None:
    """A bright room: light panels above, a tray with parts below."""
    main = stage.palette.main
    with stage.sketch() as pen:
        for near, far in ((0.98, 0.66), (0.6, 0.44), (0.4, 0.31)):
            for column in (-1.5, -0.5, 0.5, 1.5):
                panel = [
                    ((column + side) * 0.52 * depth, -0.16 - 0.42 * depth)
                    for side, depth in ((-0.4, near), (0.4, near), (0.4, far), (-0.4, far))
                ]
                pen.polygon(
                    [pen.at(*corner) for corner in panel],
                    fill=(255, 255, 255, 235),
                    outline=(*main, 110),
                    width=pen.unit // 300,
                )
        tray = [pen.at(-0.56, 0.14), pen.at(0.56, 0.14), pen.at(0.7, 0.5), pen.at(-0.7, 0.5)]
        pen.polygon(
            tray, fill=mix(main, (255, 255, 255), 0.70), outline=mix(main, (255, 255, 255), 0.35), width=pen.unit // 200
        )
        front = [tray[3], tray[2], pen.at(0.69, 0.545), pen.at(-0.69, 0.545)]
        pen.polygon(front, fill=mix(main, (255, 255, 255), 0.42))
    for position, x in enumerate((-0.4, -0.135, 0.135, 0.4)):
        place(
            stage.canvas,
            stage.part(round(stage.unit * 0.54), stage.palette),
            stage.at(x * 1.04, 0.16),
            angle=position * 1.5 - 2,
            shadow=80,
        )


def _turned(stage: Stage) -> None:
    """A bar in a guide bushing with the tool at its edge."""
    white: Rgb = (255, 255, 255)
    with stage.sketch() as pen:
        for reach, share in ((0.5, 0.3), (0.47, 0.55), (0.34, 0.22), (0.315, 0.66), (0.17, 0.0)):
            pen.ellipse(
                pen.box(-0.16 - reach, -0.08 - reach, -0.16 + reach, -0.08 + reach), fill=mix(_INK, white, share)
            )
        for bolt in range(6):
            angle = math.radians(30 + bolt * 60)
            x, y = -0.16 + 0.405 * math.cos(angle), -0.08 + 0.405 * math.sin(angle)
            pen.ellipse(pen.box(x - 0.026, y - 0.026, x + 0.026, y + 0.026), fill=_INK)
    place(stage.canvas, stage.part(round(stage.unit * 0.86), stage.palette), stage.at(0.2, 0.06), angle=60)
    with stage.sketch() as pen:
        pen.polygon(
            [pen.at(0.3, 0.36), pen.at(0.62, 0.5), pen.at(0.56, 0.62), pen.at(0.24, 0.48)], fill=mix(_INK, white, 0.22)
        )
        pen.polygon(
            [pen.at(0.2, 0.2), pen.at(0.33, 0.34), pen.at(0.2, 0.48), pen.at(0.07, 0.34)], fill=stage.palette.accent
        )
        pen.ellipse(pen.box(0.175, 0.315, 0.225, 0.365), fill=_INK)


def _dimension(pen: Sketch, colour: Rgb, start: tuple[float, float], end: tuple[float, float]) -> None:
    a, b = pen.at(*start), pen.at(*end)
    width = max(3, pen.unit // 220)
    pen.line((*a, *b), fill=colour, width=width)
    angle = math.atan2(b[1] - a[1], b[0] - a[0])
    tip, reach = pen.unit * 0.032, pen.unit * 0.035
    for point, turn in ((a, 0.0), (b, math.pi)):
        wings = [_moved(point, angle + turn + side, tip) for side in (-0.35, 0.35)]
        pen.polygon([point, *wings], fill=colour)
        across = angle + math.pi / 2
        pen.line((*_moved(point, across, -reach), *_moved(point, across, reach)), fill=colour, width=width)


def _moved(point: tuple[int, int], angle: float, distance: float) -> tuple[float, float]:
    return point[0] + distance * math.cos(angle), point[1] + distance * math.sin(angle)


def _sparkle(pen: Sketch, centre: tuple[float, float], size: float) -> None:
    long, short = size * pen.unit, size * pen.unit * 0.2
    x, y = pen.at(*centre)
    rays = [_moved((x, y), math.radians(45 * ray), long if ray % 2 == 0 else short) for ray in range(8)]
    pen.polygon(rays, fill=(255, 255, 255, 245))


def _data_matrix(pen: Sketch, stage: Stage, corner: tuple[float, float], side: float) -> None:
    cells = 16
    x0, y0 = pen.at(*corner)
    cell = side * pen.unit / cells
    quiet = cell * 1.4
    frame = (x0 - quiet, y0 - quiet, x0 + cells * cell + quiet, y0 + cells * cell + quiet)
    pen.rounded_rectangle(frame, radius=cell, fill=(255, 255, 255, 245), outline=(*stage.palette.main, 120), width=4)
    for row in range(cells):
        for column in range(cells):
            edge = (
                column == 0
                or row == cells - 1
                or (row == 0 and column % 2 == 0)
                or (column == cells - 1 and row % 2 == 1)
            )
            inside = 0 < column < cells - 1 and 0 < row < cells - 1 and stage.chance.random() < 0.48
            if edge or inside:
                x, y = x0 + column * cell, y0 + row * cell
                pen.rectangle((x, y, x + cell, y + cell), fill=_INK)


_PARTS: tuple[tuple[str, PartDrawer], ...] = (
    (r"dent|odont|abutment|hexag|pilar", dental_implant),
    (r"tplo|placa|plate|veterin|trauma", bone_plate),
    (r"parafuso|screw|pedic|coluna|spin|haste", bone_screw),
    (r"implant", dental_implant),
)

_SCENES: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    (r"laser|udi\b|datamatrix|rastreab|traceab|marking|gravacao", _marked),
    (r"electropolish|eletropol|rugosid|roughness|mirror|surface|acabamento|polid", _polished),
    (r"coordinate|cmm|metrolog|measur|\bmedir|medicao|caliper|inspection light|probe", _measured),
    (r"clean room|sala limpa|gloved|tray|steril|esteril", _clean),
    (r"binder|record|registro|document|archive|office|drawing|files|audit|qualidade|quality|iso \d", _recorded),
    (r"lathe|torno|machining|usinag|turning|bushing|\bcnc\b|bars?\b", _turned),
)
