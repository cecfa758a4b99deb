"""Embeddings: 768 numbers of unit length for each text, in requests of as many texts as the provider takes."""

import struct
from collections.abc import Sequence
from math import hypot, isfinite
from typing import TYPE_CHECKING, Any, Literal

from shared.model.answers import UnusableAnswer
from shared.model.calls import Bounds, Call, call_key
from shared.model.ledger import CallRow, StoredAnswer
from shared.model.prices import Usage

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import EmbedContentResponse

Task = Literal["document", "query"]
Vectors = list[list[float]]

DIMENSIONS = 768
_VERSION = "1"
_TASK_TYPES: dict[Task, str] = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}
_LARGEST_BATCH = 100
_STORED_AS = "application/vnd.float32"
# The Gemini API does not say how many tokens it embedded; this is the rule of thumb of its documentation.
_CHARACTERS_PER_TOKEN = 4


def embedding_calls(texts: Sequence[str], *, task: Task, model: str, stage: str, vertex: bool) -> list[Call[Vectors]]:
    """One call for each request: up to 100 texts by the Gemini API, one by Vertex AI, whose model takes no more."""
    size = 1 if vertex else _LARGEST_BATCH
    return [_call(texts[start : start + size], task, model, stage) for start in range(0, len(texts), size)]


def _call(texts: Sequence[str], task: Task, model: str, stage: str) -> Call[Vectors]:
    name = f"embed_{task}"
    key = call_key(stage, name, _VERSION, 0, model, DIMENSIONS, texts)

    async def send(client: "Client", timeout_s: float) -> "EmbedContentResponse":
        config: Any = {
            "task_type": _TASK_TYPES[task],
            "output_dimensionality": DIMENSIONS,
            "http_options": {"timeout": max(1, round(timeout_s * 1000))},
        }
        return await client.aio.models.embed_content(model=model, contents=list(texts), config=config)

    def measure(response: "EmbedContentResponse") -> Usage:
        counted = [each.statistics.token_count for each in response.embeddings or [] if each.statistics is not None]
        tokens = sum(int(count) for count in counted if count is not None)
        return Usage(input_tokens=tokens or sum(-(-len(text) // _CHARACTERS_PER_TOKEN) for text in texts))

    def extract(response: "EmbedContentResponse") -> StoredAnswer:
        vectors = [unit_length(each.values or []) for each in response.embeddings or []]
        if len(vectors) != len(texts):
            raise UnusableAnswer("invalid", f"holds {len(vectors)} vectors for {len(texts)} texts")
        packed = b"".join(struct.pack(f"<{DIMENSIONS}f", *vector) for vector in vectors)
        return StoredAnswer({"count": len(vectors), "dimensions": DIMENSIONS}, packed, _STORED_AS)

    call = Call(
        row=CallRow(key=key, kind="embedding", stage=stage, model=model, prompt=f"{name}@{_VERSION}"),
        bounds=Bounds(input_tokens=sum(len(text.encode()) + 1 for text in texts)),
        send=send,
        measure=measure,
        extract=extract,
        restore=_restore,
        second_chance=lambda _: call,
    )
    return call


def unit_length(values: Sequence[float]) -> list[float]:
    """The vector divided by its Euclidean norm: shortened embeddings are not normalised by the model.

    Raises UnusableAnswer when there are not 768 finite numbers or all of them are zero.
    """
    length = hypot(*values)
    if len(values) != DIMENSIONS or not isfinite(length) or length == 0:
        raise UnusableAnswer("invalid", f"holds a vector of {len(values)} numbers and length {length:g}")
    return [value / length for value in values]


def _restore(answer: StoredAnswer) -> Vectors:
    numbers = struct.iter_unpack(f"<{DIMENSIONS}f", answer.blob or b"")
    return [list(vector) for vector in numbers]
