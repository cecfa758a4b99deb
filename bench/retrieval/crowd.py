"""Many assets out of the domain's words, for measuring how fast the search is and what its index misses."""

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any, LiteralString

from psycopg import AsyncConnection

from bench.retrieval.library import emulated, read_library
from infra.local.seed.catalog import read_catalog
from shared.model.embeddings import DIMENSIONS

_WORD = re.compile(r"[^\W_]{3,}")
_NOISE_VECTORS = 3000

_PARTS = "create temporary table part (word text, id integer primary key, embedding vector(768))"
_COPY_PARTS = "copy part (word, id, embedding) from stdin"
# Each has six words, the frequent ones more often, and two directions of its own: assets are near each other when they
# share words, and no two are alike.
_CROWD = """
with chosen as (
  select n, array_agg(1 + floor(power(random(), 2) * %(words)s)::integer) as words,
    (array_agg(%(words)s + 1 + floor(random() * %(noise)s)::integer))[:2] as noise
  from generate_series(1, %(assets)s) n, generate_series(1, 6) s group by n
), mixed as (
  select c.n, string_agg(p.word, ' ' order by p.id) filter (where p.word <> '') as text,
    l2_normalize(sum(p.embedding)) as embedding
  from chosen c join part p on p.id = any (c.words || c.noise) group by c.n
)
insert into public.asset_index
  (source, source_id, kind, title, description, url, fingerprint, embedding, embedding_model, embedding_fingerprint)
select 'storage', m.n::text, (array['product', 'facility', 'team', 'equipment'])[1 + m.n %% 4], m.text, 'Nº ' || m.n,
  '/' || m.n || '.png', m.n::text, m.embedding, 'measured', m.n::text
from mixed m
"""
_WORDS = r"""
insert into engine.asset_words (word, uses)
select w, count(*)
from public.asset_index, regexp_split_to_table(engine.fold(title || ' ' || description), '[^a-z0-9]+') w
where char_length(w) between 2 and 40 group by w
"""
_INDEX = "select indexdef from pg_indexes where indexname = 'asset_index_embedding'"


async def crowd(connection: AsyncConnection[Any], count: int) -> float:
    """Fills an empty index with `count` assets. Returns the seconds that the vector index took to build."""
    words = domain_words()
    vectors = await emulated(words, "document")
    source = Random(0)
    noise = [[source.gauss(0, DIMENSIONS**-0.5) for _ in range(DIMENSIONS)] for _ in range(_NOISE_VECTORS)]
    await connection.execute(_PARTS)
    async with connection.cursor().copy(_COPY_PARTS) as copy:
        for at, vector in enumerate([*vectors, *noise]):
            await copy.write_row((words[at] if at < len(words) else "", at + 1, json.dumps(vector)))
    [definition] = await _one(connection, _INDEX)
    await connection.execute("drop index public.asset_index_embedding")
    await connection.execute("select setseed(0)")
    await connection.execute(_CROWD, {"assets": count, "words": len(words), "noise": _NOISE_VECTORS})
    await connection.execute(_WORDS)
    await connection.execute("set maintenance_work_mem = '512MB'")
    [started] = await _one(connection, "select extract(epoch from clock_timestamp())::float")
    await connection.execute(definition)
    [ended] = await _one(connection, "select extract(epoch from clock_timestamp())::float")
    await connection.execute("vacuum analyze public.asset_index, engine.asset_words")
    return ended - started


async def queries_among(connection: AsyncConnection[Any], count: int) -> list[str]:
    """Two to four words each, of assets that are there; every fourth query has a misspelt one."""
    cursor = await connection.execute("select title from public.asset_index order by md5(source_id) limit %s", (count,))
    source = Random(1)
    queries: list[str] = []
    for at, (title,) in enumerate(await cursor.fetchall()):
        chosen = source.sample(title.split(), min(len(title.split()), source.randint(2, 4)))
        queries.append(" ".join([_misspelt(chosen[0], source), *chosen[1:]] if at % 4 == 0 else chosen))
    return queries


def domain_words() -> list[str]:
    """The words of the catalogue and the library, the most frequent first."""
    catalog, library = read_catalog(), read_library()
    texts = [each.get("description", "") for each in [*catalog["products"], *catalog["assets"], *library["assets"]]]
    texts += [f"{each['name']} {each['description']}" for each in library["products"]]
    counts: dict[str, int] = {}
    for word in _WORD.findall(" ".join(texts).lower()):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))


def _misspelt(word: str, source: Random) -> str:
    """Without one of its inner letters."""
    at = source.randrange(1, max(2, len(word) - 1))
    return word[:at] + word[at + 1 :]


async def _one(connection: AsyncConnection[Any], query: LiteralString, parameters: Sequence[Any] = ()) -> Any:
    row = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None
    return row
