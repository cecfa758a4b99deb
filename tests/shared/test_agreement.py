"""Figures and standards of a sentence must be in its quotes; how they are written may differ."""

import pytest

from shared.agreement import figures, missing_details, standards

QUOTE = (
    "According to ISO 14644-1:2015, an ISO class 7 room has at most 352,000 particles of 0.5 µm per cubic metre. "
    "RDC nº 665, de 30 de março de 2022, and ABNT NBR ISO 13485:2016 apply; records are kept for two years."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "Uma sala ISO 7 admite 352.000 partículas de 0,5 µm.",
        "A sala limpa classe ISO 7 admite 352 000 partículas.",
        "A ISO 14644-1 define as classes.",
        "A ISO 14644 define as classes.",
        "A RDC 665/2022 e a ISO 13485 valem.",
        "Os registros ficam guardados por 2 anos.",
        "Os registros ficam guardados por dois anos.",
        "A Citizen M32 trabalha com calma.",
    ],
)
def test_agreeing_sentences_miss_nothing(sentence: str):
    assert missing_details(sentence, [QUOTE]) == []


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("A sala ISO 8 admite mais.", ["ISO class 8"]),
        ("São 352 partículas de 5 µm.", ["5"]),
        ("São partículas de 0,5 mm.", ["0,5"]),
        ("A ISO 13485:2003 vale.", ["2003"]),
        ("A RDC 16 vale.", ["RDC 16"]),
        ("A ISO 14644-3 define ensaios.", ["ISO 14644-3"]),
        ("Os registros ficam guardados por 10 anos.", ["10"]),
        ("A taxa é de 95%.", ["95"]),
        ("A ISO 9001 não basta em 2026.", ["2026", "ISO 9001"]),
    ],
)
def test_what_the_quotes_do_not_have_is_named(sentence: str, missing: list[str]):
    assert missing_details(sentence, [QUOTE]) == missing


def test_numbers_of_standards_and_machines_are_no_figures():
    assert figures("A ISO 13485, a ASTM F136, a Citizen L20 e a classe ISO 7.") == []


def test_standards_are_found_without_their_year():
    found = standards("ABNT NBR ISO 13485:2016, EN ISO 14971:2019, ASTM F136-13, ISO/TR 20416, RDC nº 665/2022")
    assert found == {"ISO 13485", "ISO 14971", "ASTM F136-13", "ISO 20416", "RDC 665"}


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("1.500", {1500.0, 1.5}),
        ("1,9", {1.9}),
        ("0,125", {0.125}),
        ("1.234.567", {1234567.0}),
        ("1.234,5", {1234.5}),
        ("30 000", {30000.0}),
        ("7", {7.0}),
    ],
)
def test_a_number_stands_for_what_it_means_in_either_language(written: str, values: set[float]):
    [figure] = figures(f"são {written} ao todo")
    assert set(figure.values) == values


def test_quotes_support_a_sentence_together():
    assert missing_details("De 10 a 20 µm.", ["ao menos 10 µm", "no máximo 20 µm"]) == []
