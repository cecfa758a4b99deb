"""The index's rows that wait for an embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db import Pool

_REFRESH = "select public.refresh_asset_index()"
# The model reads 2,048 tokens at most.
_WAITING = """
select id, fingerprint, left(concat_ws(E'\\n', title, nullif(tags, ''), nullif(description, '')), 6000)
from public.asset_index where embedding is null or embedding_model is distinct from %s order by id limit %s
"""
_COUNT = "select count(*) from public.asset_index where embedding is null or embedding_model is distinct from %s"
_KEEP = """
with given as (
  select * from unnest(%s::uuid[], %s::text[], %s::text[]) as g (id, fingerprint, embedding)
), kept as (
  update public.asset_index a
  set embedding = g.embedding::vector, embedding_model = %s, embedding_fingerprint = g.fingerprint
  from given g where a.id = g.id and a.fingerprint = g.fingerprint returning 1
)
select count(*) from kept
"""


@dataclass(frozen=True, slots=True)
class AssetText:
    """The text of an asset; `fingerprint` tells whether it is still the same."""

    asset_id: UUID
    fingerprint: str
    text: str


class AssetTexts:
    """The rows for one embedding model: those that have an embedding of another model wait as well.

    Nothing here carries a lease: an embedding belongs to a text, whoever writes it, and is only kept while the asset
    has that text. All methods raise `psycopg.Error`.
    """

    def __init__(self, pool: Pool, model: str) -> None:
        self._pool = pool
        self._model = model

    async def refresh(self) -> int:
        """Brings the index in step with its sources, whatever triggers missed. Returns how many rows were not."""
        [row] = await self._pool.fetch(_REFRESH)
        return row[0]

    async def waiting(self, limit: int) -> list[AssetText]:
        """Up to `limit` texts without an embedding."""
        return [AssetText(*row) for row in await self._pool.fetch(_WAITING, (self._model, limit))]

    async def count_waiting(self) -> int:
        """How many texts have no embedding."""
        [row] = await self._pool.fetch(_COUNT, (self._model,))
        return row[0]

    async def keep(self, texts: Sequence[AssetText], embeddings: Sequence[Sequence[float]]) -> int:
        """Writes the embeddings of texts that are still the same. Returns how many were."""
        vectors = [f"[{','.join(map(str, embedding))}]" for embedding in embeddings]
        ids = [text.asset_id for text in texts]
        fingerprints = [text.fingerprint for text in texts]
        [row] = await self._pool.fetch(_KEEP, (ids, fingerprints, vectors, self._model))
        return row[0]
