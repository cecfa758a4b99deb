"""Where the parts are measured and packed: the coordinate measuring machine and the clean room."""

from infra.local.seed.drawing.canvas import Canvas, Color, Gradient, Point, fade, rgba
from infra.local.seed.drawing.metal import BLUE, DARK, GREEN, ORANGE, STEEL, TITANIUM, cone, cylinder
from infra.local.seed.drawing.sheet import HEIGHT, WIDTH, hall


def measuring_machine() -> Canvas:
    """A coordinate measuring machine with a bridge, probing a plate."""
    canvas = hall(900)
    canvas.shadow((800, 1075), 600, 30, 0.3)
    for x in (360, 1130):
        canvas.rectangle((x, 820, x + 110, 1070), DARK.round(x, x + 110), radius=6)
    _granite(canvas)
    _bridge_column(canvas, 1150, 200, 752)
    _probed_plate(canvas, (770, 726))
    _bridge_column(canvas, 350, 200, 752)
    canvas.rectangle(
        (330, 190, 1280, 300),
        fade(190, 300, "#FFFFFF", "#B9C6D1", via=(0.6, "#E3EAF0")),
        radius=18,
    )
    canvas.rectangle((330, 236, 1280, 254), BLUE)
    canvas.rectangle(
        (680, 160, 860, 400),
        fade(680, 860, "#CBD6DF", "#B3C0CC", via=(0.35, "#FFFFFF"), vertical=False),
        radius=16,
    )
    canvas.rectangle((742, 60, 798, 520), STEEL.round(742, 798), radius=6)
    canvas.rectangle((680, 330, 860, 344), GREEN)
    cone(canvas, 770, 520, 560, (34, 22), DARK)
    cylinder(canvas, 770, 560, 590, 26, DARK)
    cylinder(canvas, 770, 590, 694, 6, STEEL)
    canvas.circle((770, 702), 12, fade(690, 714, "#FF8A65", "#8E1515", via=(0.4, "#E53935")))
    canvas.glow((740, 690, 800, 730), rgba("#E53935", 0.22), 16)
    _desk_screen(canvas, (1425, 560))
    return canvas


def _bridge_column(canvas: Canvas, x: float, top: float, bottom: float) -> None:
    paint = fade(x, x + 110, "#D5DEE6", "#AEBBC7", via=(0.3, "#FFFFFF"), vertical=False)
    canvas.rectangle((x, top, x + 110, bottom), paint, radius=12)
    canvas.rectangle((x - 12, bottom - 44, x + 122, bottom), DARK.flat(bottom - 44, bottom), radius=8)


def _granite(canvas: Canvas) -> None:
    canvas.polygon(
        [(330, 700), (1280, 700), (1350, 770), (260, 770)],
        fade(700, 770, "#59646E", "#78848F"),
    )
    canvas.rectangle((260, 770, 1350, 850), fade(770, 850, "#3E4851", "#252D34"), radius=4)
    seed = 7
    for _ in range(420):  # the grain of the stone, the same each time
        seed = (seed * 1103515245 + 12345) % 2**31
        x, y = 270 + seed % 1070, 774 + (seed >> 12) % 72
        canvas.circle((x, y), 1.6, rgba("#AAB6C0", 0.4))


def _probed_plate(canvas: Canvas, center: Point) -> None:
    x, y = center
    canvas.polygon(
        [(x - 190, y + 8), (x - 165, y - 16), (x + 165, y - 16), (x + 190, y + 8)], TITANIUM.flat(y - 16, y + 8)
    )
    canvas.polygon([(x - 190, y + 8), (x + 190, y + 8), (x + 186, y + 22), (x - 186, y + 22)], rgba("#6A7682"))
    for offset in (-130, -65, 65, 130):
        canvas.ellipse((x + offset, y - 4), 20, 7, rgba("#2E3943"))


def _desk_screen(canvas: Canvas, center: Point) -> None:
    x, y = center
    canvas.shadow((x, 1008), 90, 12, 0.25)
    canvas.rectangle((x - 11, y + 90, x + 11, 1000), STEEL.round(x - 11, x + 11))
    canvas.ellipse((x, 1002), 74, 12, rgba("#4E5A66"))
    canvas.rectangle((x - 150, y - 110, x + 150, y + 96), rgba("#2A353F"), radius=12)
    canvas.rectangle(
        (x - 138, y - 98, x + 138, y + 84),
        fade(y - 98, y + 84, "#F7FAFC", "#DDE7EF"),
        radius=4,
    )
    for row, (color, width) in enumerate(((BLUE, 190), (GREEN, 150), (GREEN, 210), (BLUE, 120), (ORANGE, 90))):
        canvas.rectangle((x - 118, y - 76 + row * 32, x - 118 + width, y - 60 + row * 32), color, radius=8)


def clean_room() -> Canvas:
    """A clean room: filter ceiling, smooth walls, a bench, and a person in a coverall."""
    canvas = Canvas(WIDTH, HEIGHT, rgba("#EEF4F8"))
    left, top, right, bottom = 470.0, 330.0, 1130.0, 760.0
    canvas.polygon([(0, 0), (WIDTH, 0), (right, top), (left, top)], fade(0, top, "#DCE7EF", "#F3F8FB"))
    canvas.polygon(
        [(0, 0), (left, top), (left, bottom), (0, HEIGHT)],
        fade(0, left, "#DCE6EE", "#EDF3F7", vertical=False),
    )
    canvas.polygon(
        [(WIDTH, 0), (right, top), (right, bottom), (WIDTH, HEIGHT)],
        fade(right, WIDTH, "#EDF3F7", "#D6E2EB", vertical=False),
    )
    canvas.polygon(
        [(0, HEIGHT), (left, bottom), (right, bottom), (WIDTH, HEIGHT)],
        fade(bottom, HEIGHT, "#B9CBD8", "#E4EDF3", via=(0.4, "#CEDCE6")),
    )
    canvas.rectangle((left, top, right, bottom), fade(top, bottom, "#FDFEFF", "#E7EFF5"))
    _ceiling(canvas, left, right, top)
    _side_panels(canvas, left, right, top, bottom)
    canvas.rectangle((560, 400, 830, 590), rgba("#5E7B92"), radius=14)
    canvas.rectangle((570, 410, 820, 580), fade(410, 580, "#BFE0F5", "#7FB2D4"), radius=8)
    canvas.polygon([(590, 580), (690, 410), (740, 410), (640, 580)], rgba("#FFFFFF", 0.35))
    canvas.rectangle(
        (920, 430, 1070, 760),
        fade(920, 1070, "#D6E1E9", "#F4F8FA", vertical=False),
        radius=6,
    )
    canvas.rectangle((965, 470, 1025, 570), fade(470, 570, "#A9D0EA", "#75A9CC"), radius=6)
    canvas.circle((940, 610), 8, rgba("#7B8A97"))
    _bench(canvas)
    _person(canvas, 1010, 470)
    return canvas


def _ceiling(canvas: Canvas, left: float, right: float, top: float) -> None:
    """Rows of filter panels, every second column of them lit."""

    def at(share_x: float, share_y: float) -> Point:
        y = top * share_y
        start, end = left * share_y, WIDTH + (right - WIDTH) * share_y
        return start + (end - start) * share_x, y

    rows = (0.0, 0.42, 0.68, 0.86, 0.97)
    for row in range(4):
        for column in range(6):
            a, b = column / 6 + 0.012, (column + 1) / 6 - 0.012
            high, low = rows[row] + 0.02, rows[row + 1] - 0.015
            paint: Color = rgba("#FFFFFF") if column % 2 else rgba("#CFDDE7")
            canvas.polygon([at(a, high), at(b, high), at(b, low), at(a, low)], paint)
            if not column % 2:
                for line in range(1, 6):
                    share = a + (b - a) * line / 6
                    canvas.line([at(share, high), at(share, low)], 1.5, rgba("#AFC2D0"))


def _side_panels(canvas: Canvas, left: float, right: float, top: float, bottom: float) -> None:
    for share in (0.3, 0.55, 0.75, 0.9):
        for near_x, far_x in ((0.0, left), (float(WIDTH), right)):
            x = near_x + (far_x - near_x) * share
            canvas.line([(x, top * share), (x, HEIGHT + (bottom - HEIGHT) * share)], 2, rgba("#C4D2DD"))
    for near_x, far_x in ((0.0, left), (float(WIDTH), right)):
        rail = [(near_x, 690.0), (far_x, 560.0), (far_x, 572.0), (near_x, 714.0)]
        canvas.polygon(rail, BLUE)


def _bench(canvas: Canvas) -> None:
    canvas.shadow((560, 1110), 470, 26, 0.25)
    for x in (190, 880):
        canvas.rectangle((x, 860, x + 34, 1110), STEEL.round(x, x + 34))
    canvas.polygon(
        [(220, 790), (880, 790), (960, 850), (120, 850)],
        fade(790, 850, "#E6EDF2", "#C2CED8"),
    )
    canvas.rectangle((120, 850, 960, 882), STEEL.flat(850, 882))
    canvas.polygon([(330, 800), (640, 800), (670, 836), (300, 836)], BLUE)
    for column in range(6):
        for row in range(2):
            canvas.ellipse(
                (350 + column * 52 + row * 4, 811 + row * 15),
                15,
                5,
                TITANIUM.round(335 + column * 52, 365 + column * 52),
            )
    canvas.rectangle((735, 690, 755, 800), DARK.round(735, 755))  # microscope
    canvas.polygon([(690, 690), (760, 660), (775, 692), (700, 726)], DARK.flat(660, 726))
    canvas.rectangle((700, 720, 722, 762), DARK.round(700, 722), radius=4)
    canvas.rectangle((690, 796, 800, 812), rgba("#2B3640"), radius=6)
    canvas.circle((764, 660), 13, rgba("#2B3640"))


def _person(canvas: Canvas, x: float, top: float) -> None:
    """Seen from the side of the bench: hood, mask and coverall."""
    canvas.shadow((x + 20, 1140), 150, 20, 0.3)
    suit = Gradient(
        x - 120,
        x + 140,
        [(0, rgba("#D9E7F2")), (0.3, rgba("#FFFFFF")), (0.7, rgba("#D5E3EE")), (1, rgba("#A6BCCD"))],
        vertical=False,
    )
    canvas.polygon(
        [(x - 70, 900), (x + 92, 900), (x + 84, 1120), (x + 22, 1120), (x + 10, 960), (x - 4, 1120), (x - 66, 1120)],
        suit,
    )
    for foot in (x - 74, x + 18):
        canvas.rectangle((foot, 1106, foot + 72, 1138), rgba("#8FB4D2"), radius=14)
    body: list[Point] = [
        (x - 60, top + 150),
        (x + 74, top + 146),
        (x + 110, top + 230),
        (x + 104, 920),
        (x - 80, 920),
        (x - 84, top + 240),
    ]
    canvas.polygon(body, suit)
    canvas.line([(x - 40, top + 205), (x - 120, top + 300), (x - 200, top + 318)], 62, rgba("#E4EEF6"))
    canvas.circle((x - 222, top + 322), 27, rgba("#6FA5D2"))
    canvas.line([(x + 4, top + 170), (x + 4, 900)], 3, rgba("#9DB5C8"))
    canvas.ellipse(
        (x, top + 70),
        84,
        96,
        fade(x - 84, x + 84, "#E6F0F7", "#AFC4D4", via=(0.4, "#FFFFFF"), vertical=False),
    )
    canvas.ellipse((x - 26, top + 66), 48, 34, rgba("#C58F6C"))
    canvas.rectangle((x - 78, top + 46, x + 18, top + 72), rgba("#2E6FA3", 0.55), radius=12)
    canvas.polygon([(x - 74, top + 78), (x + 18, top + 76), (x + 8, top + 122), (x - 58, top + 122)], rgba("#7FB6DE"))
