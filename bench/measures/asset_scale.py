"""How fast the search is among a hundred thousand assets, and how many of the truly nearest its index finds."""

import json
import time
from typing import Any

from psycopg import AsyncConnection

from bench.figures import Figure, Measured, at_least, at_most
from bench.fresh_jobs import prepared_database
from bench.percentiles import describe
from bench.retrieval.crowd import crowd, queries_among
from bench.retrieval.library import emulated
from bench.setting import Setting

_DATABASE = "bench_crowd"
_WARM_UP_QUERIES = 20
_SEARCH = "select id from public.search_assets(%s, %s)"
_NEAREST = "select id from engine.nearest_assets(%s, null, 10)"
# Without the index: no expression of it is in the order.
_EXACT = """
with measured as materialized (select id, embedding <=> %s::vector as distance from public.asset_index)
select id from measured order by distance limit 10
"""


async def measure(setting: Setting) -> Measured:
    """One search after the other, in one round trip each; then nearest embeddings alone beside an exact search."""
    count = setting.scale.assets
    url = await prepared_database(setting.stack.database_url, _DATABASE)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        build_s = await crowd(connection, count)
        queries = await queries_among(connection, setting.scale.asset_queries + _WARM_UP_QUERIES)
        vectors = [json.dumps(vector) for vector in await emulated(queries, "query")]
        took_ms = [await _took_ms(connection, query, vector) for query, vector in zip(queries, vectors, strict=True)]
        recalls = [await _recall(connection, vector) for vector in vectors[: setting.scale.asset_exact_queries]]
    described = describe(took_ms[_WARM_UP_QUERIES:])
    recall = sum(recalls) / len(recalls)
    return Measured(
        figures=[
            Figure(f"asset search among {count:,}, p50", described["p50"], "ms"),
            Figure(f"asset search among {count:,}, p95", described["p95"], "ms", at_most(25)),
            Figure(f"asset search among {count:,}, recall@10 of exact search", recall, "", at_least(0.95)),
            Figure(f"vector index of {count:,}, built in", build_s, "s"),
        ],
        raw={"search_ms": described, "recalls": recalls, "build_s": build_s},
    )


async def _took_ms(connection: AsyncConnection[Any], query: str, vector: str) -> float:
    started = time.perf_counter()
    cursor = await connection.execute(_SEARCH, (query, vector))
    await cursor.fetchall()
    return (time.perf_counter() - started) * 1000


async def _recall(connection: AsyncConnection[Any], vector: str) -> float:
    exact = await (await connection.execute(_EXACT, (vector,))).fetchall()
    found = await (await connection.execute(_NEAREST, (vector,))).fetchall()
    return len({*exact} & {*found}) / len(exact)
