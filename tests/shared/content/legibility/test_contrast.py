"""Contrast and size, measured in pixels whose colours are known."""

import pytest
from PIL import Image, ImageDraw, ImageFilter

from shared.content.legibility.contrast import Rgb, contrast_ratio, look_of, word_contrast
from shared.content.legibility.ocr import Box, Line, Word
from shared.content.legibility.typeface import inter

BLUE, WHITE = (0, 79, 143), (255, 255, 255)


def drawn(ink: Rgb, ground: Rgb, size: int = 44, text: str = "Precisão") -> tuple[Image.Image, Box]:
    picture = Image.new("RGB", (900, 300), ground)
    pen = ImageDraw.Draw(picture)
    pen.text((100, 100), text, font=inter(size, 400), fill=ink)
    left, top, right, bottom = pen.textbbox((100, 100), text, font=inter(size, 400))
    return picture, Box(int(left), int(top), int(right), int(bottom))


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [(WHITE, (0, 0, 0), 21), (WHITE, (118, 118, 118), 4.54), (BLUE, BLUE, 1)]
)
def test_the_formula_is_that_of_wcag(one: Rgb, other: Rgb, ratio: float):
    assert contrast_ratio(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast_ratio(other, one) == contrast_ratio(one, other)


@pytest.mark.parametrize(
    ("ink", "ground"), [(WHITE, BLUE), (BLUE, WHITE), ((130, 150, 170), BLUE), ((200, 200, 200), WHITE)]
)
def test_what_is_measured_is_what_was_drawn(ink: Rgb, ground: Rgb):
    picture, box = drawn(ink, ground)
    assert word_contrast(picture, box) == pytest.approx(contrast_ratio(ink, ground), rel=0.12)


def test_noise_and_slight_blur_change_little():
    picture, box = drawn(WHITE, BLUE)
    noise = Image.effect_noise(picture.size, 24).convert("RGB")
    spoilt = Image.blend(picture.filter(ImageFilter.GaussianBlur(0.7)), noise, 0.08)
    assert word_contrast(spoilt, box) > 5


def test_only_what_is_right_around_the_letters_counts_as_ground():
    picture, box = drawn(WHITE, BLUE)
    picture.paste(WHITE, (0, 0, 900, 80))
    assert word_contrast(picture, box) == pytest.approx(contrast_ratio(WHITE, BLUE), rel=0.12)


def test_an_empty_box_has_no_contrast():
    assert word_contrast(Image.new("RGB", (200, 100), BLUE), Box(20, 20, 120, 60)) == pytest.approx(1)


@pytest.mark.parametrize("text", ["nome", "Torno", "Peças", "ÁREA", "maçã", "2016"])
def test_the_size_of_type_does_not_depend_on_the_word(text: str):
    picture, box = drawn(WHITE, BLUE, 60, text)
    line = Line((Word(text, 95, box),))
    assert look_of(picture, line).em_px == pytest.approx(60, rel=0.1)
