"""The labelled queries, and the arithmetic on them."""

from collections import Counter

import pytest

from bench.retrieval.fit import fit
from bench.retrieval.labelled import Query, load_queries, split
from bench.retrieval.library import name_of, read_library
from bench.retrieval.scores import Answer, score
from infra.local.seed.catalog import read_catalog

QUERIES = load_queries()


def test_the_set_is_large_and_varied_enough():
    types = Counter(query.type for query in QUERIES)
    assert len(QUERIES) >= 150
    assert types["none"] >= 30
    assert len({query.q for query in QUERIES}) == len(QUERIES)
    assert {query.lang for query in QUERIES if query.type == "misspelt"} == {"pt", "en"}
    assert all(bool(query.assets) == (query.type != "none") for query in QUERIES)


def test_every_graded_asset_is_in_the_library_and_can_be_found():
    catalog, library = read_catalog(), read_library()
    shown = [each["file"] for part in ("products", "assets") for each in library[part]] + library["files"]
    shown += [asset["file"] for asset in catalog["assets"]]
    shown += [post["file"] for post in library["posts"] if post["status"] != "draft" and post["quality"] >= 70]
    names = {name_of(file) for file in shown}
    assert len(names) >= 40
    assert {name for query in QUERIES for name in query.assets} <= names


def test_no_query_is_in_both_halves_and_each_half_has_all_types():
    halves = split(QUERIES)
    train, test = {query.q for query in halves.train}, {query.q for query in halves.test}
    assert not train & test
    assert len(train | test) == len(QUERIES)
    assert {query.type for query in halves.train} == {query.type for query in halves.test}


def test_scores_of_a_list():
    query = Query(q="torno", lang="pt", type="exact", assets={"torno": 3, "fresa": 2, "barra": 1})
    best = Answer(query, [("torno", 90), ("fresa", 80), ("barra", 20)])
    worse = Answer(query, [("barra", 75), ("torno", 71), ("sala", 10)])
    nothing = Answer(Query(q="stent", lang="pt", type="none"), [("sala", 72)])
    assert (best.recall_at_3, best.ndcg_at_10) == (1, 1)
    assert worse.recall_at_3 == 0.5
    assert 0 < (worse.ndcg_at_10 or 0) < 1
    assert (nothing.recall_at_3, nothing.ndcg_at_10) == (None, None)
    together = score([best, worse, nothing])
    assert together.recall_at_3 == 0.75
    assert together.precision_sure == pytest.approx(3 / 5)
    assert together.sure_share == 0.5


def test_the_fit_finds_the_odds_that_the_rows_have():
    rows = [[0.0]] * 100 + [[1.0]] * 100
    labels = [number < 20 for number in range(100)] + [number < 80 for number in range(100)]
    intercept, weight = fit(rows, labels, ridge=1e-6)
    assert intercept == pytest.approx(-1.3863, abs=1e-3)  # ln(20 / 80)
    assert weight == pytest.approx(2.7726, abs=1e-3)


def test_the_fit_stays_finite_where_rows_are_told_apart_perfectly():
    weights = fit([[0.0], [0.1], [0.9], [1.0]], [False, False, True, True])
    assert all(abs(weight) < 20 for weight in weights)
