"""The gate, with the real tesseract, on slides that are drawn here."""

import asyncio
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from shared.content.brand import load_brand
from shared.content.legibility.layouts import Look, Page, compose
from shared.content.legibility.ocr import OcrFailed, Tesseract
from shared.content.legibility.picture import PictureUnreadable, png
from shared.content.legibility.report import LegibilityGate
from shared.content.legibility.slide_text import SlideText
from shared.content.legibility.typeface import inter

TEXT = SlideText("Precisão de 0,005 mm", "Certificação ISO 13485:2016 e salas limpas de 60 m².")


@pytest.fixture
def gate() -> LegibilityGate:
    return LegibilityGate(Tesseract())


def slide(text: SlideText, *, size: tuple[int, int] = (1080, 1080)) -> Image.Image:
    look = Look.of(load_brand(), "company")
    return compose(Page(size, look, text.headline, text.body), "plain")


async def test_a_slide_that_says_what_it_should_passes(gate: LegibilityGate):
    report = await gate.check(png(slide(TEXT)), TEXT)
    assert report.passed, report.findings
    assert (report.cer_full, report.cer_small, report.extra) == (0, 0, ())
    assert {line.field for line in report.lines} == {"headline", "body"}
    assert report.min_contrast > 7
    assert 36 <= report.min_text_height_px <= 60


@pytest.mark.parametrize(
    ("drawn", "named"),
    [
        (replace(TEXT, headline="Precisao de 0,005 mm"), "Precisão"),
        (replace(TEXT, headline="Precisão de 0,015 mm"), "0,005"),
        (replace(TEXT, headline="Precisão de 0,005 cm"), "mm"),
        (replace(TEXT, body="Certificação ISO 13458:2016 e salas limpas de 60 m²."), "13485:2016"),
        (replace(TEXT, body="Certificação ISO 13485:2016 e sals limpas de 60 m²."), "salas"),
        (replace(TEXT, body="Certificação ISO 13485:2016 e limpas de 60 m²."), "salas"),
    ],
)
async def test_one_wrong_character_is_found_and_named(gate: LegibilityGate, drawn: SlideText, named: str):
    report = await gate.check(png(slide(drawn)), TEXT)
    assert not report.passed
    assert any(f"“{named}”" in finding for finding in report.findings), report.findings


async def test_capitals_are_a_matter_of_style(gate: LegibilityGate):
    report = await gate.check(png(slide(replace(TEXT, headline=TEXT.headline.upper()))), TEXT)
    assert report.passed, report.findings


async def test_text_that_nobody_asked_for_is_found(gate: LegibilityGate):
    picture = slide(TEXT)
    ImageDraw.Draw(picture).text((90, 900), "Oferta limitada", font=inter(48, 700), fill="white")
    report = await gate.check(png(picture), TEXT)
    assert report.extra == ("Oferta limitada",)
    assert not report.passed
    allowed = replace(TEXT, allowed_extra=("LM", "oferta limitada"))
    assert (await gate.check(png(picture), allowed)).passed


async def test_a_word_said_twice_is_one_too_many(gate: LegibilityGate):
    report = await gate.check(png(slide(replace(TEXT, headline="Precisão de de 0,005 mm"))), TEXT)
    assert not report.passed


async def test_a_picture_without_text_is_told_to_write_it(gate: LegibilityGate):
    report = await gate.check(png(Image.new("RGB", (1080, 1350), "white")), TEXT)
    assert not report.passed
    assert len(report.findings) == 2
    assert (report.cer_full, report.min_contrast, report.min_text_height_px) == (1, 0, 0)


async def test_a_blurred_picture_fails(gate: LegibilityGate):
    report = await gate.check(png(slide(TEXT).filter(ImageFilter.GaussianBlur(9))), TEXT)
    assert not report.passed


async def test_faint_text_fails_for_its_contrast(gate: LegibilityGate):
    picture = Image.new("RGB", (1080, 1080), (0, 79, 143))
    ImageDraw.Draw(picture).text((90, 300), "Salas limpas", font=inter(80, 800), fill=(70, 130, 180))
    report = await gate.check(png(picture), SlideText("Salas limpas"))
    assert report.min_contrast < 3
    assert any("stand out" in finding for finding in report.findings), report.findings


async def test_tiny_text_fails_for_its_size(gate: LegibilityGate):
    picture = Image.new("RGB", (1080, 1080), "white")
    ImageDraw.Draw(picture).text((90, 300), "Salas limpas da fábrica", font=inter(20, 500), fill="black")
    report = await gate.check(png(picture), SlideText("Salas limpas da fábrica"))
    assert not report.passed
    assert report.min_text_height_px < 27


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, png(Image.new("RGB", (64, 64)))[:90]]
)
async def test_what_is_no_picture_is_refused(gate: LegibilityGate, data: bytes):
    with pytest.raises(PictureUnreadable):
        await gate.check(data, TEXT)


async def test_a_picture_that_unpacks_to_too_much_is_refused_by_its_header(gate: LegibilityGate):
    file = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(file, "PNG")
    assert len(file.getvalue()) < 1_000_000
    with pytest.raises(PictureUnreadable):
        await gate.check(file.getvalue(), TEXT)


async def test_a_missing_tesseract_says_how_it_is_installed():
    with pytest.raises(OcrFailed, match="make setup"):
        await Tesseract(program="no-such-tesseract").read(Image.new("L", (64, 64)))


async def test_a_missing_language_is_an_error():
    with pytest.raises(OcrFailed):
        await Tesseract().read(Image.new("L", (64, 64)), languages=["no-such-language"])


async def test_a_slow_tesseract_is_ended_at_its_deadline(tmp_path: Path):
    program = tmp_path / "slow"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(OcrFailed, match="had not read"):
        await Tesseract(program=str(program), deadline_s=0.5).read(Image.new("L", (64, 64)))
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_readings_wait_their_turn_and_the_loop_goes_on():
    tesseract = Tesseract(at_once=1)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    picture = slide(TEXT).convert("L")
    readings = await asyncio.gather(*(tesseract.read(picture) for _ in range(2)))
    ticking.cancel()
    assert readings[0] == readings[1]
    assert ticks > 10
