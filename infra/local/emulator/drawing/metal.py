"""Metal without a renderer: cylinders shaded by a gradient across, flat parts by one along, soft shadows below."""

from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageChops, ImageFilter

from infra.local.emulator.drawing.palette import Rgb, mix

# Brightness across a polished cylinder, from one edge to the other.
_CYLINDER = (
    (0.0, 46),
    (0.07, 110),
    (0.2, 236),
    (0.3, 255),
    (0.44, 196),
    (0.62, 118),
    (0.8, 92),
    (0.92, 150),
    (1.0, 58),
)
_PLATE = ((0.0, 232), (0.25, 198), (0.5, 246), (0.75, 180), (1.0, 214))
_SHADOW_SCALE = 8
DRAWN_SCALE = 2


def cylinder(size: tuple[int, int], tint: Rgb) -> Image.Image:
    """A vertical cylinder's shading, tinted."""
    return _ramp(_CYLINDER, size[0], tint).resize(size)


def plate(size: tuple[int, int], tint: Rgb) -> Image.Image:
    """A flat part's shading along its length, tinted."""
    ramp = _ramp(_PLATE, size[1], tint).transpose(Image.Transpose.ROTATE_90)
    return ramp.resize(size)


def cut_out(shading: Image.Image, mask: Image.Image) -> Image.Image:
    """The shading where the mask is, transparent elsewhere."""
    layer = shading.convert("RGBA")
    layer.putalpha(mask)
    return layer


def with_edge(layer: Image.Image, colour: Rgb, width: int) -> Image.Image:
    """The layer with a thin darker edge inside its outline."""
    alpha = layer.getchannel("A")
    inner = alpha
    # The outline moved in four directions and intersected: much faster than a minimum filter.
    for x, y in ((width, 0), (-width, 0), (0, width), (0, -width)):
        inner = ImageChops.darker(inner, ImageChops.offset(alpha, x, y))
    rim = ImageChops.subtract(alpha, inner).point([value // 2 for value in range(256)])
    layer.paste(colour, (0, 0), rim)
    layer.putalpha(alpha)
    return layer


def smooth(layer: Image.Image) -> Image.Image:
    """A layer that was drawn at twice its size, reduced: its edges have no steps."""
    return layer.reduce(DRAWN_SCALE)


def place(
    canvas: Image.Image, layer: Image.Image, centre: tuple[int, int], *, angle: float = 0, shadow: int = 110
) -> None:
    """Pastes a part on the canvas, turned, with a soft shadow to the lower right."""
    turned = layer.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True) if angle else layer
    left, top = centre[0] - turned.width // 2, centre[1] - turned.height // 2
    if shadow:
        _drop_shadow(canvas, turned.getchannel("A"), (left, top), shadow)
    canvas.paste(turned, (left, top), turned)


def _drop_shadow(canvas: Image.Image, alpha: Image.Image, corner: tuple[int, int], strength: int) -> None:
    # Blurred small and enlarged: the same look at a fraction of the time.
    spread = max(16, canvas.height // 26)
    padded = Image.new("L", (alpha.width + 2 * spread, alpha.height + 2 * spread), 0)
    padded.paste(alpha, (spread, spread))
    small = padded.resize((max(1, padded.width // _SHADOW_SCALE), max(1, padded.height // _SHADOW_SCALE)))
    soft = small.filter(ImageFilter.GaussianBlur(max(2, spread / _SHADOW_SCALE))).resize(padded.size)
    mask = soft.point([value * strength // 255 for value in range(256)])
    offset = spread // 2
    canvas.paste((6, 20, 40), (corner[0] - spread + offset, corner[1] - spread + offset), mask)


def _ramp(stops: Sequence[tuple[float, int]], length: int, tint: Rgb) -> Image.Image:
    strip = Image.new("RGB", (256, 1))
    for position in range(256):
        share = position / 255
        grey = _between(stops, share)
        light = mix((grey, grey, grey), tint, 0.16)
        strip.putpixel((position, 0), light)
    return strip.resize((max(1, length), 1), Image.Resampling.BICUBIC)


def _between(stops: Sequence[tuple[float, int]], share: float) -> int:
    for (start, low), (end, high) in pairwise(stops):
        if start <= share <= end:
            return round(low + (high - low) * (share - start) / (end - start))
    return stops[-1][1]
