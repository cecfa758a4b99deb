"""`python -m bench.retrieval.calibrate`: fits shared/retrieval/calibration.yaml on the queries that are for training.

With GEMINI_API_KEY the embeddings are the real model's (for less than a cent), without it the emulator's: the file says
whose. Fit it again when the model, the labelled queries or the features change.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.retrieval.evaluate import found_rows
from bench.retrieval.fit import fit
from bench.retrieval.gemini import embedding_with_key
from bench.retrieval.labelled import Query, load_queries, split
from bench.retrieval.library import emulated, filled_index, name_of
from infra.local.throwaway import throwaway
from shared.retrieval.search import FoundRow

_FILE = Path(__file__).parents[2] / "shared" / "retrieval" / "calibration.yaml"
_RIDGE = 1.0
_HEADER = """\
# How features become the probability that a hit is an answer (shared/retrieval/relevance.py): logistic regression
# with ridge {ridge:g} by bench/retrieval/calibrate.py, on {queries} labelled queries ({hits} hits with embeddings).
# `make bench` measures the other queries.
"""

Found = Sequence[tuple[Query, list[FoundRow]]]


def fitted(found: Found) -> dict[str, Any]:
    """Intercept and weights, rounded."""
    rows = [row.features.values() for _, hits in found for row in hits]
    labels = [query.is_answered_by(name_of(row.url)) for query, hits in found for row in hits]
    intercept, *weights = fit([list(row.values()) for row in rows], labels, ridge=_RIDGE)
    return {
        "intercept": round(intercept, 3),
        "weights": {n: round(w, 3) for n, w in zip(rows[0], weights, strict=True)},
    }


async def calibrate(admin_url: str, embed: Callable[..., Awaitable[list[list[float]]]], model: str) -> str:
    """The content of the file."""
    train = split(load_queries()).train
    async with filled_index(admin_url, "calibration", embed) as index:
        hybrid = await found_rows(index, train, await embed([query.q for query in train], "query"))
        lexical = await found_rows(index, train, None)
    fits = {"fitted": model, "hybrid": fitted(hybrid), "lexical": fitted(lexical)}
    header = _HEADER.format(ridge=_RIDGE, queries=len(train), hits=sum(len(rows) for _, rows in hybrid))
    return header + yaml.safe_dump(fits, sort_keys=False)


def main() -> None:
    key = os.environ.get("GEMINI_API_KEY")
    embed, model = embedding_with_key(key) if key else (emulated, "emulator")
    with tempfile.TemporaryDirectory(prefix="calibrate-") as directory:
        Path(directory).chmod(0o755)  # Postgres runs as somebody else when we are root
        with throwaway(Path(directory), secrets.token_hex(16)) as cluster:
            content = asyncio.run(calibrate(cluster.url(), embed, model))
    _FILE.write_text(content, encoding="utf-8")
    print(content)


if __name__ == "__main__":
    main()
