"""The ground that every illustration stands on: bright, calm, with a touch of the brand."""

from infra.local.seed.drawing.canvas import Canvas, fade, rgba

WIDTH, HEIGHT = 1600, 1200


def studio(accent: str = "#004F8F") -> Canvas:
    """A white studio with a wide, faint disc of the accent colour behind the product."""
    canvas = Canvas(WIDTH, HEIGHT, fade(0, HEIGHT, "#FDFEFF", "#DDE6EE", via=(0.62, "#F1F5F9")))
    canvas.circle((WIDTH * 0.5, HEIGHT * 0.47), 470, rgba(accent, 0.05))
    canvas.circle((WIDTH * 0.5, HEIGHT * 0.47), 350, rgba(accent, 0.05))
    return canvas


def hall(horizon: float = 880) -> Canvas:
    """A bright hall: panelled wall, shining floor."""
    canvas = Canvas(WIDTH, HEIGHT, fade(0, horizon, "#F9FBFD", "#E6EDF3"))
    for x in range(0, WIDTH, 200):
        canvas.line([(x, 0), (x, horizon)], 2, rgba("#D5DFE8"))
    canvas.rectangle((0, horizon - 10, WIDTH, horizon), rgba("#C3CFDA"))
    floor = fade(horizon, HEIGHT, "#C9D5DF", "#EEF3F7", via=(0.35, "#DCE5EC"))
    canvas.rectangle((0, horizon, WIDTH, HEIGHT), floor)
    return canvas
