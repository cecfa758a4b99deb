"""Lengths are kept without cutting words, and measured honestly."""

import pytest

from services.blog.article import count_words
from services.blog.headline import forced
from services.blog.limits import (
    SEO_DESCRIPTION_CHARS,
    SEO_TITLE_CHARS,
    TITLE_CHARS,
    Span,
    fitted,
    limit_checks,
    shortened,
)
from tests.services.blog.articles import article, said

LONG_TITLE = (
    "Rastreabilidade e UDI em implantes ortopédicos: o que conferir, passo a passo, antes da auditoria da ANVISA"
)


def test_what_fits_stays_as_it_is():
    assert fitted(' "Um título" ', Span(5, 20)) == "Um título"


def test_what_is_too_long_ends_where_a_clause_ends():
    assert fitted(LONG_TITLE, TITLE_CHARS) == "Rastreabilidade e UDI em implantes ortopédicos: o que conferir"


@pytest.mark.parametrize(
    "text",
    ["curto demais", "Uma frase sem nenhuma pausa que se estende por muito mais do que setenta caracteres ao todo"],
)
def test_what_cannot_be_fitted_without_new_words_is_left_to_the_model(text: str):
    assert fitted(text, TITLE_CHARS) is None


def test_a_cut_text_ends_on_a_whole_word_that_can_end_it():
    assert shortened("O que conferir antes de uma auditoria do fornecedor", 27) == "O que conferir antes"
    assert shortened("cabe inteiro", 20) == "cabe inteiro"


@pytest.mark.parametrize("span", [TITLE_CHARS, SEO_TITLE_CHARS, SEO_DESCRIPTION_CHARS])
@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize(
    "text", ["ISO", "Metrologia", LONG_TITLE, "palavra " * 40, "Sala limpa ISO classe 7 na montagem de instrumentos"]
)
def test_at_last_every_text_is_within_its_span(text: str, span: Span, language: str):
    result = forced(text, span, language)  # pyright: ignore[reportArgumentType]
    assert span.holds(len(result)), (len(result), result)
    assert not result.endswith((",", " ", ":"))


def test_limits_are_measured_one_by_one():
    checks = {check.name: check for check in limit_checks(article([said("palavra " * 900)]), links=3)}
    assert checks["article length"].ok
    assert checks["title length"].ok
    assert checks["internal links"].ok
    assert not checks["sections"].ok
    assert checks["sections"].detail == "1 sections; 3 to 5 wanted"
    assert not checks["SEO description length"].ok


def test_words_are_what_stands_between_spaces_and_can_be_read():
    assert count_words("Ra < 0,1 µm — medido, não estimado.") == 6
