"""Finding assets: one round trip to the database, with an embedding of the query when there is one."""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict

from shared.db import Pool
from shared.engine.errors import ModelUnavailable
from shared.model.embeddings import Task
from shared.retrieval.hits import AssetHit, Kind, Source
from shared.retrieval.relevance import Calibration, Features, load_calibration

_log = structlog.get_logger(__name__)

_SEARCH = """
select id, source, source_id, kind, title, description, url, metadata, words, title_words, cosine, score
from public.search_assets(%s, %s, %s, %s)
"""
_MAX_QUERY_CHARACTERS = 2000


class Embeds(Protocol):
    """Makes embeddings, as `shared.model.gateway.JobModels` does."""

    async def embed(self, texts: Sequence[str], *, task: Task) -> list[list[float]]:
        """768 numbers of unit length for each text, in order."""
        ...


class FoundRow(BaseModel):
    """A row of `search_assets`, in the order of its columns; the function's comment says what the numbers are."""

    model_config = ConfigDict(frozen=True)

    asset_id: UUID
    source: Source
    source_id: str
    kind: Kind
    title: str
    description: str
    url: str | None
    metadata: dict[str, Any]
    words: float
    title_words: float
    cosine: float | None
    score: float

    @property
    def features(self) -> Features:
        """What the relevance is computed from."""
        return Features(self.words, self.title_words, self.cosine)


class AssetIndex:
    """The index of a project. `supabase_url` is the project's own address, where its Storage is."""

    def __init__(self, pool: Pool, supabase_url: str, calibration: Calibration | None = None) -> None:
        self._pool = pool
        self._supabase_url = supabase_url.rstrip("/")
        self._calibration = calibration or load_calibration()

    async def search(
        self, query: str, embedding: Sequence[float] | None, *, kinds: Sequence[Kind] | None = None, limit: int = 10
    ) -> list[AssetHit]:
        """At most `limit` hits (1-50), the most relevant first; without an `embedding` by words alone.

        `kinds` restricts them; None is every kind. Raises `psycopg.Error`.
        """
        rows = await self.rows(query, embedding, kinds=kinds, limit=limit)
        return sorted((self._hit(row) for row in rows), key=lambda hit: -hit.relevance)

    async def rows(
        self, query: str, embedding: Sequence[float] | None, *, kinds: Sequence[Kind] | None = None, limit: int = 10
    ) -> list[FoundRow]:
        """What `search` finds, as the database tells it, in the order of the fused ranks."""
        vector = None if embedding is None else f"[{','.join(map(str, embedding))}]"
        text = query.replace("\0", " ")[:_MAX_QUERY_CHARACTERS]
        found = await self._pool.fetch(_SEARCH, (text, vector, None if kinds is None else list(kinds), limit))
        return [FoundRow.model_validate(dict(zip(FoundRow.model_fields, row, strict=True))) for row in found]

    def _hit(self, row: FoundRow) -> AssetHit:
        url = self._supabase_url + row.url if row.url and row.url.startswith("/") else row.url
        return AssetHit(
            asset_id=row.asset_id,
            source=row.source,
            source_id=row.source_id,
            kind=row.kind,
            title=row.title,
            description=row.description,
            url=url,
            relevance=self._calibration.relevance(row.features),
            metadata=row.metadata,
        )


class AssetFinder:
    """Searches in the name of one job, whose models embed the query."""

    def __init__(self, index: AssetIndex, models: Embeds) -> None:
        self._index = index
        self._models = models

    async def find(self, query: str, *, kinds: Sequence[Kind] | None = None, limit: int = 10) -> list[AssetHit]:
        """As `AssetIndex.search`. A model that is not available costs hits, not the search.

        Raises what `JobModels.embed` raises but for `ModelUnavailable`, and `psycopg.Error`.
        """
        return await self._index.search(query, await self._embedding(query), kinds=kinds, limit=limit)

    async def _embedding(self, query: str) -> list[float] | None:
        text = query.strip()[:_MAX_QUERY_CHARACTERS]
        if not text:
            return None
        try:
            [embedding] = await self._models.embed([text], task="query")
        except ModelUnavailable as error:
            _log.warning("search_without_embedding", error=str(error))
            return None
        return embedding
