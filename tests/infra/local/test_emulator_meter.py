from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import httpx
import pytest
from google.genai import errors, types

from infra.local.emulator.prices import Prices, Usage
from shared.model.prices import PriceTable
from shared.model.prices import Usage as LedgerUsage
from tests.infra.local.emulator_server import EMBEDDING, IMAGE, TEXT, RunningEmulator, running_emulator

_DAY = date(2026, 12, 1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("meter")) as running:
        yield running


@pytest.fixture
def emulator(running: RunningEmulator) -> RunningEmulator:
    running.reset()
    return running


def _answered(answer: types.GenerateContentResponse) -> Usage:
    usage = answer.usage_metadata
    assert usage
    return Usage(usage.prompt_token_count or 0, usage.candidates_token_count or 0, usage.thoughts_token_count or 0)


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        (TEXT, Usage(input_tokens=1_000_000), "0.75"),
        (TEXT, Usage(output_tokens=600_000, thought_tokens=400_000), "3.75"),
        (TEXT, Usage(search_queries=2), "0.028"),
        (IMAGE, Usage(images=1), "0.134"),
        (IMAGE, Usage(images=1, image_size="4K"), "0.24"),
        (EMBEDDING, Usage(input_tokens=1_000_000), "0.15"),
        (TEXT, Usage(input_tokens=1), "0.000001"),
    ],
)
def test_cost_follows_the_price_table(model: str, usage: Usage, usd: str):
    assert Prices.load().cost_usd(model, usage, _DAY) == Decimal(usd)


def test_prices_change_on_their_day():
    million = Usage(input_tokens=1_000_000)
    before = Prices.load().cost_usd(TEXT, million, date(2026, 12, 31))
    after = Prices.load().cost_usd(TEXT, million, date(2027, 1, 1))
    assert (before, after) == (Decimal("0.75"), Decimal("1.50"))


@pytest.mark.parametrize("model", [TEXT, "gemini-3.5-flash", "gemini-3.5-flash-lite"])
def test_product_and_emulator_agree_on_costs(model: str):
    ours = Prices.load().cost_usd(model, Usage(1234, 567, 89, 1), _DAY)
    ledger = PriceTable.load().cost_usd(
        model, LedgerUsage(input_tokens=1234, output_tokens=567, thought_tokens=89, search_queries=1), _DAY
    )
    assert ours == ledger


def test_answers_are_counted_with_their_tokens_and_cost(emulator: RunningEmulator):
    usage = _answered(emulator.ask("Fale sobre implantes."))
    counted = emulator.meter()["by_model"][TEXT]["text"]
    assert (counted["requests"], counted["served"], counted["failed"]) == (1, 1, {})
    assert counted["input_tokens"] == usage.input_tokens
    assert counted["output_tokens"] == usage.output_tokens
    assert counted["thought_tokens"] == usage.thought_tokens
    rate = (
        Decimal("0.75") * usage.input_tokens + Decimal("3.75") * (usage.output_tokens + usage.thought_tokens)
    ) / 10**6
    assert Decimal(str(counted["cost_usd"])) == pytest.approx(rate, abs=Decimal("0.000001"))


def test_each_kind_is_counted_apart(emulator: RunningEmulator):
    models = emulator.client().models
    emulator.ask("x")
    emulator.ask("sala limpa", tools=[types.Tool(google_search=types.GoogleSearch())])
    emulator.ask("parafuso", model=IMAGE, response_modalities=["IMAGE"])
    list(models.generate_content_stream(model=TEXT, contents="x"))
    models.embed_content(model=EMBEDDING, contents=["a b c d"])
    models.count_tokens(model=TEXT, contents="x")
    meter = emulator.meter()
    assert {kind: tally["served"] for kind, tally in meter["by_kind"].items()} == dict.fromkeys(
        ["count", "embedding", "image", "search", "stream", "text"], 1
    )
    assert meter["by_kind"]["search"]["search_queries"] == 1
    assert meter["by_kind"]["search"]["cost_usd"] > 0.014
    assert meter["by_kind"]["image"]["images"] == 1
    assert meter["by_kind"]["image"]["output_tokens"] == 0
    assert 0.134 < meter["by_kind"]["image"]["cost_usd"] < 0.135
    assert meter["by_kind"]["embedding"]["input_tokens"] == 2
    assert meter["by_kind"]["count"]["cost_usd"] == 0
    total = sum(tally["cost_usd"] for tally in meter["by_kind"].values())
    assert meter["totals"]["cost_usd"] == pytest.approx(total, abs=1e-9)


def test_errors_are_counted_and_cost_nothing(emulator: RunningEmulator):
    emulator.faults(script=["429", "503", "503"])
    for _ in range(3):
        with pytest.raises(errors.APIError):
            emulator.ask("x")
    with pytest.raises(errors.ClientError):
        emulator.ask("x", model="gemini-0")
    totals = emulator.meter()["totals"]
    assert totals["failed"] == {"429": 1, "503": 2, "404": 1}
    assert (totals["requests"], totals["served"], totals["cost_usd"]) == (4, 0, 0)


@pytest.mark.parametrize("fault", ["truncated", "malformed_json", "safety_answer", "empty"])
def test_unusable_answers_are_paid_for(emulator: RunningEmulator, fault: str):
    emulator.faults(script=[fault])
    emulator.ask("Fale sobre implantes.")
    meter = emulator.meter()
    assert meter["totals"]["output_tokens"] > 0
    assert meter["totals"]["cost_usd"] > 0
    assert meter["faults"] == {fault: 1}


def test_blocked_prompt_costs_its_input_alone(emulator: RunningEmulator):
    emulator.faults(script=["safety"])
    emulator.ask("x" * 4000)
    totals = emulator.meter()["totals"]
    assert (totals["input_tokens"], totals["output_tokens"], totals["thought_tokens"]) == (1000, 0, 0)
    assert totals["cost_usd"] == 0.00075


def test_repeated_requests_are_recognised_by_their_digest(emulator: RunningEmulator):
    for prompt in ("um", "um", "dois"):
        emulator.ask(prompt)
    digests = [request["digest"] for request in emulator.meter(requests=True)["requests"]]
    assert digests[0] == digests[1] != digests[2]
    assert "requests" not in emulator.meter()


@pytest.mark.parametrize(("verb", "path"), [("POST", "/__emulator/meter/reset"), ("DELETE", "/__emulator/meter")])
def test_meter_can_be_reset(emulator: RunningEmulator, verb: str, path: str):
    emulator.ask("x")
    assert httpx.request(verb, emulator.url + path).json()["totals"]["requests"] == 0
    assert emulator.meter()["by_model"] == {}
