"""What may be asked for, how it is spelled, and what is said when it does not fit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.sequence.payload import SequenceRequest
from shared.engine.errors import InvalidPayload
from shared.engine.payload import parse_payload


def sequence(**payload: Any) -> SequenceRequest:
    return parse_payload(SequenceRequest, {"topic": "ISO 13485", **payload})


def test_camel_case_and_snake_case_are_understood():
    at = datetime(2026, 12, 1, 9, tzinfo=UTC)
    for payload in (
        {"startAt": at.isoformat(), "everyDays": 7, "targetAudience": "compras", "inOrder": True},
        {"start_at": at.isoformat(), "every_days": 7, "target_audience": "compras", "in_order": True},
    ):
        request = sequence(**payload)
        assert (request.first_at, request.every_days) == (at, timedelta(days=7).days)
        assert (request.audience, request.in_order) == ("compras", True)


def test_what_is_left_out_or_null_has_a_sensible_default():
    for payload in ({}, {"count": None, "everyDays": None, "kinds": None, "startAt": None, "inOrder": None}):
        request = sequence(**payload)
        assert (request.count, request.kinds, request.every_days) == (3, ["blog"], 0)
        assert (request.first_at, request.in_order, request.language) == (None, False, "pt-BR")


def test_a_goal_or_a_brief_says_as_well_what_it_is_about():
    for name in ("goal", "brief"):
        assert parse_payload(SequenceRequest, {name: "Ganhar confiança"}).subject == "Ganhar confiança"
    request = parse_payload(SequenceRequest, {"topic": "UDI", "goal": "Ganhar confiança", "brief": {"tom": "calmo"}})
    assert request.subject == 'UDI\nGanhar confiança\n{"tom": "calmo"}'


def test_a_series_about_nothing_is_refused():
    for payload in ({}, {"topic": " "}, {"goal": None, "brief": "ab"}):
        with pytest.raises(InvalidPayload, match="say what the series is about"):
            parse_payload(SequenceRequest, payload)


def test_names_of_kinds_are_resolved():
    assert sequence(kinds="blog_generate, blog").kinds == ["blog"]
    assert sequence(kinds="Instagram; carousel_generate").kinds == ["instagram", "carousel"]


@pytest.mark.parametrize("kind", ["deep_research", "index_assets", "echo", "sequence", "nonsense"])
def test_a_kind_that_cannot_be_made_is_refused_by_name(kind: str):
    with pytest.raises(InvalidPayload, match=r"a sequence cannot be made of \w+; possible: blog, carousel, instagram"):
        sequence(kinds=["blog", kind])


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 11}, {"everyDays": -1}, {"startAt": "soon"}])
def test_a_value_out_of_range_is_refused_by_its_field(wrong: dict[str, Any]):
    with pytest.raises(InvalidPayload, match=next(iter(wrong))):
        sequence(**wrong)


def test_a_time_without_a_zone_is_utc():
    assert sequence(startAt="2026-12-01T09:00:00").first_at == datetime(2026, 12, 1, 9, tzinfo=UTC)
