"""A quote is evidence only when its page has it, word for word."""

import pytest

from shared.research.evidence import find_quote, same_words

PASSAGE = (
    "A cláusula 7.5.9 exige procedimentos documentados de rastreabilidade — e a 7.5.9.2 traz\u00a0requisitos   "
    "particulares para “dispositivos implantáveis”. Os registros devem in\u00adcluir componentes e materiais."
)


@pytest.mark.parametrize(
    "quote",
    [
        "A cláusula 7.5.9 exige procedimentos documentados de rastreabilidade",
        "procedimentos documentados de rastreabilidade - e a 7.5.9.2 traz requisitos particulares",
        'requisitos particulares para "dispositivos implantáveis".',
        "“Os registros devem incluir componentes e materiais.”",
        "Os registros  devem\nincluir componentes e materiais…",
    ],
)
def test_spacing_dashes_and_quotation_marks_may_differ(quote: str):
    assert find_quote(quote, PASSAGE)


def test_what_is_kept_is_the_page_own_spelling():
    found = find_quote("rastreabilidade - e a 7.5.9.2 traz requisitos particulares", PASSAGE)
    assert found == "rastreabilidade — e a 7.5.9.2 traz\u00a0requisitos   particulares"


@pytest.mark.parametrize(
    "quote",
    [
        "A cláusula 7.5.8 exige procedimentos documentados de rastreabilidade",
        "A cláusula 7.5.9 exige procedimentos de rastreabilidade",
        "a cláusula 7.5.9 exige procedimentos documentados",
        "A clausula 7.5.9 exige procedimentos documentados",
        "The standard requires documented traceability procedures",
        "láusula 7.5.9 exige procedimentos documentados",
        "procedimentos documentados de rastreabilidad",
        "exige procedimentos",
        "",
        "…",
        "A cláusula 7.5.9 exige " + "muito " * 200,
    ],
)
def test_a_changed_shortened_translated_or_invented_quote_is_none(quote: str):
    assert find_quote(quote, PASSAGE) is None


def test_the_same_words_are_recognised_in_another_spelling():
    assert same_words("Um  Texto – com traço") == same_words("um texto - com traço")
    assert same_words("um texto") != same_words("outro texto")
