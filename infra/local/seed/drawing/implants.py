"""Products that stay in the body: spine, trauma, cranial and dental, and those for animals."""

from math import cos, pi, sin

from infra.local.seed.drawing.canvas import Canvas, Gradient, Point, arc, rgba, smooth
from infra.local.seed.drawing.metal import (
    ANODISED_BLUE,
    ANODISED_GOLD,
    ANODISED_GREEN,
    STEEL,
    TITANIUM,
    Metal,
    Thread,
    cone,
    cylinder,
    plate_hole,
    screw_head,
    threaded,
)
from infra.local.seed.drawing.sheet import studio


def pedicle_screws() -> Canvas:
    """Two pedicle screws joined by a rod, and a third one turned to show its slot."""
    canvas = studio()
    canvas.shadow((620, 1085), 330, 22, 0.16)
    rod = Gradient(
        314, 386, [(0, rgba("#5D6873")), (0.25, rgba("#F6F9FB")), (0.6, rgba("#A9B5C0")), (1, rgba("#55606B"))]
    )
    canvas.rectangle((250, 314, 1010, 386), rod, radius=34)
    for x in (430, 810):
        _shaft(canvas, x, 250)
        outline = [
            *((x - 92, 262), (x - 80, 250), (x + 80, 250), (x + 92, 262)),
            *((x + 92, 400), (x + 66, 462), (x - 66, 462), (x - 92, 400)),
        ]
        canvas.polygon(outline, ANODISED_BLUE.round(x - 92, x + 92))
        canvas.rectangle((x - 92, 290, x + 92, 297), rgba("#00284B", 0.45))
        canvas.rectangle((x - 58, 236, x + 58, 251), TITANIUM.round(x - 58, x + 58), radius=4)
    with canvas.layer(-16, (1230, 640)) as turned:
        x = 1230
        _shaft(turned, x, 250)
        slot = [(x - 46, 240), (x + 46, 240), *arc((x, 350), 46, 0, 180)]
        outline = [(x - 92, 250), (x + 92, 250), (x + 92, 400), (x + 66, 462), (x - 66, 462), (x - 92, 400)]
        turned.polygon(
            [(x - 60, 262), (x + 60, 262), (x + 60, 420), (x - 60, 420)], ANODISED_BLUE.round(x - 60, x + 60, shade=0.5)
        )
        turned.polygon(outline, ANODISED_BLUE.round(x - 92, x + 92), holes=[slot])
        turned.line([(x - 46, 252), *reversed(arc((x, 350), 46, 0, 180)), (x + 46, 252)], 3, rgba("#CFE6FA", 0.8))
    return canvas


def _shaft(canvas: Canvas, x: float, top: float) -> None:
    cone(canvas, x, top + 205, top + 262, (58, 44), TITANIUM)
    threaded(canvas, x, top + 258, top + 815, Thread((43, 26), (66, 50), 50, tip=120), TITANIUM)


def trauma_plate() -> Canvas:
    """A locking plate, and three of its screws beside it."""
    canvas = studio()
    with canvas.layer(12, (800, 420)) as turned:
        _straight_plate(turned, 420)
    for x, length in ((560, 330), (760, 400), (960, 330)):
        canvas.shadow((x, 680 + length), 40, 9, 0.2)
        _screw(canvas, x, 680, length, ANODISED_GREEN)
    return canvas


def _straight_plate(canvas: Canvas, y: float) -> None:
    """Wider at each hole, narrower in between."""
    centers = [240 + 160 * i for i in range(8)]
    top: list[Point] = []
    for x in range(centers[0], centers[-1] + 1, 10):
        near = min(abs(x - center) for center in centers)
        top.append((x, y - 82 + 13 * (near / 80) ** 2))
    right, left = arc((centers[-1], y), 82, -90, 90, 32), arc((centers[0], y), 82, 90, 270, 32)
    outline = [*top, *right, *[(x, 2 * y - edge) for x, edge in reversed(top)], *left]
    canvas.polygon([(x, edge + 14) for x, edge in outline], rgba("#4E5965"))
    face = [(0, rgba("#FAFCFD")), (0.14, rgba("#DCE3E9")), (0.55, rgba("#B6C1CB")), (1, rgba("#8794A0"))]
    canvas.polygon(outline, Gradient(y - 84, y + 84, face))
    canvas.line([*left[16:], *top, *right[:16]], 3, rgba("#FFFFFF", 0.85))
    for index, x in enumerate(centers):
        plate_hole(canvas, (x, y), 52)
        if index in {0, 3, 7}:
            screw_head(canvas, (x, y), 46, ANODISED_GREEN)


def _screw(canvas: Canvas, x: float, top: float, length: float, metal: Metal) -> None:
    """A countersunk screw."""
    cone(canvas, x, top, top + 52, (52, 30), metal)
    canvas.ellipse((x, top), 52, 10, metal.round(x - 52, x + 52, shade=-0.2))
    canvas.ellipse((x, top), 22, 5, rgba("#07210F"))
    threaded(canvas, x, top + 46, top + length, Thread((25, 21), (38, 33), 27, tip=56), metal)


def cranial_fixation() -> Canvas:
    """A mesh, a burr hole cover and micro screws."""
    canvas = studio("#1A7A3E")
    canvas.shadow((800, 1040), 560, 24, 0.15)
    _mesh(canvas, (250, 300), columns=7, rows=7, step=88)
    _burr_hole_cover(canvas, (1170, 480))
    for x in (1010, 1130, 1250, 1370):
        canvas.shadow((x, 1030), 34, 8, 0.18)
        cone(canvas, x, 812, 842, (36, 30), ANODISED_GOLD)
        canvas.rectangle((x - 26, 812, x + 26, 820), rgba("#5A3E10"))
        threaded(canvas, x, 840, 1030, Thread((17, 13), (27, 21), 25, tip=50), ANODISED_GOLD)
    return canvas


def _mesh(canvas: Canvas, corner: Point, *, columns: int, rows: int, step: float) -> None:
    points = [(corner[0] + step * i, corner[1] + step * j) for j in range(rows) for i in range(columns)]
    for color, shift, width in ((rgba("#55616C"), 5, 20), (rgba("#B9C4CD"), 0, 20), (rgba("#F2F6F9"), -3, 6)):
        for x, y in points:
            if x < corner[0] + step * (columns - 1):
                canvas.line([(x, y + shift), (x + step, y + shift)], width, color)
            if y < corner[1] + step * (rows - 1):
                canvas.line([(x + shift / 2, y), (x + shift / 2, y + step)], width, color)
    for x, y in points:
        canvas.circle((x, y + 5), 32, rgba("#55616C"))
        plate_hole(canvas, (x, y), 29, locking=False)


def _burr_hole_cover(canvas: Canvas, center: Point) -> None:
    x, y = center
    arms = [(x + 205 * cos(pi / 3 * i + pi / 6), y + 205 * sin(pi / 3 * i + pi / 6)) for i in range(6)]
    for color, shift in ((rgba("#55616C"), 8), (rgba("#BEC8D1"), 0)):
        for end in arms:
            canvas.line([(x, y + shift), (end[0], end[1] + shift)], 40, color)
            canvas.circle((end[0], end[1] + shift), 44, color)
        canvas.circle((x, y + shift), 138, color)
    canvas.circle(center, 138, TITANIUM.flat(y - 138, y + 138))
    canvas.circle(center, 120, TITANIUM.flat(y + 150, y - 150))
    for i in range(6):
        angle = pi / 3 * i
        canvas.circle((x + 76 * cos(angle), y + 76 * sin(angle)), 20, rgba("#2A3540"))
    canvas.circle(center, 24, rgba("#2A3540"))
    for end in arms:
        plate_hole(canvas, end, 34)


def dental_implant() -> Canvas:
    """An implant, its abutment and its screw in line, beside the assembled whole, and two orthodontic micro screws."""
    canvas = studio()
    for x, width in ((470, 110), (850, 110), (1140, 40), (1300, 40)):
        canvas.shadow((x, 1080), width, 14, 0.2)
    _fixture(canvas, 470, 560)
    _abutment(canvas, 470, 320)
    cylinder(canvas, 470, 130, 168, 30, STEEL)
    canvas.rectangle((452, 130, 488, 142), rgba("#1D2731"), radius=3)
    threaded(canvas, 470, 168, 290, Thread((14, 12), (21, 19), 15, tip=16), STEEL)
    for y in (300, 540):
        for dot in range(3):
            canvas.circle((470, y - 12 + dot * 10), 2.4, rgba("#004F8F", 0.55))
    _fixture(canvas, 850, 560)
    _abutment(canvas, 850, 374)
    for x, metal in ((1140, ANODISED_GOLD), (1300, ANODISED_BLUE)):
        _micro_screw(canvas, x, 640, metal)
    return canvas


def _fixture(canvas: Canvas, x: float, top: float) -> None:
    cylinder(canvas, x, top, top + 52, 92, TITANIUM)
    for ring in range(4):
        canvas.rectangle(
            (x - 92, top + 50 + ring * 17, x + 92, top + 64 + ring * 17), TITANIUM.round(x - 92, x + 92, shade=-0.1)
        )
        canvas.rectangle(
            (x - 86, top + 62 + ring * 17, x + 86, top + 68 + ring * 17), TITANIUM.round(x - 86, x + 86, shade=0.4)
        )
    threaded(canvas, x, top + 112, top + 512, Thread((76, 40), (96, 64), 46, tip=60), TITANIUM)


def _abutment(canvas: Canvas, x: float, top: float) -> None:
    cone(canvas, x, top, top + 120, (50, 74), ANODISED_GOLD)
    cone(canvas, x, top + 118, top + 150, (92, 96), ANODISED_GOLD, shade=-0.1)
    cone(canvas, x, top + 150, top + 188, (96, 78), ANODISED_GOLD, shade=0.12)
    canvas.ellipse((x, top), 50, 9, ANODISED_GOLD.round(x - 50, x + 50, shade=-0.25))
    canvas.ellipse((x, top), 24, 4.5, rgba("#4A3410"))


def _micro_screw(canvas: Canvas, x: float, top: float, metal: Metal) -> None:
    canvas.circle((x, top + 40), 40, metal.round(x - 40, x + 40))
    canvas.rectangle((x - 34, top + 32, x + 34, top + 44), rgba("#1D2731", 0.65), radius=5)
    cone(canvas, x, top + 72, top + 112, (26, 44), metal)
    cone(canvas, x, top + 112, top + 140, (44, 26), metal, shade=0.15)
    threaded(canvas, x, top + 138, top + 440, Thread((24, 17), (36, 30), 30, tip=80), metal)


def veterinary_plate() -> Canvas:
    """A plate for the tibia of a dog (TPLO) and three screws."""
    canvas = studio("#F07818")
    canvas.shadow((738, 1075), 150, 16, 0.2)
    outline = smooth(
        [
            *((560, 250), (640, 150), (770, 128), (880, 190), (905, 300), (850, 400), (800, 480)),
            *((790, 600), (800, 760), (812, 930), (790, 1030), (715, 1045), (672, 960), (655, 780)),
            *((640, 600), (610, 480), (545, 380)),
        ]
    )
    canvas.polygon([(x + 6, y + 14) for x, y in outline], rgba("#4E5965"))
    face = [(0, rgba("#FAFCFD")), (0.35, rgba("#D2DAE1")), (0.7, rgba("#AEBAC5")), (1, rgba("#8B98A4"))]
    canvas.polygon(outline, Gradient(540, 910, face, vertical=False))
    canvas.line([*outline[-80:], *outline[:40]], 3, rgba("#FFFFFF", 0.85))
    for center in ((630, 300), (755, 215), (815, 330), (712, 440)):
        plate_hole(canvas, center, 48)
    for center in ((716, 610), (728, 770), (742, 930)):
        plate_hole(canvas, center, 48, locking=False)
    for x, length in ((1030, 420), (1180, 500), (1330, 420)):
        canvas.shadow((x, 562 + length), 40, 9, 0.18)
        cone(canvas, x, 520, 566, (50, 30), ANODISED_BLUE)
        canvas.ellipse((x, 520), 50, 10, ANODISED_BLUE.round(x - 50, x + 50, shade=-0.2))
        canvas.ellipse((x, 520), 22, 5, rgba("#071B30"))
        threaded(canvas, x, 560, 560 + length, Thread((25, 20), (38, 32), 27, tip=60), ANODISED_BLUE)
    return canvas
