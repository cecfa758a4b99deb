import io
from collections.abc import Iterator

import pytest
from google.genai import errors, types
from PIL import Image, ImageChops

from infra.local.emulator.drawing.fonts import inter
from infra.local.emulator.drawing.lettering import wrapped
from infra.local.emulator.drawing.request import Wish
from infra.local.emulator.drawing.sizes import pixels
from tests.infra.local.emulator_server import IMAGE, RunningEmulator, inputs, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("images")) as running:
        yield running


def _answer(
    emulator: RunningEmulator, prompt: str, *pictures: Image.Image, ratio: str = "1:1", size: str = "1K"
) -> types.GenerateContentResponse:
    client = emulator.client()
    config = types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"], image_config=types.ImageConfig(aspect_ratio=ratio, image_size=size)
    )
    parts = [types.Part(text=prompt), *(types.Part.from_bytes(data=_png(p), mime_type="image/png") for p in pictures)]
    return client.models.generate_content(model=IMAGE, contents=list(parts), config=config)


def _picture(answer: types.GenerateContentResponse) -> Image.Image:
    shown = [part for part in answer.parts or [] if part.inline_data and not part.thought]
    assert shown
    assert shown[-1].inline_data
    assert shown[-1].inline_data.mime_type == "image/png"
    picture = Image.open(io.BytesIO(shown[-1].inline_data.data or b""))
    picture.load()
    return picture.convert("RGB")


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _difference(one: Image.Image, other: Image.Image) -> float:
    histogram = ImageChops.difference(one, other).convert("L").histogram()
    return sum(level * count for level, count in enumerate(histogram)) / (one.width * one.height)


@pytest.mark.parametrize(
    ("ratio", "size", "expected"),
    [
        ("16:9", "1K", (1376, 768)),
        ("1:1", "1K", (1024, 1024)),
        ("4:5", "1K", (928, 1152)),
        ("16:9", "2K", (2752, 1536)),
    ],
)
def test_pixels_are_those_of_the_ratio_and_size(
    emulator: RunningEmulator, ratio: str, size: str, expected: tuple[int, int]
):
    assert _picture(_answer(emulator, "um parafuso de titânio", ratio=ratio, size=size)).size == expected


def test_largest_size_is_four_times_the_smallest():
    assert pixels("9:16", "4K") == (3072, 5504)
    assert all(pixels(ratio, "4K") == tuple(4 * side for side in pixels(ratio, "1K")) for ratio in ("1:1", "21:9"))


def test_same_prompt_same_picture_other_topic_another(emulator: RunningEmulator):
    first = _picture(_answer(emulator, "um parafuso de titânio"))
    again = _picture(_answer(emulator, "um parafuso de titânio"))
    other = _picture(_answer(emulator, "sala limpa com implantes dentários"))
    assert _difference(first, again) == 0
    assert _difference(first, other) > 5


def test_text_that_is_asked_for_is_drawn(emulator: RunningEmulator):
    silent = _picture(_answer(emulator, "placa TPLO, fundo azul. Headline: nenhum texto", ratio="16:9"))
    spoken = _picture(_answer(emulator, 'placa TPLO, fundo azul. Headline: "Inspeção e ação à mão"', ratio="16:9"))
    left = (0, 0, 600, 768)
    assert len(spoken.crop(left).getcolors(1_000_000) or []) > 0
    assert _difference(silent.crop(left), spoken.crop(left)) > 2


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ('Slide com o título "Rastreabilidade começa na barra"', ["Rastreabilidade começa na barra"]),
        ('Headline: "Precisão" and body text: "Cada lote é medido"', ["Precisão", "Cada lote é medido"]),
        (inputs(headline="Sala limpa", body="ISO classe 7", scene="tray"), ["Sala limpa", "ISO classe 7"]),
        ('A photograph about "ISO 13485". No text, no letters.', []),
        (inputs(topic="ISO 13485", scene="a CMM probe") + "\nwithout text", []),
    ],
)
def test_only_text_that_is_meant_for_the_picture_is_taken(prompt: str, texts: list[str]):
    assert Wish.of(prompt).texts == texts


def test_typeface_has_portuguese_letters():
    missing = inter(40, 700).getmask("\ufffe").getbbox()
    assert all(inter(40, 700).getmask(letter).getbbox() not in (None, missing) for letter in "ãáâàçéêíóôõúüÃÇÉÕ–“”µ")


def test_lines_are_no_wider_than_their_box():
    font = inter(32, 800)
    lines = wrapped("Qualificação de fornecedores e validação de processos especiais", font, 300)
    assert len(lines) > 1
    assert all(font.getlength(line) <= 300 for line in lines)


def test_reference_pictures_are_in_the_picture(emulator: RunningEmulator):
    red = Image.new("RGB", (800, 600), (200, 20, 30))
    picture = _picture(_answer(emulator, "uma foto da máquina", red, ratio="16:9"))
    near_red = picture.getpixel((picture.width - 300, picture.height // 2))
    assert isinstance(near_red, tuple)
    assert near_red[0] > 180
    assert near_red[1] < 60


def _redness(picture: Image.Image) -> float:
    red, _, blue = (sum(level * count for level, count in enumerate(band.histogram())) for band in picture.split())
    return red / blue


def test_colours_of_the_prompt_are_used(emulator: RunningEmulator):
    pink = _picture(_answer(emulator, "parafuso, cores #AA0066 e #22CC44", ratio="16:9"))
    brand = _picture(_answer(emulator, "parafuso, cores da marca", ratio="16:9"))
    assert _redness(pink) > _redness(brand)


def test_a_thought_picture_comes_before_the_real_one(emulator: RunningEmulator):
    parts = _answer(emulator, "um implante").parts or []
    assert [part.thought for part in parts] == [True, None]
    assert all(part.inline_data for part in parts)


def test_tokens_of_the_picture_are_counted_apart(emulator: RunningEmulator):
    usage = _answer(emulator, "um implante", Image.new("RGB", (20, 20))).usage_metadata
    assert usage
    assert usage.candidates_tokens_details
    detail = usage.candidates_tokens_details[0]
    assert (detail.modality, detail.token_count) == (types.MediaModality.IMAGE, 1120)
    assert usage.candidates_token_count == 1120
    assert usage.prompt_token_count == 3 + 560


@pytest.mark.parametrize(("ratio", "size"), [("7:3", "1K"), ("1:1", "8K")])
def test_unknown_ratios_and_sizes_are_refused(emulator: RunningEmulator, ratio: str, size: str):
    with pytest.raises(errors.ClientError, match="Invalid"):
        _answer(emulator, "x", ratio=ratio, size=size)


def test_a_reference_that_is_no_picture_is_refused(emulator: RunningEmulator):
    config = types.GenerateContentConfig(response_modalities=["IMAGE"])
    nonsense = types.Part.from_bytes(data=b"no picture", mime_type="image/png")
    with pytest.raises(errors.ClientError, match="Unable to process input image"):
        emulator.client().models.generate_content(model=IMAGE, contents=[nonsense], config=config)
