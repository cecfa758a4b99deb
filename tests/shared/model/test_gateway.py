"""The gateway against the emulator by the real SDK: typed answers, booked once and replayed for nothing."""

import asyncio
import math

import pytest
import structlog
from structlog.testing import LogCapture

from shared.engine.job import Lease
from shared.model.gateway import JobModels, ReferenceImage
from tests.shared.model.books import Books, Jobs
from tests.shared.model.examples import BANNER, SEARCH, TITLE, Title, assert_books_are_true
from tests.shared.model.provider import Provider


async def test_text_is_typed_booked_and_named(models: JobModels, books: Books, provider: Provider) -> None:
    answer = await models.text(TITLE, Title)
    assert answer.title
    assert models.versions == {"title@3": "emulator"}
    [row] = await books.rows()
    assert (row["status"], row["stage"], row["call_kind"], row["prompt"]) == ("settled", "write", "text", "title@3")
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    assert models.cost_usd == row["cost_usd"] > 0
    assert row["reserved_usd"] >= row["cost_usd"]
    await assert_books_are_true(books, provider)


async def test_a_replayed_call_gives_the_same_and_pays_nothing(
    provider: Provider, lease: Lease, books: Books, jobs: Jobs
) -> None:
    first = await provider.models(lease).text(TITLE, Title)
    meter = await provider.meter()
    again = provider.models(await jobs.taken_over(lease))
    assert await again.text(TITLE, Title) == first
    assert await provider.meter() == meter
    assert again.versions == {"title@3": "emulator"}
    assert again.cost_usd == await books.cost_usd()
    assert await books.statuses() == ["settled"]


async def test_another_variant_asks_anew(models: JobModels, provider: Provider, books: Books) -> None:
    await models.text(TITLE, Title)
    await models.text(TITLE, Title, variant=1)
    assert (await provider.meter()).served == 2
    await assert_books_are_true(books, provider)


async def test_the_same_call_twice_at_once_is_made_once(models: JobModels, provider: Provider) -> None:
    answers = await asyncio.gather(*(models.text(TITLE, Title) for _ in range(4)))
    assert len({answer.title for answer in answers}) == 1
    assert (await provider.meter()).served == 1


async def test_a_search_has_sources_for_what_it_says(models: JobModels, books: Books, provider: Provider) -> None:
    answer = await models.search(SEARCH)
    assert answer.sources
    assert answer.supports
    for support in answer.supports:
        assert answer.text[support.start : support.end] == support.text
        assert all(index < len(answer.sources) for index in support.source_indexes)
    [row] = await books.rows()
    assert row["search_queries"] == len(set(answer.queries)) > 0
    assert await models.search(SEARCH) == answer
    await assert_books_are_true(books, provider)


async def test_an_image_is_bytes_and_replayed_from_the_ledger(
    models: JobModels, books: Books, provider: Provider
) -> None:
    reference = ReferenceImage((await models.image(BANNER, aspect_ratio="1:1")).data, "image/png")
    picture = await models.image(BANNER, aspect_ratio="16:9", size="2K", references=[reference])
    assert picture.data.startswith(b"\x89PNG")
    assert picture.mime_type == "image/png"
    assert await models.image(BANNER, aspect_ratio="16:9", size="2K", references=[reference]) == picture
    assert [row["images"] for row in await books.rows()] == [1, 1]
    await assert_books_are_true(books, provider)


async def test_embeddings_have_unit_length_and_keep_their_order(
    models: JobModels, books: Books, provider: Provider
) -> None:
    texts = [f"implante de titânio número {number}" for number in range(130)]
    vectors = await models.embed(texts, task="document")
    assert len(vectors) == 130
    assert {len(vector) for vector in vectors} == {768}
    assert all(math.isclose(math.hypot(*vector), 1, rel_tol=1e-5) for vector in vectors)
    assert vectors[129] == (await models.embed([texts[129]], task="document"))[0]
    assert await models.embed(texts, task="document") == vectors
    assert await books.statuses() == ["settled"] * 3
    await assert_books_are_true(books, provider)


async def test_no_texts_have_no_embeddings_and_cost_nothing(models: JobModels, books: Books) -> None:
    assert await models.embed([], task="query") == []
    assert await books.rows() == []


async def test_vertex_ai_gives_the_same_answers_and_takes_texts_one_by_one(
    provider: Provider, lease: Lease, books: Books
) -> None:
    async with provider.vertex() as gateway:
        models = gateway.for_job(lease, lambda: "write")
        assert (await models.text(TITLE, Title)).title
        assert len(await models.embed(["um", "dois", "três"], task="query")) == 3
    assert await books.statuses() == ["settled"] * 4
    await assert_books_are_true(books, provider)


async def test_logs_tell_counts_and_never_what_was_asked(models: JobModels, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = LogCapture()
    monkeypatch.setattr("shared.model.open_call._log", structlog.wrap_logger(None, processors=[logs]))
    await models.text(TITLE, Title)
    await models.text(TITLE, Title)
    made, replayed = logs.entries
    assert (made["prompt"], made["stage"], made["outcome"], made["replayed"]) == ("title@3", "write", "settled", False)
    assert made["cost_usd"] > 0
    assert replayed["replayed"]
    assert "titanium" not in str(logs.entries)
