"""Where the parts are made: the lathe, and the laser that marks them."""

from infra.local.seed.drawing.canvas import Canvas, Gradient, Point, fade, rgba
from infra.local.seed.drawing.metal import BLUE, DARK, GREEN, ORANGE, STEEL, TITANIUM, cone, cylinder
from infra.local.seed.drawing.sheet import HEIGHT, WIDTH, hall

_CASE = fade(300, 800, "#FDFEFE", "#D3DCE4", via=(0.5, "#EDF1F5"))
_BASE = fade(760, 980, "#4A5764", "#2B3640")


def swiss_lathe() -> Canvas:
    """A sliding headstock lathe with its bar feeder, seen from the front."""
    canvas = hall()
    canvas.shadow((820, 1000), 640, 34, 0.3)
    _bar_feeder(canvas)
    canvas.rectangle((430, 740, 1400, 985), _BASE, radius=10)
    canvas.rectangle((420, 290, 1410, 780), _CASE, radius=22)
    canvas.polygon([(420, 312), (420, 290), (560, 290), (470, 780), (420, 780)], BLUE)
    canvas.polygon([(574, 290), (604, 290), (514, 780), (484, 780)], GREEN)
    canvas.rectangle((420, 772, 1410, 782), rgba("#A9B6C2"))
    _work_area(canvas, (632, 370, 1066, 690))
    _control_panel(canvas, 1110, 350)
    for x in range(520, 1320, 34):
        canvas.rectangle((x, 850, x + 16, 920), rgba("#1B242D", 0.7), radius=6)
    _signal_tower(canvas, 1330, 290)
    return canvas


def _bar_feeder(canvas: Canvas) -> None:
    for x in (110, 330):
        canvas.rectangle((x, 640, x + 40, 985), rgba("#3A4651"), radius=4)
        canvas.rectangle((x - 20, 965, x + 60, 985), rgba("#2B3640"), radius=4)
    canvas.rectangle((40, 500, 430, 660), fade(500, 660, "#FFFFFF", "#CFD9E2"), radius=16)
    canvas.rectangle((40, 572, 430, 590), BLUE)
    for x in (120, 220, 320):
        canvas.rectangle((x, 612, x + 60, 622), rgba("#9BA9B6"), radius=5)


def _work_area(canvas: Canvas, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    canvas.rectangle((left - 16, top - 16, right + 16, bottom + 16), rgba("#33404C"), radius=26)
    canvas.rectangle(box, fade(top, bottom, "#A8C5DC", "#1E2A35", via=(0.3, "#51697D")), radius=14)
    canvas.glow((left + 60, top - 10, right - 60, top + 60), rgba("#EAF6FF", 0.8), 40)
    middle = (top + bottom) / 2 + 20
    round_bar = STEEL.round(middle - 60, middle + 60, vertical=True)
    canvas.rectangle((left, middle - 78, left + 110, middle + 78), STEEL.round(middle - 78, middle + 78, vertical=True))
    canvas.rectangle((left + 110, middle - 54, left + 165, middle + 54), round_bar)
    canvas.rectangle(
        (right - 120, middle - 70, right, middle + 70), STEEL.round(middle - 70, middle + 70, vertical=True)
    )
    canvas.rectangle((right - 168, middle - 46, right - 120, middle + 46), round_bar)
    canvas.rectangle(
        (left + 165, middle - 13, right - 168, middle + 13), TITANIUM.round(middle - 13, middle + 13, vertical=True)
    )
    for x in range(round(left) + 250, round(right) - 180, 9):
        canvas.line([(x, middle - 12), (x + 4, middle + 12)], 2, rgba("#4E5A66", 0.8))
    for index in range(4):  # gang of tools above the bar
        x = left + 176 + index * 32
        canvas.rectangle((x, top, x + 24, middle - 70), DARK.round(x, x + 24))
        canvas.polygon([(x, middle - 70), (x + 24, middle - 70), (x + 16, middle - 34), (x + 8, middle - 34)], ORANGE)
    canvas.polygon([(left + 20, top), (left + 130, top), (left + 20, bottom - 60)], rgba("#FFFFFF", 0.10))
    canvas.rectangle((right - 34, middle - 90, right - 22, middle + 70), rgba("#DCE4EB"), radius=6)


def _control_panel(canvas: Canvas, left: float, top: float) -> None:
    canvas.rectangle((left, top, left + 240, top + 370), rgba("#2F3B46"), radius=16)
    canvas.rectangle(
        (left + 20, top + 20, left + 220, top + 190),
        fade(top, top + 200, "#0A4F8A", "#062C4F"),
        radius=8,
    )
    _trace(canvas, (left + 36, top + 150), 168, 90)
    for row in range(3):
        for column in range(5):
            x, y = left + 30 + column * 38, top + 216 + row * 34
            canvas.rectangle((x, y, x + 26, y + 22), rgba("#5C6975"), radius=5)
    for x, color in ((left + 62, GREEN), (left + 120, ORANGE), (left + 178, rgba("#C62828"))):
        canvas.circle((x, top + 342), 15, color)
        canvas.circle((x - 4, top + 338), 5, rgba("#FFFFFF", 0.5))


def _trace(canvas: Canvas, start: Point, width: float, height: float) -> None:
    """A curve on a screen."""
    x, y = start
    for share in (0.0, 0.33, 0.66, 1.0):
        canvas.line([(x, y - height * share), (x + width, y - height * share)], 1, rgba("#FFFFFF", 0.18))
    heights = (0.15, 0.3, 0.26, 0.5, 0.46, 0.62, 0.6, 0.82, 0.9)
    canvas.line([(x + width * i / 8, y - height * share) for i, share in enumerate(heights)], 4, rgba("#8FE0AE"))


def _signal_tower(canvas: Canvas, x: float, bottom: float) -> None:
    canvas.rectangle((x - 5, bottom - 50, x + 5, bottom), rgba("#8996A2"))
    for index, color in enumerate((rgba("#2FBF68"), rgba("#F0A348", 0.55), rgba("#D9534F", 0.55))):
        y = bottom - 76 - index * 30
        canvas.rectangle((x - 16, y, x + 16, y + 27), color, radius=5)
    canvas.glow((x - 40, bottom - 90, x + 40, bottom - 35), rgba("#2FBF68", 0.35), 24)


def laser_marking() -> Canvas:
    """A fibre laser writes a code on a plate."""
    canvas = Canvas(WIDTH, HEIGHT, fade(0, HEIGHT, "#0B1E30", "#0A1826", via=(0.6, "#123A5C")))
    canvas.glow((500, 520, 1100, 900), rgba("#F07818", 0.35), 130)
    plate = [(120, 900), (330, 690), (1400, 690), (1520, 900)]
    canvas.polygon([(120, 900), (1520, 900), (1510, 960), (140, 960)], rgba("#3B4651"))
    canvas.polygon(plate, fade(690, 900, "#8D99A5", "#EEF2F5", via=(0.4, "#C9D2DA")))
    for x in (330, 1300):
        canvas.ellipse((x + 8, 800), 96, 46, rgba("#6B7783"))
        canvas.ellipse((x + 8, 806), 82, 37, fade(760, 845, "#101A24", "#4C5965"))
    _code(canvas, (690, 730), 18, 14, 7)
    canvas.rectangle(
        (640, 0, 960, 240),
        fade(640, 960, "#2A3744", "#1D2833", via=(0.3, "#6D7C8A"), vertical=False),
    )
    canvas.rectangle((640, 168, 960, 196), BLUE)
    cone(canvas, 800, 240, 330, (120, 78), DARK)
    cylinder(canvas, 800, 330, 372, 84, STEEL)
    canvas.ellipse((800, 372), 84, 16, rgba("#08111A"))
    canvas.ellipse((800, 373), 58, 10, rgba("#F9C08A"))
    canvas.polygon(
        [(772, 376), (828, 376), (853, 806), (847, 806)],
        Gradient(376, 806, [(0, rgba("#F07818", 0.10)), (1, rgba("#FFB066", 0.75))]),
    )
    canvas.glow((805, 770, 895, 842), rgba("#FFD9A8", 0.95), 30)
    canvas.circle((850, 806), 9, rgba("#FFFFFF"))
    for dx, dy in ((-70, -50), (-36, -84), (20, -92), (62, -60), (88, -30), (-92, -18), (44, -110)):
        canvas.line([(850 + dx * 0.35, 806 + dy * 0.35), (850 + dx, 806 + dy)], 3, rgba("#FFC98A", 0.85))
    return canvas


def _code(canvas: Canvas, corner: Point, columns: int, width: float, height: float) -> None:
    """A square of dots like a data matrix, in perspective. It says nothing: what is not written yet is left out."""
    seed = 11
    for row in range(columns):
        for column in range(columns):
            seed = (seed * 1103515245 + 12345) % 2**31
            border = column == 0 or row == columns - 1
            dashed = (row == 0 and column % 2 == 0) or (column == columns - 1 and row % 2 == 1)
            written = row * columns + column < 200
            if written and (border or dashed or (seed >> 16) % 2):
                lean = (columns / 2 - column) * -0.02 * row + row * -0.4
                x, y = corner[0] + column * width + lean, corner[1] + row * height
                canvas.rectangle((x, y, x + width, y + height), rgba("#1E2833"))
