"""Draws the pictures that the seed puts into Storage: `python -m infra.local.seed.draw [NAME…]`.

They are kept in `assets/`, so that a first start does not have to wait for them.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from infra.local.seed.drawing import implants, instruments, laboratory, logo, workshop
from infra.local.seed.drawing.canvas import Canvas

_SPREAD = 176

ASSETS = Path(__file__).with_name("assets")

LOGOS: Mapping[str, Callable[[], Image.Image]] = {
    "logo-lm": logo.monogram,
    "logo-lm-branco": logo.white_monogram,
    "logo-lifetrek-medical": logo.word_mark,
}
ILLUSTRATIONS: Mapping[str, Callable[[], Canvas]] = {
    "parafusos-pediculares": implants.pedicle_screws,
    "placa-bloqueada": implants.trauma_plate,
    "fixacao-craniana": implants.cranial_fixation,
    "implante-dentario": implants.dental_implant,
    "placa-veterinaria": implants.veterinary_plate,
    "brocas-cirurgicas": instruments.surgical_drills,
    "fresa-e-macho": instruments.reamer_and_tap,
    "catraca-de-torque": instruments.torque_ratchet,
    "torno-suico": workshop.swiss_lathe,
    "maquina-de-medicao": laboratory.measuring_machine,
    "sala-limpa": laboratory.clean_room,
    "gravacao-a-laser": workshop.laser_marking,
}


def draw(name: str) -> Image.Image:
    """One picture by its name: logos with a transparent ground, illustrations 1600 × 1200."""
    if name in LOGOS:
        return LOGOS[name]()
    return ILLUSTRATIONS[name]().finish().convert("RGB")


def save(picture: Image.Image, path: Path) -> None:
    """As a small PNG: an illustration gets 256 colours, most of them spread over the range of its own, the others where
    most of its pixels are, which keeps the wide pale ground free of bands.
    """
    if picture.mode == "RGB":
        palette = Image.new("P", (1, 1))
        palette.putpalette(
            _colors(picture, _SPREAD, Image.Quantize.MAXCOVERAGE)
            + _colors(picture, 256 - _SPREAD, Image.Quantize.MEDIANCUT)
        )
        picture = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def _colors(picture: Image.Image, count: int, method: Image.Quantize) -> list[int]:
    reduced = picture.quantize(count, method, kmeans=3 if method == Image.Quantize.MAXCOVERAGE else 0)
    return (reduced.getpalette() or [])[: 3 * count]


def main() -> None:
    names = sys.argv[1:] or [*LOGOS, *ILLUSTRATIONS]
    for name in names:
        path = ASSETS / f"{name}.png"
        save(draw(name), path)
        print(f"{path.name}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
