"""The gateway against the emulator by the real SDK, and the real ledger: what is booked is what was served."""

import asyncio
import math
from decimal import Decimal

import pytest
from pydantic import BaseModel, Field, field_validator

from shared.engine.errors import (
    BudgetExceeded,
    LeaseLost,
    ModelError,
    ModelOutputInvalid,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from shared.engine.job import Lease
from shared.model.gateway import JobModels, ReferenceImage
from shared.model.prices import PriceUnknown
from shared.model.prompts import RenderedPrompt
from shared.model.retries import CallPolicy
from tests.shared.model.books import Books, Jobs
from tests.shared.model.provider import Provider, eventually

TITLE = RenderedPrompt("title", "3", "text", "Give a title for an article about titanium implants.", system="Be brief.")
SEARCH = RenderedPrompt(
    "search", "1", "search", "Busque na web e responda com fatos, em pt-BR: o que exige a ISO 13485 de fornecedores?"
)
BANNER = RenderedPrompt("banner", "1", "image", "A clean banner about ISO 13485, navy and white.")


class Title(BaseModel):
    title: str = Field(min_length=1)
    reason: str


class Strict(BaseModel):
    """A schema that no answer fits: its rule cannot be told by JSON Schema."""

    title: str

    @field_validator("title")
    @classmethod
    def _never(cls, value: str) -> str:
        raise ValueError(f"must rhyme, which {len(value)} characters do not")


async def assert_books_are_true(books: Books, provider: Provider) -> None:
    """What the ledger says was spent is what the provider served, and nothing is reserved any more."""
    meter = await provider.meter()
    assert await books.cost_usd() == await books.spent_usd() == meter.cost_usd
    assert await books.reserved_usd() == 0
    assert "reserved" not in await books.statuses()


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


async def test_vertex_ai_gives_the_same_answers_and_takes_texts_one_by_one(
    provider: Provider, lease: Lease, books: Books
) -> None:
    async with provider.vertex() as gateway:
        models = gateway.for_job(lease, lambda: "write")
        assert (await models.text(TITLE, Title)).title
        assert len(await models.embed(["um", "dois", "três"], task="query")) == 3
    assert await books.statuses() == ["settled"] * 4
    await assert_books_are_true(books, provider)


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


async def test_a_call_over_the_limit_is_never_sent(models: JobModels, books: Books, provider: Provider) -> None:
    await books.limit("job", "0.0001")
    with pytest.raises(BudgetExceeded, match=r"spending limit of 0\.0001 USD"):
        await models.text(TITLE, Title)
    assert (await provider.meter()).requests == 0
    await assert_books_are_true(books, provider)


async def test_50_calls_at_once_stay_within_the_limit(provider: Provider, jobs: Jobs, books: Books) -> None:
    await books.limit("overall", "0.9")
    workers = [provider.models(await jobs.claimed()) for _ in range(5)]
    calls = [workers[number % 5].text(TITLE, Title, variant=number) for number in range(50)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, BudgetExceeded)]
    answered = [result for result in results if isinstance(result, Title)]
    assert len(refused) + len(answered) == 50
    assert answered
    assert await books.spent_usd() <= Decimal("0.9")
    await assert_books_are_true(books, provider)


async def test_the_books_stay_true_when_much_goes_wrong_at_once(provider: Provider, jobs: Jobs, books: Books) -> None:
    faults = ["429", "500", "503", "slow", "truncated", "malformed_json", "safety", "safety_answer", "empty"]
    await provider.rates(slow_ms=20, **dict.fromkeys(faults, 0.05))
    workers = [provider.models(await jobs.claimed()) for _ in range(3)]
    texts = [workers[number % 3].text(TITLE, Title, variant=number) for number in range(40)]
    searches = [workers[number % 3].search(SEARCH, variant=number) for number in range(20)]
    results = await asyncio.gather(*texts, *searches, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(failure, ModelError) for failure in failures)
    assert len(failures) < 30
    assert {"settled", "failed"} == set(await books.statuses())
    await assert_books_are_true(books, provider)


async def test_an_answer_after_the_lease_was_lost_is_paid_but_not_used(
    models: JobModels, lease: Lease, jobs: Jobs, books: Books, provider: Provider
) -> None:
    await provider.script("slow", slow_ms=300)
    call = asyncio.create_task(models.text(TITLE, Title))
    await eventually(provider.was_reached)
    successor = await jobs.taken_over(lease)
    with pytest.raises(LeaseLost):
        await call
    [row] = await books.rows()
    assert row["status"] == "abandoned"
    assert row["cost_usd"] > 0
    await assert_books_are_true(books, provider)
    await provider.models(successor).text(TITLE, Title)
    assert (await provider.meter()).served == 2


async def test_no_call_is_made_without_the_lease(
    models: JobModels, lease: Lease, jobs: Jobs, provider: Provider
) -> None:
    await jobs.taken_over(lease)
    with pytest.raises(LeaseLost):
        await models.text(TITLE, Title)
    assert (await provider.meter()).requests == 0


async def test_a_cancelled_call_leaves_nothing_reserved(models: JobModels, books: Books, provider: Provider) -> None:
    await provider.script("timeout")
    call = asyncio.create_task(models.text(TITLE, Title))
    await eventually(provider.was_reached)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    [row] = await books.rows()
    assert (row["status"], row["error"]["code"], row["error"]["cost_unknown"]) == ("failed", "cancelled", True)
    assert await books.reserved_usd() == 0


async def test_a_call_cancelled_anywhere_leaves_nothing_reserved(models: JobModels, books: Books) -> None:
    for steps in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048):
        call = asyncio.create_task(models.text(TITLE, Title, variant=steps))
        for _ in range(steps):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait({call})
        assert "reserved" not in await books.statuses()
    assert await books.reserved_usd() == 0
    assert {row["status"] for row in await books.rows()} <= {"failed", "settled"}


async def test_one_failed_batch_stops_the_others(models: JobModels, books: Books, provider: Provider) -> None:
    await books.limit("job", "0.0002")
    with pytest.raises(BudgetExceeded):
        await models.embed([f"text {number} " * 20 for number in range(500)], task="document")
    assert await books.reserved_usd() == 0
    await assert_books_are_true(books, provider)


async def test_calls_are_limited_to_the_slots(provider: Provider, lease: Lease, books: Books) -> None:
    await provider.rates(slow=1.0, slow_ms=50)
    models = provider.models(lease, concurrency=2)
    calls = [asyncio.create_task(models.text(TITLE, Title, variant=number)) for number in range(6)]
    seen: set[int] = set()
    while not all(call.done() for call in calls):
        seen.add((await books.statuses()).count("reserved"))
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    assert max(seen) == 2


def test_a_model_without_a_price_is_refused_at_the_start(provider: Provider) -> None:
    with pytest.raises(PriceUnknown, match="gemini-9-ultra"):
        provider.gateway(text="gemini-9-ultra")


async def test_an_answer_without_usage_is_booked_at_its_worst_case(
    models: JobModels, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.model.answers.usage_of", lambda _response: None)
    await models.text(TITLE, Title)
    [row] = await books.rows()
    assert row["cost_usd"] == row["reserved_usd"] > 0


async def test_logs_tell_counts_and_never_what_was_asked(models: JobModels, capsys: pytest.CaptureFixture[str]) -> None:
    await models.text(TITLE, Title)
    await models.text(TITLE, Title)
    lines = [line for line in capsys.readouterr().out.splitlines() if "model call" in line]
    assert len(lines) == 2
    assert "title@3" in lines[0]
    assert "titanium" not in "".join(lines)
