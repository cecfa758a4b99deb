"""Every fault of a provider: tried again, repaired or told, and always booked as it was billed."""

import asyncio

import pytest

from shared.engine.errors import (
    ModelOutputInvalid,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from shared.engine.job import Lease
from shared.model.gateway import JobModels
from shared.model.retries import CallPolicy
from tests.shared.model.books import Books, Jobs
from tests.shared.model.examples import BANNER, SEARCH, TITLE, Strict, Title, assert_books_are_true
from tests.shared.model.provider import Provider


async def test_faults_that_pass_are_tried_again(provider: Provider, lease: Lease, books: Books) -> None:
    await provider.script("429", "500", "503")
    patient = CallPolicy(request_timeout_s=20, deadline_s=30, max_tries=4, base_s=0.01, cap_s=0.02)
    assert (await provider.models(lease, policy=patient).text(TITLE, Title)).title
    *failed, answered = await books.rows()
    assert [row["error"]["code"] for row in failed] == ["429 RESOURCE_EXHAUSTED", "500 INTERNAL", "503 UNAVAILABLE"]
    assert [row["cost_usd"] for row in failed] == [0, 0, 0]
    assert answered["status"] == "settled"
    assert {row["call_key"] for row in failed} == {answered["call_key"]}
    await assert_books_are_true(books, provider)


async def test_a_fault_that_stays_is_unavailable(provider: Provider, lease: Lease, books: Books) -> None:
    await provider.rates(**{"503": 1.0})
    with pytest.raises(ModelUnavailable, match=r"503.*3 tries") as caught:
        await provider.models(lease).text(TITLE, Title)
    assert caught.value.stage == "write"
    assert caught.value.retryable
    assert await books.statuses() == ["failed"] * 3
    await assert_books_are_true(books, provider)


async def test_the_servers_delay_is_waited_for(models: JobModels, provider: Provider) -> None:
    await provider.script("429", retry_after_s=0.3)
    started = asyncio.get_running_loop().time()
    await models.text(TITLE, Title)
    assert asyncio.get_running_loop().time() - started >= 0.3


async def test_a_silent_server_is_given_up_at_the_deadline(provider: Provider, lease: Lease, books: Books) -> None:
    await provider.rates(timeout=1.0)
    policy = CallPolicy(request_timeout_s=0.2, deadline_s=0.5, base_s=0.01, cap_s=0.02)
    started = asyncio.get_running_loop().time()
    with pytest.raises(ModelUnavailable, match="timeout"):
        await provider.models(lease, policy=policy).text(TITLE, Title)
    assert asyncio.get_running_loop().time() - started < 2
    assert all(row["error"]["cost_unknown"] for row in await books.rows())
    await assert_books_are_true(books, provider)


async def test_a_slow_answer_in_time_is_an_answer(models: JobModels, books: Books, provider: Provider) -> None:
    await provider.script("slow", slow_ms=200)
    await models.text(TITLE, Title)
    assert await books.statuses() == ["settled"]


async def test_a_provider_out_of_reach_is_unavailable(provider: Provider, lease: Lease, books: Books) -> None:
    async with provider.elsewhere("http://127.0.0.1:9") as gateway:
        with pytest.raises(ModelUnavailable, match="connection"):
            await gateway.for_job(lease, lambda: "write").text(TITLE, Title)
    assert [row["error"]["cost_unknown"] for row in await books.rows()] == [False] * 3


async def test_a_wrong_key_is_rejected_at_once(provider: Provider, lease: Lease, books: Books) -> None:
    async with provider.elsewhere(provider.url, key="invalid") as gateway:
        with pytest.raises(ModelRejected, match=r"does not accept the request.*API key not valid") as caught:
            await gateway.for_job(lease, lambda: "write").text(TITLE, Title)
    assert not caught.value.retryable
    assert await books.statuses() == ["failed"]


async def test_invalid_json_is_repaired_once(models: JobModels, books: Books, provider: Provider) -> None:
    await provider.script("malformed_json")
    assert (await models.text(TITLE, Title)).title
    first, second = await books.rows()
    assert (first["status"], second["status"]) == ("failed", "settled")
    assert first["call_key"] == second["call_key"]
    assert first["cost_usd"] > 0
    assert first["error"]["code"] == "invalid"
    assert second["input_tokens"] > first["input_tokens"]
    await assert_books_are_true(books, provider)


async def test_a_repaired_answer_is_what_a_resumed_job_gets(
    provider: Provider, lease: Lease, jobs: Jobs, books: Books
) -> None:
    await provider.script("malformed_json")
    repaired = await provider.models(lease).text(TITLE, Title)
    meter = await provider.meter()
    assert await provider.models(await jobs.taken_over(lease)).text(TITLE, Title) == repaired
    assert await provider.meter() == meter


async def test_a_schema_that_is_never_met_ends_after_one_repair(
    models: JobModels, books: Books, provider: Provider
) -> None:
    with pytest.raises(ModelOutputInvalid, match=r"schema.*must rhyme") as caught:
        await models.text(TITLE, Strict)
    assert caught.value.retryable
    assert await books.statuses() == ["failed", "failed"]
    assert "must rhyme" in (await books.rows())[0]["error"]["problems"][0]
    await assert_books_are_true(books, provider)


@pytest.mark.parametrize(
    ("fault", "code"), [("truncated", "truncated"), ("malformed_json", "invalid"), ("empty", "empty")]
)
async def test_text_that_is_of_no_use_twice_is_an_error_and_paid_twice(
    models: JobModels, books: Books, provider: Provider, fault: str, code: str
) -> None:
    await provider.script(fault, fault)
    with pytest.raises(ModelOutputInvalid):
        await models.text(TITLE, Title)
    rows = await books.rows()
    assert [row["error"]["code"] for row in rows] == [code, code]
    assert (await provider.meter()).served == 2
    await assert_books_are_true(books, provider)


@pytest.mark.parametrize("fault", ["truncated", "empty"])
async def test_text_that_is_of_no_use_once_gets_a_second_chance(
    models: JobModels, books: Books, provider: Provider, fault: str
) -> None:
    await provider.script(fault)
    assert (await models.text(TITLE, Title)).title
    assert await books.statuses() == ["failed", "settled"]
    await assert_books_are_true(books, provider)


@pytest.mark.parametrize("fault", ["truncated", "empty"])
async def test_a_search_of_no_use_gets_a_second_chance(
    models: JobModels, books: Books, provider: Provider, fault: str
) -> None:
    await provider.script(fault)
    assert (await models.search(SEARCH)).sources
    assert await books.statuses() == ["failed", "settled"]
    await assert_books_are_true(books, provider)


@pytest.mark.parametrize("fault", ["safety", "safety_answer"])
async def test_a_search_whose_answer_was_withheld_is_booked(
    models: JobModels, books: Books, provider: Provider, fault: str
) -> None:
    await provider.script(fault)
    with pytest.raises(ModelRefused):
        await models.search(SEARCH)
    await assert_books_are_true(books, provider)


@pytest.mark.parametrize("fault", ["safety", "safety_answer"])
async def test_what_a_filter_blocks_is_refused_and_not_asked_again(
    models: JobModels, books: Books, provider: Provider, fault: str
) -> None:
    await provider.script(fault)
    with pytest.raises(ModelRefused, match="safety filter"):
        await models.text(TITLE, Title)
    [row] = await books.rows()
    assert row["error"]["code"] == "model_refused"
    assert (await provider.meter()).served == 1
    await assert_books_are_true(books, provider)


async def test_an_image_that_was_withheld_is_refused_and_booked(
    models: JobModels, books: Books, provider: Provider
) -> None:
    await provider.script("safety_answer")
    with pytest.raises(ModelRefused, match="safety filter"):
        await models.image(BANNER, aspect_ratio="1:1")
    await assert_books_are_true(books, provider)


async def test_no_image_is_invalid_and_billed(models: JobModels, books: Books, provider: Provider) -> None:
    await provider.script("no_image", "no_image")
    with pytest.raises(ModelOutputInvalid, match="no picture"):
        await models.image(BANNER, aspect_ratio="1:1")
    assert all(row["cost_usd"] > 0 for row in await books.rows())
    await assert_books_are_true(books, provider)


async def test_faults_of_embeddings_are_tried_again(models: JobModels, books: Books, provider: Provider) -> None:
    await provider.script("429", "503")
    assert len(await models.embed(["titânio"], task="query")) == 1
    await assert_books_are_true(books, provider)
