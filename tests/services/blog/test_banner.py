"""The banner has exactly 1600 × 900 pixels, whatever the model sends."""

import io

import pytest
from PIL import Image

from services.blog.banner import make_banner
from shared.engine.errors import ModelOutputInvalid


def picture(width: int, height: int, form: str = "PNG", mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("size", [(2752, 1536), (1376, 768), (1024, 1024), (900, 1600), (1600, 900)])
async def test_any_size_is_cut_and_scaled(size: tuple[int, int]):
    with Image.open(io.BytesIO(await make_banner(picture(*size)))) as banner:
        assert (banner.size, banner.mode, banner.format) == ((1600, 900), "RGB", "JPEG")


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "RGB"), ("WEBP", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "LA")]
)
async def test_formats_of_models_are_read(form: str, mode: str):
    assert await make_banner(picture(320, 180, form, mode))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg/>", picture(320, 180)[:200], picture(320, 180, "BMP")])
async def test_what_is_no_picture_is_an_error(data: bytes):
    with pytest.raises(ModelOutputInvalid):
        await make_banner(data)


async def test_a_decompression_bomb_is_refused():
    with pytest.raises(ModelOutputInvalid):
        await make_banner(picture(9_000, 8_000, mode="1"))
