from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.errors import ModelRejected
from shared.model.prices import PriceTable, PriceUnknown, Usage
from shared.settings import ModelSettings

TODAY = date(2026, 11, 22)
TABLE = PriceTable.load()


def test_every_model_of_the_default_settings_has_a_price() -> None:
    for model in ModelSettings().by_role.values():
        assert TABLE.price(model, TODAY).input > 0


@pytest.mark.parametrize(
    ("on", "cost"),
    [
        (date(2026, 12, 31), Decimal("4.50")),
        (date(2027, 1, 1), Decimal("9.00")),
    ],
)
def test_the_price_changes_at_new_year(on: date, cost: Decimal) -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert TABLE.cost_usd("gemini-3.8-flash", usage, on) == cost


def test_thoughts_are_billed_as_output() -> None:
    answered = TABLE.cost_usd("gemini-3.8-flash", Usage(output_tokens=500), TODAY)
    thought = TABLE.cost_usd("gemini-3.8-flash", Usage(output_tokens=100, thought_tokens=400), TODAY)
    assert answered == thought == Decimal("0.001875")


def test_searches_are_billed_by_the_query() -> None:
    assert TABLE.cost_usd("gemini-3.8-flash", Usage(search_queries=3), TODAY) == Decimal("0.042")


@pytest.mark.parametrize(("size", "cost"), [("1K", "0.134"), ("2K", "0.134"), ("4K", "0.24"), (None, "0.134")])
def test_a_picture_costs_what_its_size_costs(size: str | None, cost: str) -> None:
    assert TABLE.cost_usd("gemini-3-pro-image", Usage(images=1, image_size=size), TODAY) == Decimal(cost)


def test_embeddings_cost_only_their_input() -> None:
    assert TABLE.cost_usd("gemini-embedding-001", Usage(input_tokens=2_000_000), TODAY) == Decimal("0.30")


def test_a_fraction_of_a_millionth_is_rounded_up() -> None:
    assert TABLE.cost_usd("gemini-3.8-flash", Usage(input_tokens=1), TODAY) == Decimal("0.000001")


@pytest.mark.parametrize(
    ("model", "usage", "on"),
    [
        ("gemini-9-ultra", Usage(input_tokens=1), TODAY),
        ("gemini-3.8-flash", Usage(input_tokens=1), date(2020, 1, 1)),
        ("gemini-3.8-flash", Usage(images=1), TODAY),
        ("gemini-3-pro-image", Usage(images=1, image_size="8K"), TODAY),
        ("gemini-embedding-001", Usage(output_tokens=1), TODAY),
        ("gemini-embedding-001", Usage(search_queries=1), TODAY),
    ],
)
def test_what_has_no_price_is_an_error_and_never_free(model: str, usage: Usage, on: date) -> None:
    with pytest.raises(PriceUnknown, match=model) as caught:
        TABLE.cost_usd(model, usage, on)
    assert isinstance(caught.value, ModelRejected)
    assert not caught.value.retryable


@given(
    input_tokens=st.integers(0, 200_000),
    output_tokens=st.integers(0, 8192),
    thought_share=st.floats(0, 1),
    searches=st.integers(0, 10),
)
def test_no_request_within_its_bounds_costs_more_than_the_worst_case(
    input_tokens: int, output_tokens: int, thought_share: float, searches: int
) -> None:
    thoughts = int(output_tokens * thought_share)
    usage = Usage(input_tokens, output_tokens - thoughts, thoughts, searches)
    worst = TABLE.worst_case_usd(
        "gemini-3.8-flash", on=TODAY, input_tokens=200_000, max_output_tokens=8192, max_searches=10
    )
    assert TABLE.cost_usd("gemini-3.8-flash", usage, TODAY) <= worst


@pytest.mark.parametrize(
    "rows",
    [
        '[{from: 2026-01-01, input: "1"}, {from: 2026-06-01, input: "2"}]',
        '[{from: 2026-06-01, until: 2026-01-01, input: "1"}]',
        '[{from: 2026-01-01, input: "0"}]',
        '[{from: 2026-01-01, inptu: "1"}]',
    ],
)
def test_a_wrong_table_is_refused_when_it_is_read(tmp_path: Path, rows: str) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text(f"models:\n  some-model: {rows}\n")
    with pytest.raises(ValueError, match=r"some-model|price table"):
        PriceTable.load(table)
