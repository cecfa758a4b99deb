"""The search of assets as the designer asks for it."""

from collections.abc import Sequence
from typing import cast

from shared.content.brand import Language
from shared.retrieval.hits import AssetHit, Kind
from shared.retrieval.search import AssetFinder


class JobAssets:
    """Finds assets in the name of one job."""

    def __init__(self, finder: AssetFinder) -> None:
        self._finder = finder

    async def find(
        self,
        query: str,
        *,
        language: Language,  # noqa: ARG002  the index understands both at once
        kinds: Sequence[str] | None = None,
        limit: int = 5,
    ) -> Sequence[AssetHit]:
        """As `AssetFinder.find`, the best hits first."""
        return await self._finder.find(query, kinds=cast("Sequence[Kind] | None", kinds), limit=limit)
