"""What was read beside what was expected, without any picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.content.legibility.compare import Comparison, compare, merge
from shared.content.legibility.ocr import Box, Line, Word, _lines
from shared.content.legibility.slide_text import SlideText, plain

TEXT = SlideText("Rugosidade Ra < 0,1 µm", "Tolerância de ±0,005 mm em 60 m² de “sala limpa”.")


def line(text: str, top: int = 0) -> Line:
    return Line(tuple(Word(word, 95, Box(100 * n, top, 100 * n + 90, top + 40)) for n, word in enumerate(text.split())))


def read(*texts: str, expected: SlideText = TEXT) -> Comparison:
    return compare([line(text, 60 * number) for number, text in enumerate(texts)], expected)


def test_lines_are_found_in_any_order_and_any_wrapping():
    comparison = read("m? de sala limpa.", "0,005 mm em 60", "Ra < 0,1 um", "Tolerância de +", "Rugosidade")
    assert comparison.complete, comparison.wrong_words("body")
    assert not comparison.extra


def test_characters_that_tesseract_does_not_know_may_be_read_as_what_it_has():
    assert read("Rugosidade Ra < 0,1 um", "Tolerância de +0,005 mm em 60 m? de 'sala limpa'").complete


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("Tolerancia de +0,005 mm em 60 m? de sala limpa", "Tolerância"),
        ("Tolerância de +0,006 mm em 60 m? de sala limpa", "±0,005"),
        ("Tolerância de +0005 mm em 60 m? de sala limpa", "±0,005"),
        ("Tolerância de +0,005 um em 60 m? de sala limpa", "mm"),
        ("Tolerância de +0,005 mm em 60 m? de sala limpas", "limpa”."),
        ("Tolerância de +0,005 mm em 60 m? de limpa", "“sala"),
    ],
)
def test_a_wrong_word_is_named(said: str, wrong: str):
    comparison = read("Rugosidade Ra < 0,1 um", said)
    assert [reading.token.shown for reading in comparison.wrong_words("body")] == [wrong]
    assert not comparison.wrong_words("headline")


def test_a_word_is_right_when_one_reading_has_it_right():
    one = read("Rugosidade Ra < 01 um", "Tolerância de +0,005 mm em 60 m? de sala limpa")
    other = read("Rugosidade Ra < 0,1 um", "Tolerancia de +0,005 mm em 60 m? de sala limpa")
    assert not one.complete
    assert not other.complete
    assert merge([one, other]).complete


def test_a_second_copy_of_the_headline_is_extra():
    comparison = read("Rugosidade Ra < 0,1 um", "Rugosidade Ra < 0,1 um", expected=SlideText(TEXT.headline))
    assert [one.text for one in comparison.extra] == ["Rugosidade Ra < 0,1 um"]


def test_a_word_too_many_in_a_line_is_an_intruder_and_spoils_no_word():
    comparison = read("Rugosidade nova Ra < 0,1 um", expected=SlideText(TEXT.headline))
    assert [word.text for word in comparison.intruders] == ["nova"]
    assert comparison.complete


def test_an_empty_text_expects_nothing():
    comparison = read("Salas", expected=SlideText("", ""))
    assert comparison.complete
    assert [one.text for one in comparison.extra] == ["Salas"]


def test_emoji_are_not_compared():
    assert plain("Fale conosco 🚀✅") == "Faleconosco"
    assert read("Fale conosco", expected=SlideText("Fale conosco 🚀✅")).complete


def test_columns_are_lines_of_their_own():
    rows = ["header", *(f"5\t1\t1\t1\t1\t{n}\t{left}\t0\t80\t30\t96\t{text}" for n, left, text in
            [(1, 0, "Menos"), (2, 90, "risco"), (3, 400, "LM")])]  # fmt: skip
    assert [one.text for one in _lines("\n".join(rows))] == ["Menos risco", "LM"]


@given(
    st.lists(st.text("abçãé19 %,", min_size=1, max_size=30), max_size=6), st.text(max_size=70), st.text(max_size=140)
)
def test_any_reading_of_any_text_is_compared(lines: list[str], headline: str, body: str):
    readable = [text for text in lines if text.split()]
    comparison = read(*readable, expected=SlideText(headline, body))
    assert all(0 <= comparison.error_rate(field.name) <= 1 for field in comparison.fields)


SOME_WORDS = ["sala", "limpa", "ISO", "13485:2016", "0,1", "de", "em", "precisão", "torno"]


# A line may be laid over the wrong ones of words that come again: a good picture is refused then, no bad one taken.
@given(st.lists(st.sampled_from(SOME_WORDS), min_size=1, unique=True))
def test_what_is_read_as_it_should_be_is_complete(words: list[str]):
    half = len(words) // 2
    lines = [part for part in (" ".join(words[:half]), " ".join(words[half:])) if part]
    assert read(*lines, expected=SlideText(" ".join(words))).complete
