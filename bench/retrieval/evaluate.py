"""Runs labelled queries through the search."""

from collections.abc import Sequence

from bench.retrieval.labelled import Query
from bench.retrieval.library import name_of
from bench.retrieval.scores import Answer
from shared.retrieval.search import AssetIndex, FoundRow

Vectors = Sequence[Sequence[float]]


async def found_rows(
    index: AssetIndex, queries: Sequence[Query], vectors: Vectors | None
) -> list[tuple[Query, list[FoundRow]]]:
    """What the database finds for each query; without vectors by words alone."""
    return [
        (query, await index.rows(query.q, None if vectors is None else vectors[at])) for at, query in enumerate(queries)
    ]


async def answers(index: AssetIndex, queries: Sequence[Query], vectors: Vectors | None) -> list[Answer]:
    """What the search answers to each query."""
    found: list[Answer] = []
    for at, query in enumerate(queries):
        hits = await index.search(query.q, None if vectors is None else vectors[at])
        found.append(Answer(query, [(name_of(hit.url), hit.relevance) for hit in hits]))
    return found
