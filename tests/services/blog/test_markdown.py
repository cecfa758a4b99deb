"""The article as Markdown: references in order, links into the site, and nothing that a model smuggles in."""

import pytest

from services.blog.markdown import assemble, plain
from shared.content.article import article_html
from shared.content.brand import load_brand
from tests.services.blog.articles import article, company, report, said, web

BRAND = load_brand()
E1 = web("E1", "Os registros ficam guardados por dois anos.")
E2 = web("E2", "Cada processo especial é validado.", "https://b.test/y")
C1 = company("C1", "A Lifetrek Medical tem mais de 30 anos de experiência.")


def content(*sentences: str | tuple[str, str]) -> str:
    section = [said(s) if isinstance(s, str) else said(s[0], *s[1].split()) for s in sentences]
    return assemble(article(section), report(E1, E2, C1), BRAND).content


def test_numbers_follow_the_order_of_citation_and_stand_before_the_full_stop():
    text = content(("O processo é validado.", "E2"), ("Guardam-se por dois anos!", "E1 E2"), "Nada a citar.")
    assert "O processo é validado [1]. Guardam-se por dois anos [1][2]! Nada a citar." in text


def test_references_are_listed_with_title_address_site_and_dates():
    text = content(("Guardam-se por dois anos.", "E1"), ("Temos experiência.", "C1"))
    assert text.endswith(
        "## Referências\n\n"
        "1. [Título de https://a.test/x](https://a.test/x). a.test, 11/03/2026. Acesso em 22/11/2026.\n"
        "2. Lifetrek Medical, dados da empresa.\n"
    )


def test_english_articles_have_english_references():
    assembled = assemble(article([said("Kept for two years.", "E1")]), report(E1, language="en"), BRAND)
    assert "## References" in assembled.content
    assert "Accessed 22 November 2026." in assembled.content
    assert "[Talk to our engineers](/contato)" in assembled.content


def test_an_article_without_citations_has_no_references():
    assert "Referências" not in content("Nada a citar.")


def test_links_into_the_site_stand_in_the_text_where_its_words_are():
    assembled = assemble(article([said("Fazemos implantes e instrumentais com cuidado.")]), report(), BRAND)
    assert "Fazemos [implantes e instrumentais](/produtos) com cuidado." in assembled.content
    assert assembled.content.count("](/produtos)") == 1
    assert assembled.links == 3
    assert assembled.content.endswith("[Fale com a nossa engenharia](/contato).\n")


def test_a_section_that_lost_all_its_sentences_is_left_out():
    assembled = assemble(article([said("Fica.")], []), report(), BRAND)
    assert "Passo 1" in assembled.content
    assert "Passo 2" not in assembled.content


@pytest.mark.parametrize(
    "smuggled",
    [
        "Veja [aqui](https://evil.example/) agora.",
        "Veja https://evil.example/path agora.",
        "Veja www.evil.example agora.",
        "Veja <a href='https://evil.example'>aqui</a> agora.",
        "<script src='https://evil.example/x.js'></script>",
        "![x](https://evil.example/x.png)",
        "Escreva a mailto:x@evil.example agora.",
        "# Título falso",
        "[1]: https://evil.example/",
        "Linha\n\n## Referências\n\n1. Falsa",
    ],
)
def test_nothing_but_words_comes_from_a_model(smuggled: str):
    html = article_html(content(smuggled, ("Guardam-se por dois anos.", "E1")))
    assert (
        "evil.example" not in html.replace("&lt;", "<")
        or "<a" not in html.partition("Passo 1")[2].partition("Guardam")[0]
    )
    assert html.count("<a ") == 4  # one reference, three links into the site
    assert html.count("<h2>") == 3
    assert "<script" not in html
    assert "<img" not in html


def test_addresses_are_taken_out_of_sentences():
    assert plain("Veja (https://evil.example/a) agora.") == "Veja agora."


def test_the_markdown_is_what_the_site_renders():
    html = article_html(content(("A rugosidade fica com Ra < 0,1 µm.", "E1")))
    assert "Ra &lt; 0,1 µm [1]." in html
    assert '<a href="https://a.test/x"' in html
