"""Finding assets in real Postgres."""

from typing import Any

import pytest
from psycopg import AsyncConnection

from bench.retrieval.library import emulated
from shared.db import Pool
from shared.engine.errors import BudgetExceeded, ModelUnavailable
from shared.retrieval.hits import AssetHit
from shared.retrieval.indexing import AssetTexts
from shared.retrieval.search import AssetFinder, AssetIndex
from tests.conftest import ActAs
from tests.shared.retrieval.conftest import PROJECT, Models


async def hits(index: AssetIndex, query: str, **options: Any) -> list[AssetHit]:
    return await AssetFinder(index, Models()).find(query, **options)


async def titles(index: AssetIndex, query: str, **options: Any) -> list[str]:
    return [hit.title for hit in await hits(index, query, **options)]


async def test_what_was_asked_for_comes_first_and_surely(index: AssetIndex):
    [first, *others] = await hits(index, "parafusos pediculares")
    assert first.title == "Parafusos pediculares"
    assert (first.source, first.kind) == ("product_catalog", "product")
    assert first.relevance > 70
    assert all(hit.relevance < 50 for hit in others)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("AREA DE USINAGEM", "Área de usinagem"),
        ("implante dentario", "Implantes dentários"),
        ("parafuzo pediculár", "Parafusos pediculares"),
        ("catraka de torqe", "Catraca de torque"),
        ("clean room", "Sala limpa ISO classe 7"),
        ("pedicle screws", "Parafusos pediculares"),
        ("swiss lathe", "Torno suíço Citizen L20"),
    ],
)
async def test_accents_capitals_mistakes_and_the_other_language_find_it_too(index: AssetIndex, query: str, title: str):
    assert (await titles(index, query))[0] == title


@pytest.mark.parametrize("query", ["stent coronário", "forklift", "bolo de aniversário"])
async def test_nothing_is_relevant_to_what_there_is_no_asset_for(index: AssetIndex, query: str):
    assert all(hit.relevance < 70 for hit in await hits(index, query))


async def test_the_other_kinds_are_left_out(index: AssetIndex):
    found = await hits(index, "branco", kinds=["logo", "team"])
    assert {hit.kind for hit in found} == {"logo", "team"}
    assert await hits(index, "branco", kinds=[]) == []


async def test_a_picture_with_several_rows_is_found_once_with_the_words_that_describe_it(index: AssetIndex):
    found = await hits(index, "Citizen L20")
    assert [hit.title for hit in found if hit.url and hit.url.endswith("l20.png")] == ["Torno suíço Citizen L20"]


async def test_a_file_has_the_projects_own_address(index: AssetIndex):
    [hit] = await hits(index, "ana", kinds=["team"])
    assert hit.url == f"{PROJECT}/storage/v1/object/public/assets/equipe/ana.png"
    assert hit.metadata == {"bucket": "assets", "path": "equipe/ana.png"}


async def test_approved_work_is_found_and_a_draft_never(index: AssetIndex):
    assert await titles(index, "UDI", kinds=["past_work"]) == ["UDI na prática"]


async def test_at_most_as_many_as_wanted(index: AssetIndex):
    assert len(await hits(index, "torno", limit=2)) == 2


async def test_without_a_model_words_still_find(index: AssetIndex):
    finder = AssetFinder(index, Models(ModelUnavailable("away")))
    [first, *_] = await finder.find("parafuzos pediculares")
    assert first.title == "Parafusos pediculares"
    assert 0 < first.relevance < 100
    assert await finder.find("pedicle screws") == [], "translations are the model's"


async def test_a_spent_budget_is_not_passed_over(index: AssetIndex):
    with pytest.raises(BudgetExceeded):
        await AssetFinder(index, Models(BudgetExceeded("spent"))).find("torno")


async def test_an_asset_without_an_embedding_is_found_by_its_words(index: AssetIndex, connection: AsyncConnection[Any]):
    await connection.execute(
        "insert into company_assets (type, description, url) values ('team', 'Equipe de vendas.', 'https://cdn.test/v.png')"
    )
    [first, *_] = await hits(index, "equipe de vendas")
    assert first.title.startswith("Equipe de vendas")
    assert first.relevance > 50


async def test_the_query_is_embedded_as_a_query_and_only_once(index: AssetIndex):
    models = Models()
    await AssetFinder(index, models).find("  torno ")
    assert models.asked == [(["torno"], "query")]


HOSTILE = [
    "",
    "   ",
    "\0",
    "a",
    "'",
    "''; drop table asset_index; --",
    "torno' & | ! ( ) :* <-> \\",
    "<script>alert(1)</script>",
    "%_%",
    '"torno suíço" -limpa OR',
    "🦴🔩",
    "ﬁxação ＴＯＲＮＯ",
    "日本語のクエリ",
    "a" * 5000,
    " ".join(f"palavra{n}" for n in range(2000)),
    "torno " * 400,
    "e\u0301\u0327" * 300,
    "de do da the of",
]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_query_is_an_error(index: AssetIndex, query: str):
    for found in (await hits(index, query), await index.search(query, None)):
        assert all(0 <= hit.relevance <= 100 for hit in found)
    assert await titles(index, "torno suíço")


async def test_words_between_signs_are_words(index: AssetIndex):
    assert (await titles(index, "(torno) & 'suíço' :*"))[0].startswith("Torno suíço")


async def test_only_staff_searches(
    index: AssetIndex, connection: AsyncConnection[Any], as_user: ActAs, create_user: Any
):
    search = "select count(*) from search_assets('torno')"
    for role, sees in (("sales", True), ("marketing", True), (None, False)):
        async with as_user(connection, await create_user(role), role):
            [found] = await (await connection.execute(search)).fetchone() or [None]
            assert bool(found) == sees


async def test_texts_of_another_model_wait_again(index: AssetIndex, pool: Pool, texts: AssetTexts):
    assert await texts.count_waiting() == 0
    newer = AssetTexts(pool, "newer")
    assert await newer.count_waiting() == len(await newer.waiting(100)) > 5


async def test_the_embedding_of_a_text_that_has_changed_meanwhile_is_not_kept(
    texts: AssetTexts, connection: AsyncConnection[Any]
):
    waiting = await texts.waiting(100)
    await connection.execute("update product_catalog set name = 'Placas novas' where name = 'Placas de trauma'")
    kept = await texts.keep(waiting, await emulated([text.text for text in waiting], "document"))
    assert kept == len(waiting) - 1
    [left] = await texts.waiting(100)
    assert left.text == "Placas novas"
