"""What may be asked for, how it is spelled, and what is said when it does not fit."""

from typing import Any

import pytest

from services.blog.payload import BlogRequest, ResearchRequest
from shared.engine.errors import InvalidPayload
from shared.engine.payload import parse_payload

FRONT_END = {
    "topic": "  Rastreabilidade\n e UDI em implantes ",
    "targetAudience": "engenharia da qualidade",
    "painPoint": "auditorias longas",
    "desiredOutcome": "pedir as provas certas",
    "angle": "o contrário do que se pensa",
    "format": "blog",
    "profileType": "salesperson",
    "ctaAction": "pedir uma visita",
    "proofPoints": ["ISO 13485", "30 anos"],
    "researchLevel": "deep",
    "style": {"tone": "calm"},
}


def blog(**payload: Any) -> BlogRequest:
    return parse_payload(BlogRequest, {"topic": "ISO 13485", **payload})


def test_the_front_end_payload_is_understood():
    request = parse_payload(BlogRequest, FRONT_END)
    assert request.topic == "Rastreabilidade e UDI em implantes"
    assert request.target_audience == "engenharia da qualidade"
    assert request.proof_points == "ISO 13485; 30 anos"
    assert (request.voice, request.research_level, request.cta_action) == ("salesperson", "deep", "pedir uma visita")


def test_snake_case_is_understood_as_well():
    request = blog(target_audience="compras", pain_point="prazo", research_level="none", cta_action="ligar")
    assert (request.audience, request.pain_point, request.research_level) == ("compras", "prazo", "none")


def test_what_is_left_out_has_a_sensible_default():
    request = blog()
    assert (request.language, request.research_level, request.category, request.voice) == (
        "pt-BR",
        "light",
        "educational",
        "company",
    )
    assert "Engenheiros" in request.audience
    assert parse_payload(ResearchRequest, {"topic": "ISO 13485"}).research_level == "deep"


@pytest.mark.parametrize(
    ("key", "given", "field", "read"),
    [
        ("language", "pt", "language", "pt-BR"),
        ("language", "pt_BR", "language", "pt-BR"),
        ("language", "en-US", "language", "en"),
        ("language", None, "language", "pt-BR"),
        ("language", "", "language", "pt-BR"),
        ("researchLevel", "Light", "research_level", "light"),
        ("researchLevel", None, "research_level", "light"),
        ("category", "Social Proof", "category", "social_proof"),
        ("category", "produto", "category", "product"),
        ("persona", "Technical Expert", "voice", "technical_expert"),
        ("keywords", "UDI, rastreabilidade; UDI,", "keywords", ["UDI", "rastreabilidade"]),
        ("keywords", [" UDI ", "UDI"], "keywords", ["UDI"]),
        ("keywords", None, "keywords", []),
        ("angle", None, "angle", ""),
        ("brainstormingContext", {"angle": "O contrário"}, "brainstorming_context", '{"angle": "O contrário"}'),
        ("brainstormingContext", ["a", "b"], "brainstorming_context", "a; b"),
        ("brainstormingSessionId", "s-1", "brainstorming_session_id", "s-1"),
    ],
)
def test_spellings_are_read_as_they_are_meant(key: str, given: Any, field: str, read: Any):
    assert getattr(blog(**{key: given}), field) == read


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({"topic": "ab"}, "topic"),
        ({"topic": "  a  "}, "topic"),
        ({"topic": "x" * 301}, "topic"),
        ({"topic": None}, "topic"),
        ({"topic": 7}, "topic"),
        ({"topic": ["a", "b", "c"]}, "topic"),
        ({"targetAudience": "x" * 301}, "targetAudience"),
        ({"target_audience": 7}, "target_audience"),
        ({"painPoint": "x" * 2_001}, "painPoint"),
        ({"angle": 3.5}, "angle"),
        ({"brainstormingContext": "x" * 20_001}, "brainstormingContext"),
        ({"keywords": ["x"] + [f"k{n}" for n in range(20)]}, "keywords"),
        ({"keywords": ["x" * 81]}, "keywords"),
        ({"keywords": [7]}, "keywords"),
        ({"keywords": {"a": 1}}, "keywords"),
        ({"language": "de"}, "language"),
        ({"language": 1}, "language"),
        ({"researchLevel": "very deep"}, "researchLevel"),
        ({"category": "gossip"}, "category"),
        ({"persona": "pirate"}, "persona"),
        ({"profileType": "pirate"}, "profileType"),
    ],
)
def test_what_does_not_fit_is_named(payload: dict[str, Any], named: str):
    with pytest.raises(InvalidPayload, match=named):
        blog(**payload)


def test_an_empty_payload_says_what_is_missing():
    with pytest.raises(InvalidPayload, match="topic"):
        parse_payload(BlogRequest, {})


def test_research_alone_needs_some_research():
    with pytest.raises(InvalidPayload, match="researchLevel"):
        parse_payload(ResearchRequest, {"topic": "ISO 13485", "researchLevel": "none"})


@pytest.mark.parametrize(
    "hostile", ["'; drop table jobs; --", "<script>", "</input>", "\u202e\u200bISO 13485", "{{topic}}"]
)
def test_hostile_text_is_only_text(hostile: str):
    request = blog(topic=f"{hostile} ISO", angle=hostile)
    assert "\u200b" not in request.topic
    assert request.topic.endswith("ISO")
