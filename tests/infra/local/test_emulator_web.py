import html
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trafilatura
from google.genai import types

from infra.local.emulator.articles import load_articles
from infra.local.emulator.site import REDIRECT_HOST
from infra.local.emulator.web import prepare
from infra.local.emulator.web_search import search
from tests.infra.local.emulator_server import RunningEmulator, inputs, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("web")) as running:
        yield running


def _grounded(emulator: RunningEmulator, query: str, language: str = "pt-BR") -> types.GenerateContentResponse:
    tools = [types.Tool(google_search=types.GoogleSearch())]
    return emulator.ask(f"Search the web.\n{inputs(query=query, language=language)}", tools=tools)


def _metadata(answer: types.GenerateContentResponse) -> types.GroundingMetadata:
    assert answer.candidates
    assert answer.candidates[0].grounding_metadata
    return answer.candidates[0].grounding_metadata


def test_grounded_answer_says_where_each_sentence_comes_from(emulator: RunningEmulator):
    answer = _grounded(emulator, "sala limpa ISO classe 7 partículas")
    metadata = _metadata(answer)
    assert metadata.web_search_queries == ["sala limpa ISO classe 7 partículas"]
    assert metadata.grounding_chunks
    assert metadata.grounding_supports
    first = metadata.grounding_chunks[0].web
    assert first
    assert first.domain == "dispositivos-em-foco.test"
    assert "352.000" in (answer.text or "")


def test_offsets_are_bytes_of_utf_8(emulator: RunningEmulator):
    answer = _grounded(emulator, "validação de processos e medição")
    encoded = (answer.text or "").encode()
    assert len(encoded) > len(answer.text or "")
    for support in _metadata(answer).grounding_supports or []:
        assert support.segment
        start, end = support.segment.start_index or 0, support.segment.end_index
        assert encoded[start:end].decode() == support.segment.text


def test_source_is_a_redirect_to_a_page_that_says_it(emulator: RunningEmulator):
    answer = _grounded(emulator, "eletropolimento de implantes")
    metadata = _metadata(answer)
    support = (metadata.grounding_supports or [])[0]
    assert support.segment
    assert support.grounding_chunk_indices
    assert metadata.grounding_chunks
    web = metadata.grounding_chunks[support.grounding_chunk_indices[0]].web
    assert web
    assert web.uri
    assert httpx.URL(web.uri).host == REDIRECT_HOST
    redirect = emulator.browse(web.uri)
    assert redirect.status_code == 302
    page = emulator.browse(redirect.headers["location"])
    assert page.status_code == 200
    assert (support.segment.text or "")[:60] in page.text


def test_nothing_found_is_said_and_has_no_sources(emulator: RunningEmulator):
    answer = _grounded(emulator, "receita de bolo de cenoura")
    assert not _metadata(answer).grounding_chunks
    assert "não respondo de memória" in (answer.text or "")


def test_english_questions_get_english_pages(emulator: RunningEmulator):
    answer = _grounded(emulator, "ISO 13485 supplier audit", "en")
    chunks = _metadata(answer).grounding_chunks or []
    assert {chunk.web.domain for chunk in chunks if chunk.web} == {"implant-engineering.test"}


def test_every_article_reads_back_whole_from_its_page(emulator: RunningEmulator):
    for article in load_articles():
        page = emulator.browse(article.url)
        assert page.status_code == 200, article.url
        text = trafilatura.extract(page.text, include_comments=False) or ""
        told = " ".join(text.split())
        missing = [block for block in article.paragraphs if block not in told]
        assert not missing, (article.url, missing[:1])
        assert html.escape(article.title) in page.text
        assert "cookies" in page.text  # there is something around the text to take away


def test_articles_are_long_enough_and_spread_over_sites():
    articles = load_articles()
    assert len(articles) >= 12
    assert len({article.host for article in articles}) == 5
    assert all(article.host.endswith(".test") for article in articles)
    assert all(500 <= len(" ".join(article.blocks).split()) <= 950 for article in articles)
    assert {article.language for article in articles} == {"pt-BR", "en"}


def test_one_useful_article_holds_an_injection():
    held = [article for article in load_articles() if any("ignore todas as instruções" in b for b in article.blocks)]
    assert len(held) == 1
    assert len(held[0].paragraphs) > 10
    found = search("qualificação de fornecedores risco de suprimento", most=1, sentences_each=40)
    assert found[0].article == held[0]
    assert not any("ignore" in sentence for sentence in found[0].sentences)


def test_unknown_pages_are_not_found(emulator: RunningEmulator):
    assert emulator.browse("https://vet-ortopedia.test/nada").status_code == 404
    assert emulator.browse(f"https://{REDIRECT_HOST}/grounding-api-redirect/nada").status_code == 404
    assert emulator.browse("https://vet-ortopedia.test/").status_code == 200


def test_only_the_local_authority_makes_the_web_trusted(emulator: RunningEmulator):
    address = json.loads(emulator.environment["FETCH_STATIC_HOSTS"])["vet-ortopedia.test"]
    with (
        httpx.Client(verify=ssl.create_default_context(), trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(f"https://{address}/")


def test_certificates_are_made_once(tmp_path: Path):
    first = prepare(tmp_path, 4430)
    made = (tmp_path / "web-cert.pem").read_bytes()
    second = prepare(tmp_path, 4431)
    assert (tmp_path / "web-cert.pem").read_bytes() == made
    assert first["FETCH_CA_FILE"] == second["FETCH_CA_FILE"]
    assert set(json.loads(second["FETCH_STATIC_HOSTS"]).values()) == {"127.0.0.1:4431"}
