"""Real embeddings for a calibration by hand: outside of any job and its ledger, paid by whoever runs it."""

from collections.abc import Sequence

from google.genai import Client
from google.genai.types import EmbedContentConfig

from bench.retrieval.library import Embed
from shared.model.embeddings import DIMENSIONS, Task, unit_length

_MODEL = "gemini-embedding-001"
_TASKS = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}
_BATCH = 100


def embedding_with_key(api_key: str) -> tuple[Embed, str]:
    """Embeds through the Gemini API; with the model's name."""
    client = Client(api_key=api_key)

    async def embed(texts: Sequence[str], task: Task) -> list[list[float]]:
        config = EmbedContentConfig(task_type=_TASKS[task], output_dimensionality=DIMENSIONS)
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            answer = await client.aio.models.embed_content(model=_MODEL, contents=batch, config=config)  # pyright: ignore[reportArgumentType]
            vectors += [unit_length(each.values or []) for each in answer.embeddings or []]
        return vectors

    return embed, _MODEL
