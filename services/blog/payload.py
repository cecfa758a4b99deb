"""What may be asked for: the payloads of the kinds `blog` and `deep_research`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from shared.content.request import ContentRequest, DraftRequest, Topic, word_or

_CATEGORIES = {
    "educacional": "educational",
    "educativo": "educational",
    "produto": "product",
    "mercado": "market",
    "prova_social": "social_proof",
}

Category = Literal["educational", "product", "market", "social_proof"]


def _known_category(value: Any) -> Any:
    word = word_or("educational")(value)
    return _CATEGORIES.get(word, word) if isinstance(word, str) else word


class ResearchRequest(ContentRequest):
    """Payload of `deep_research`."""

    topic: Topic
    research_level: Annotated[Literal["light", "deep"], BeforeValidator(word_or("deep"))] = "deep"


class BlogRequest(DraftRequest):
    """Payload of `blog`."""

    topic: Topic
    category: Annotated[Category, BeforeValidator(_known_category)] = "educational"
