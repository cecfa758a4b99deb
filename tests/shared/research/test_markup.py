"""Words from outside stay words in our Markdown."""

import pytest

from shared.content.article import article_html
from shared.plain import one_line
from shared.research.markup import as_paragraph, escaped, link, readable_day

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[aqui](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "**negrito** e _itálico_ e `código`",
    "&lt;b&gt; &amp; &#60;",
    "~~riscado~~ | tabela |",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_text_shows_exactly_what_was_written(text: str):
    html = article_html(as_paragraph(escaped(text)))
    shown = html.removeprefix("<p>").removesuffix("</p>\n")
    assert "<" not in shown
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&") == text


@pytest.mark.parametrize(
    "text", ["1. Primeiro", "2016. Um ano", "# Título", "- item", "> citação", "+ mais", "=== x", "--- x"]
)
def test_a_paragraph_stays_a_paragraph(text: str):
    assert article_html(as_paragraph(escaped(text))).startswith("<p>")


def test_a_link_keeps_its_address_whatever_is_in_it():
    html = article_html(link("Um [título]", "https://a.test/b_(c)?d=<e>"))
    assert 'href="https://a.test/b_%28c%29?d=%3Ce%3E"' in html
    assert ">Um [título]</a>" in html


def test_less_than_in_a_measure_is_not_touched():
    assert escaped("Ra < 0,1 µm") == "Ra < 0,1 µm"


def test_days_are_written_as_readers_do():
    assert readable_day("2026-11-22T10:00:00+00:00", "pt-BR") == "22/11/2026"
    assert readable_day("2026-11-02", "en") == "2 November 2026"
    assert readable_day("março", "pt-BR") == "março"
    assert readable_day(None, "en") == ""


def test_one_line_drops_what_nobody_sees_and_cuts_between_words():
    assert one_line(" a\tb\n\x00c\u200b\ud800 ") == "a b c"
    assert one_line("uma frase inteira", max_chars=10) == "uma frase"
    assert one_line("palavracomprida", max_chars=5) == "palav"
