"""Text that we set ourselves: it always passes the gate, whatever it is and whatever it is set over."""

import io
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from shared.content.brand import Persona, load_brand
from shared.content.legibility.layouts import Layout, Look, Page, Size, compose
from shared.content.legibility.ocr import Tesseract
from shared.content.legibility.picture import png
from shared.content.legibility.report import LegibilityGate
from shared.content.legibility.slide_text import SlideText
from shared.content.legibility.typeface import inter, split_drawable
from shared.content.legibility.typeset import Setting, typeset
from shared.content.legibility.wrapping import balanced

ASSETS = Path(__file__).parents[4] / "infra/local/seed/assets"
SQUARE, TALL = (1080, 1080), (1080, 1350)
CASES = [
    ("torno-suico", SlideText("Precisão de 0,005 mm em cada peça", "Barras de até 32 mm, 12 eixos."), TALL, "company"),
    ("sala-limpa", SlideText("Salas limpas ISO 7", "Duas salas de 60 m² na própria fábrica."), SQUARE, "salesperson"),
    (
        "implante-dentario",
        SlideText(
            "Como escolher o fornecedor de implantes sem perder prazo nem qualidade",
            "Certificação ISO 13485:2016, rastreabilidade por UDI e rugosidade Ra < 0,1 µm: "
            "três perguntas que todo comprador deve fazer.",
        ),
        TALL,
        "technical_expert",
    ),
    ("maquina-de-medicao", SlideText("Fale com a engenharia", ""), SQUARE, "company"),
    ("placa-bloqueada", SlideText("1", "2"), SQUARE, "company"),
    ("brocas-cirurgicas", SlideText("“Não” é resposta?", "Às vezes, sim: é o que São João diria…"), TALL, "company"),
]


def setting(size: Size = TALL, persona: Persona = "company", layout: Layout = "panel") -> Setting:
    return Setting(load_brand(), persona, size, layout, grid_ratio=3 / 4)


@pytest.mark.parametrize(("asset", "text", "size", "persona"), CASES, ids=[case[0] for case in CASES])
async def test_what_we_set_passes_our_own_gate(asset: str, text: SlideText, size: Size, persona: Persona):
    photograph = (ASSETS / f"{asset}.png").read_bytes()
    done = await typeset(photograph, text, setting(size, persona), LegibilityGate(Tesseract()))
    assert done.report.passed, done.report.findings
    assert done.left_out == ()
    with Image.open(io.BytesIO(done.picture)) as picture:
        assert (picture.size, picture.mode, picture.format) == (size, "RGB", "PNG")


async def test_what_was_written_on_the_picture_before_does_not_show_through():
    picture = Image.new("RGB", (1024, 1280), "white")
    pen = ImageDraw.Draw(picture)
    for row in range(12):
        pen.text((60, 60 + 100 * row), "Implntes ortopdicos baratos", font=inter(64, 800), fill=(0, 44, 82))
    done = await typeset(png(picture), CASES[0][1], setting(), LegibilityGate(Tesseract()))
    assert done.report.passed, done.report.findings
    assert done.layout != "panel"


async def test_emoji_are_left_out_and_said_to_be():
    done = await typeset(None, SlideText("Fale conosco 🚀", "Prazo em 48 h ✅"), setting(), LegibilityGate(Tesseract()))
    assert done.left_out == ("🚀", "✅")
    assert done.report.passed, done.report.findings
    assert done.layout == "plain"


WORDS = [
    *(
        "precisão",
        "rastreabilidade",
        "implantes",
        "ortopédicos",
        "fornecedor",
        "ISO",
        "13485:2016",
        "lote",
        "prazo",
        "24",
    ),
    *(
        "horas",
        "qualidade",
        "medição",
        "torno",
        "Citizen",
        "ANVISA",
        "eletropolimento",
        "titânio",
        "Grau",
        "sala",
        "limpa",
    ),
    *("quality", "traceability", "supplier"),
]


def texts(most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(WORDS), min_size=1, max_size=16).map(
        lambda words: " ".join(words)[:most].rsplit(" ", 1)[0] if len(" ".join(words)) > most else " ".join(words)
    )


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(texts(70), texts(140), st.sampled_from([SQUARE, TALL]), st.sampled_from(["panel", "cover", "plain"]))
async def test_any_words_in_any_layout_pass(headline: str, body: str, size: Size, layout: Layout):
    photograph = (ASSETS / "torno-suico.png").read_bytes()
    text = SlideText(headline, body)
    done = await typeset(photograph, text, setting(size, layout=layout), LegibilityGate(Tesseract()))
    assert done.report.passed, (text, done.report.findings)


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=70), st.text(max_size=140), st.sampled_from([SQUARE, TALL]))
def test_any_text_within_the_limits_fits(headline: str, body: str, size: Size):
    shown = split_drawable(headline)[0], split_drawable(body)[0]
    page = Page(size, Look.of(load_brand(), "company"), *shown, safe=135)
    assert compose(page, "plain").size == size


@pytest.mark.parametrize(("layout", "size"), list(product(["panel", "cover", "plain"], [SQUARE, TALL])))
def test_text_and_mark_keep_within_what_a_profile_shows(layout: Layout, size: Size):
    safe = round((size[0] - min(size[0], size[1] * 3 / 4)) / 2)
    page = Page(size, Look.of(load_brand(), "company"), "Salas limpas " * 5, "na própria fábrica " * 7, safe=safe)
    ink = compose(page, layout).convert("L").point([255 if value > 200 else 0 for value in range(256)])
    left, _, right, _ = ink.getbbox() or (0, 0, 0, 0)
    assert left >= safe
    assert right <= size[0] - safe


def test_a_figure_stays_with_its_unit_and_lines_are_even():
    lines = balanced("Rugosidade menor que Ra < 0,1 µm em toda a superfície do implante", inter(44, 400), 430) or ()
    assert any("Ra < 0,1 µm" in line for line in lines), lines
    lengths = [inter(44, 400).getlength(line) for line in lines]
    assert min(lengths) > 0.5 * max(lengths)


def test_accents_are_composed_and_ligatures_taken_apart():
    assert split_drawable("ação ﬁna\u200b\n 中") == ("ação fina", ("中",))
