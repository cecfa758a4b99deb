"""What a step of `index_assets` does. Steps know no HTTP and no SQL."""

from collections.abc import Sequence
from typing import Protocol

from shared.model.embeddings import Task
from shared.retrieval.indexing import AssetText

SLICE_TEXTS = 100


class Index(Protocol):
    """The index's rows, as `shared.retrieval.indexing.AssetTexts` has them."""

    async def refresh(self) -> int:
        """Brings the index in step with its sources; how many rows were not."""
        ...

    async def waiting(self, limit: int) -> list[AssetText]:
        """Up to `limit` texts without an embedding."""
        ...

    async def count_waiting(self) -> int:
        """How many texts have no embedding."""
        ...

    async def keep(self, texts: Sequence[AssetText], embeddings: Sequence[Sequence[float]]) -> int:
        """Writes the embeddings of texts that are still the same; how many were."""
        ...


class Models(Protocol):
    """Makes embeddings, as `shared.model.gateway.JobModels` does."""

    async def embed(self, texts: Sequence[str], *, task: Task) -> list[list[float]]:
        """768 numbers of unit length for each text, in order."""
        ...


async def embed_slice(index: Index, models: Models) -> int | None:
    """Embeds the next texts that wait and returns how many of them were still the same then; None when none waits."""
    texts = await index.waiting(SLICE_TEXTS)
    if not texts:
        return None
    return await index.keep(texts, await models.embed([text.text for text in texts], task="document"))
