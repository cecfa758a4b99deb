"""Plans as a model gives them."""

from typing import Any

from services.sequence.payload import SequenceRequest
from services.sequence.plan import SequencePlan
from shared.engine.payload import parse_payload

TOPICS = ("O que é um lote", "Como se registra um lote", "O que pedir na próxima visita")


def requested(**payload: Any) -> SequenceRequest:
    return parse_payload(SequenceRequest, {"topic": "Registros de lote", **payload})


def planned(*topics: str, **changes: Any) -> SequencePlan:
    """A plan that breaks no rule, but for `changes` to the first post (or to title and narrative)."""
    posts: list[dict[str, Any]] = [
        {
            "topic": topic,
            "angle": f"Mostra {topic.lower()}.",
            "adds": "O leitor sabe mais.",
            "keywords": ["lote"],
            "kind": "blog",
        }
        for topic in topics or TOPICS
    ]
    whole: dict[str, Any] = {"title": "Do lote ao registro", "narrative": "Do que é ao que se pede."}
    for name, value in changes.items():
        (whole if name in whole else posts[0])[name] = value
    return SequencePlan.model_validate({**whole, "posts": posts})
