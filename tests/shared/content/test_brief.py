"""What the front end and the chat send, in any spelling."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.content.brief import Brief


def test_the_front_ends_payload_is_read():
    brief = Brief.model_validate(
        {
            "topic": " Placas  TPLO ",
            "targetAudience": "Veterinários",
            "painPoint": None,
            "desiredOutcome": "Pedir amostras",
            "proofPoints": ["ISO 13485", "30 anos"],
            "ctaAction": "Fale conosco",
            "profileType": "salesperson",
            "researchLevel": "none",
            "style": "text-heavy",
            "format": "carousel",
            "somethingElse": 1,
        }
    )
    assert (brief.topic, brief.audience, brief.pain_point) == ("Placas TPLO", "Veterinários", "")
    assert (brief.proof_points, brief.voice) == ("ISO 13485; 30 anos", "salesperson")
    assert (brief.style, brief.format, brief.size) == ("text-heavy", "carousel", "1080x1350")
    assert not brief.deliver_below_threshold


@pytest.mark.parametrize(
    ("key", "value", "name", "expected"),
    [
        ("persona", "Company Page", "voice", "company"),
        ("persona", "technical expert", "voice", "technical_expert"),
        ("persona", None, "voice", "company"),
        ("profile_type", "salesperson", "voice", "salesperson"),
        ("language", "en_US", "language", "en"),
        ("language", None, "language", "pt-BR"),
        ("style", "Text Heavy", "style", "text-heavy"),
        ("style", None, "style", "visual"),
        ("format", "single_image", "format", "single-image"),
        ("format", "Single-Image", "format", "single-image"),
        ("format", "", "format", None),
        ("size", "square", "size", "1080x1080"),
        ("size", "4:5", "size", "1080x1350"),
        ("size", None, "size", "1080x1350"),
        ("deliverBelowThreshold", True, "deliver_below_threshold", True),
        ("deliver_below_threshold", None, "deliver_below_threshold", False),
        ("brainstormingContext", {"idea": "lote"}, "brainstorming_context", '{"idea": "lote"}'),
    ],
)
def test_spellings(key: str, value: Any, name: str, expected: Any):
    assert getattr(Brief.model_validate({"topic": "TPLO", key: value}), name) == expected


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        ({}, "topic"),
        ({"topic": "x"}, "topic"),
        ({"topic": "TPLO", "format": "video"}, "format"),
        ({"topic": "TPLO", "persona": "poet"}, "persona"),
        ({"topic": "TPLO", "size": "10x10"}, "size"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(payload: dict[str, Any], names: str):
    with pytest.raises(ValidationError, match=names):
        Brief.model_validate(payload)


@given(st.text(min_size=3, max_size=200), st.sampled_from(["pt", "en", None]), st.text(max_size=50))
def test_a_brief_survives_a_checkpoint(topic: str, language: str | None, angle: str):
    try:
        brief = Brief.model_validate({"topic": topic, "language": language, "angle": angle})
    except ValidationError:
        return
    assert Brief.model_validate_json(brief.model_dump_json()) == brief
