from datetime import date
from typing import Any

import pytest
from pydantic import Field

from shared.engine.errors import InvalidPayload
from shared.engine.payload import Payload, parse_payload


class Order(Payload):
    research_level: str
    keywords: tuple[str, ...] = ()
    count: int = Field(default=1, ge=1)
    due: date | None = None


@pytest.mark.parametrize("key", ["research_level", "researchLevel"])
def test_camel_case_and_snake_case_are_the_same(key: str) -> None:
    assert parse_payload(Order, {key: "deep", "keywords": ["a"], "due": "2026-11-22"}) == Order(
        research_level="deep", keywords=("a",), due=date(2026, 11, 22)
    )


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ({}, "researchLevel: Field required"),
        ({"researchLevel": 7}, "researchLevel: Input should be a valid string"),
        ({"researchLevel": "deep", "count": "2"}, "count: Input should be a valid integer"),
        ({"researchLevel": "deep", "count": 0}, "count: Input should be greater than or equal to 1"),
        ({"researchLevel": "deep", "colour": "blue"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_the_error_names_the_field_and_its_rule(payload: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidPayload, match=complaint):
        parse_payload(Order, payload)
