"""How good a list of hits is for a labelled query."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from statistics import fmean

from bench.retrieval.labelled import Query

SURE = 70.0
"""Above this relevance a real picture is taken instead of a generated one."""


@dataclass(frozen=True)
class Answer:
    """What was found for a query: names of assets, the best first, with their relevances."""

    query: Query
    hits: list[tuple[str, float]]

    @property
    def recall_at_3(self) -> float | None:
        """Share of the answers among the first three, of the three at most that fit there; None without any answer."""
        wanted = sum(self.query.is_answered_by(name) for name in self.query.assets)
        found = sum(self.query.is_answered_by(name) for name, _ in self.hits[:3])
        return found / min(3, wanted) if wanted else None

    @property
    def ndcg_at_10(self) -> float | None:
        """Normalised discounted cumulative gain (Järvelin, Kekäläinen 2002), gains 2^grade - 1; None without assets."""
        best = _gain(sorted(self.query.assets.values(), reverse=True))
        return _gain([self.query.assets.get(name, 0) for name, _ in self.hits]) / best if best else None

    @property
    def sure(self) -> list[bool]:
        """For each hit above the bar, whether it is an answer."""
        return [self.query.is_answered_by(name) for name, relevance in self.hits if relevance > SURE]


@dataclass(frozen=True)
class Scores:
    """Means over queries; None where there is nothing to take one of. `sure_hits` is what the precision is a share of.

    `sure_share` is the share of queries with an answer for which a hit above the bar was the first one and right.
    """

    queries: int
    recall_at_3: float | None
    ndcg_at_10: float | None
    precision_sure: float | None
    sure_hits: int
    sure_share: float | None


def score(answers: Sequence[Answer]) -> Scores:
    """The scores of some queries together."""
    sure = [right for answer in answers for right in answer.sure]
    answered = [answer for answer in answers if answer.recall_at_3 is not None]
    return Scores(
        queries=len(answers),
        recall_at_3=_mean([answer.recall_at_3 for answer in answers]),
        ndcg_at_10=_mean([answer.ndcg_at_10 for answer in answers]),
        precision_sure=_mean([float(right) for right in sure]),
        sure_hits=len(sure),
        sure_share=_mean([float(answer.sure[:1] == [True]) for answer in answered]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _gain(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / log2(place + 2) for place, grade in enumerate(grades[:10]))
