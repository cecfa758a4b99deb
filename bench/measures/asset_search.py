"""How good the search for assets is: labelled queries over the library, with embeddings and by words alone."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.figures import Figure, Measured, at_least
from bench.retrieval.evaluate import answers
from bench.retrieval.labelled import load_queries, split
from bench.retrieval.library import emulated, filled_index
from bench.retrieval.scores import Answer, Scores, score
from bench.setting import Setting
from bench.text_table import render

_DATABASE = "bench_assets"
_HEADER = ("queries", "n", "recall@3", "nDCG@10", "precision > 70", "hits > 70", "first hit > 70 and right")


async def measure(setting: Setting) -> Measured:
    """The figures are of the queries that the relevance was not fitted on; the table shows both halves."""
    queries = load_queries()
    async with filled_index(setting.stack.database_url, _DATABASE) as index:
        hybrid = await answers(index, queries, await emulated([query.q for query in queries], "query"))
        words = await answers(index, queries, None)
    test = {query.q for query in split(queries).test}
    groups = _groups(hybrid, words, test)
    scores = {name: score(group) for name, group in groups.items()}
    unseen, by_words = scores["test"], scores["test, words alone"]
    return Measured(
        figures=[
            Figure("asset search, recall@3", unseen.recall_at_3 or 0, "", at_least(0.9)),
            Figure("asset search, nDCG@10", unseen.ndcg_at_10 or 0, "", at_least(0.85)),
            Figure("asset search, precision at relevance > 70", unseen.precision_sure or 0, "", at_least(0.9)),
            Figure("  by words alone", by_words.precision_sure or 0, "", at_least(0.9)),
        ],
        raw={"scores": {name: asdict(each) for name, each in scores.items()}, "sure_mistakes": _mistakes(hybrid)},
        notes=["The embeddings are the emulator's, which know the translations and synonyms written down for them."],
        tables=[render(_HEADER, [_line(name, each) for name, each in scores.items()])],
    )  # fmt: skip


def _groups(hybrid: Sequence[Answer], words: Sequence[Answer], test: set[str]) -> dict[str, list[Answer]]:
    groups = {
        "train": [answer for answer in hybrid if answer.query.q not in test],
        "test": [answer for answer in hybrid if answer.query.q in test],
        "test, words alone": [answer for answer in words if answer.query.q in test],
    }
    for lang in ("pt", "en"):
        groups[f"all, {lang}"] = [answer for answer in hybrid if answer.query.lang == lang]
    for kind in dict.fromkeys(answer.query.type for answer in hybrid):
        for lang in ("pt", "en"):
            chosen = [answer for answer in hybrid if (answer.query.type, answer.query.lang) == (kind, lang)]
            groups[f"all, {kind}, {lang}"] = chosen
    return groups


def _mistakes(answered: Sequence[Answer]) -> dict[str, Any]:
    """What was above the bar and no answer, by query."""
    wrong = {a.query.q: [hit for hit, right in zip(a.hits, a.sure, strict=False) if not right] for a in answered}
    return {query: hits for query, hits in wrong.items() if hits}


def _line(name: str, scores: Scores) -> list[str]:
    shares = [scores.recall_at_3, scores.ndcg_at_10, scores.precision_sure]
    told = ["" if share is None else f"{share:.3f}" for share in shares]
    sure = "" if scores.sure_share is None else f"{scores.sure_share:.2f}"
    return [name, str(scores.queries), *told, str(scores.sure_hits), sure]
