"""Tools of the operating theatre: drills, reamers, taps, handles, ratchets."""

from math import cos, pi, sin

from infra.local.seed.drawing.canvas import Canvas, Gradient, arc, fade, rgba
from infra.local.seed.drawing.metal import (
    BLUE,
    DARK,
    GREEN,
    ORANGE,
    STEEL,
    Thread,
    cone,
    cylinder,
    fluted,
    threaded,
)
from infra.local.seed.drawing.sheet import studio


def surgical_drills() -> Canvas:
    """Four twist drills from thin to thick; a coloured ring tells the size."""
    canvas = studio()
    for x, radius, color, tip in (
        (460, 26, ORANGE, 960),
        (680, 36, GREEN, 1000),
        (910, 46, BLUE, 1040),
        (1160, 58, rgba("#5F6B77"), 1080),
    ):
        canvas.shadow((x, 1090), radius * 2.2, 12, 0.2)
        top = tip - 860
        cylinder(canvas, x, top, top + 26, 24, STEEL)
        cylinder(canvas, x, top + 26, top + 44, 15, STEEL, shade=0.25)
        cylinder(canvas, x, top + 44, top + 170, 24, STEEL)
        canvas.rectangle((x + 4, top + 4, x + 24, top + 24), rgba("#6D7985", 0.5))
        cone(canvas, x, top + 170, top + 200, (24, radius), STEEL)
        cylinder(canvas, x, top + 200, top + 330, radius, STEEL)
        canvas.rectangle((x - radius, top + 236, x + radius, top + 276), color)
        canvas.rectangle(
            (x - radius, top + 236, x + radius, top + 276),
            Gradient(
                x - radius,
                x + radius,
                [
                    (0, rgba("#000000", 0.45)),
                    (0.28, rgba("#FFFFFF", 0.55)),
                    (0.5, rgba("#FFFFFF", 0.0)),
                    (1, rgba("#000000", 0.45)),
                ],
                vertical=False,
            ),
        )
        fluted(canvas, x, top + 330, tip, radius, STEEL)
    return canvas


def reamer_and_tap() -> Canvas:
    """A reamer and a tap on their handles."""
    canvas = studio("#1A7A3E")
    for x in (560, 1040):
        canvas.shadow((x, 1110), 110, 16, 0.2)
        _handle(canvas, x, 110, GREEN if x > 800 else BLUE)
    cylinder(canvas, 560, 470, 820, 26, STEEL)
    _reamer_head(canvas, 560, 820)
    cylinder(canvas, 1040, 470, 800, 26, STEEL)
    cone(canvas, 1040, 800, 824, (26, 34), STEEL)
    threaded(canvas, 1040, 820, 1095, Thread((36, 28), (52, 42), 32, tip=60), STEEL)
    for y in range(846, 1050, 32):
        canvas.polygon([(1034, y - 4), (1052, y - 12), (1050, y + 12), (1036, y + 18)], rgba("#333E49", 0.85))
    return canvas


def _handle(canvas: Canvas, x: float, top: float, color: tuple) -> None:
    canvas.rectangle((x - 74, top, x + 74, top + 320), DARK.round(x - 74, x + 74), radius=58)
    for groove in range(5):
        y = top + 70 + groove * 42
        canvas.rectangle((x - 74, y, x + 74, y + 14), DARK.round(x - 74, x + 74, shade=0.45), radius=7)
    canvas.rectangle((x - 62, top + 296, x + 62, top + 330), color, radius=8)
    canvas.rectangle((x - 62, top + 296, x - 22, top + 330), rgba("#FFFFFF", 0.25), radius=8)
    cone(canvas, x, top + 330, top + 366, (46, 26), STEEL)


def _reamer_head(canvas: Canvas, x: float, top: float) -> None:
    sides = [(26, 0), (66, 50), (78, 120), (76, 190), (54, 250), (0, 290)]
    outline = [(x + radius, top + y) for radius, y in sides] + [(x - radius, top + y) for radius, y in reversed(sides)]
    canvas.polygon(outline, STEEL.round(x - 78, x + 78))
    for i in range(-3, 4):
        lean = [(x + radius * (i / 3.4) + 8 * sin(pi * y / 290), top + y) for radius, y in sides]
        other = [(px + 13 * cos(i / 3.4 * pi / 2), py) for px, py in lean]
        canvas.polygon([*lean, *reversed(other)], rgba("#37424D", 0.85))
        canvas.line(lean[:-1], 2, rgba("#FFFFFF", 0.8))


def torque_ratchet() -> Canvas:
    """A dental torque ratchet with its scale."""
    canvas = studio()
    canvas.shadow((800, 950), 560, 24, 0.18)
    with canvas.layer(20, (800, 600)) as turned:
        # Handle and spring tube.
        bar = Gradient(
            556, 644, [(0, rgba("#6B7681")), (0.22, rgba("#FFFFFF")), (0.6, rgba("#B3BEC8")), (1, rgba("#66717C"))]
        )
        turned.rectangle((520, 570, 1060, 630), bar, radius=8)
        turned.rectangle((980, 552, 1340, 648), bar, radius=44)
        for x in range(1170, 1290, 17):
            turned.rectangle((x, 553, x + 7, 647), rgba("#4E5A66", 0.55))
        turned.rectangle((600, 588, 930, 612), rgba("#2D3945"), radius=12)
        for mark in range(6):
            x = 640 + mark * 50
            turned.rectangle((x, 588, x + 4, 612), rgba("#FFFFFF", 0.9))
        turned.rectangle((820, 584, 836, 616), ORANGE, radius=5)
        # Lever that bends beside the scale.
        lever = arc((720, -1210), 1900, 97.5, 83.7)
        turned.line(lever, 16, rgba("#7F8B96"))
        turned.line([(x, y - 3) for x, y in lever], 5, rgba("#F4F8FA"))
        turned.circle((934, 677), 18, STEEL.round(659, 695, vertical=True))
        # Head with the wheel.
        turned.circle((420, 606), 140, rgba("#55606B"))
        turned.circle((420, 600), 140, STEEL.round(460, 740, vertical=True))
        turned.circle((420, 600), 112, STEEL.round(740, 460, vertical=True))
        teeth = []
        for i in range(24):
            angle = pi / 12 * i
            teeth += [
                (420 + 100 * cos(angle), 600 + 100 * sin(angle)),
                (420 + 84 * cos(angle + 0.2), 600 + 84 * sin(angle + 0.2)),
            ]
        turned.polygon(teeth, BLUE)
        turned.circle((420, 600), 74, fade(526, 674, "#2E86CE", "#00396A"))
        turned.polygon(arc((420, 600), 40, 45, 405, 4), rgba("#0B1A28"))
    return canvas
