"""Embedding requests in their three shapes: one text, a batch, and Vertex AI's predict."""

from dataclasses import dataclass
from typing import Any, Literal

from infra.local.emulator.embeddings import embed
from infra.local.emulator.google_errors import GoogleError
from infra.local.emulator.tokens import text_tokens
from infra.local.emulator.wire import content_text, field

_LARGEST_BATCH = 100

Json = dict[str, Any]


@dataclass(frozen=True)
class EmbeddingCall:
    """The texts of one request and how its answer looks."""

    texts: list[str]
    dimensions: list[int | None]
    shape: Literal["single", "batch", "predict"]

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return sum(text_tokens(text) for text in self.texts)

    def answer(self) -> Json:
        """The body of the answer."""
        vectors = [embed(text, size) for text, size in zip(self.texts, self.dimensions, strict=True)]
        match self.shape:
            case "single":
                return {
                    "embedding": {"values": vectors[0]},
                    "usageMetadata": {"promptTokenCount": self.tokens, "totalTokenCount": self.tokens},
                }
            case "batch":
                return {"embeddings": [{"values": vector} for vector in vectors]}
            case "predict":
                predictions = [
                    {
                        "embeddings": {
                            "values": vector,
                            "statistics": {"truncated": False, "token_count": text_tokens(text)},
                        }
                    }
                    for text, vector in zip(self.texts, vectors, strict=True)
                ]
                characters = sum(map(len, self.texts))
                return {"predictions": predictions, "metadata": {"billableCharacterCount": characters}}


def parse_embedding_call(method: str, body: Json, *, vertex: bool) -> EmbeddingCall:
    """Reads a request.

    Raises:
        GoogleError: 400 for no text, for more than 100 texts in a batch, and for more than one instance on Vertex AI.
    """
    if method == "predict":
        return _predict(body)
    if method == "batchEmbedContents":
        return _batch(body)
    config = field(body, "embedContentConfig") if vertex else body
    texts = [_text(content_text(field(body, "content") or {}))]
    return EmbeddingCall(texts, [field(config or {}, "outputDimensionality")], "single")


def _batch(body: Json) -> EmbeddingCall:
    requests = field(body, "requests") or []
    if len(requests) > _LARGEST_BATCH:
        raise GoogleError(
            400, f"* BatchEmbedContentsRequest.requests: at most {_LARGEST_BATCH} requests can be in one batch"
        )
    texts = [_text(content_text(field(request, "content") or {})) for request in requests]
    return EmbeddingCall(texts, [field(request, "outputDimensionality") for request in requests], "batch")


def _predict(body: Json) -> EmbeddingCall:
    instances = field(body, "instances") or []
    if len(instances) != 1:
        # gemini-embedding-001 on Vertex AI takes one text a request.
        raise GoogleError(400, f"Invalid number of instances: {len(instances)}. The model takes 1 instance a request.")
    text = _text(content_text(field(instances[0], "content") or ""))
    size = field(field(body, "parameters") or {}, "outputDimensionality")
    return EmbeddingCall([text], [size], "predict")


def _text(text: str) -> str:
    if not text:
        raise GoogleError(400, "The text content is empty.")
    return text
