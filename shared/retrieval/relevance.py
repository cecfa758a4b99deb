"""How relevant a hit is: a probability, from what the search tells of it.

The coefficients are in `calibration.yaml`, fitted by `python -m bench.retrieval.calibrate` on the queries of
`bench/retrieval_queries.yaml` that are for training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("calibration.yaml")


@dataclass(frozen=True, slots=True)
class Features:
    """What `search_assets` tells of a hit, each between 0 and 1 (`cosine` between -1 and 1, None without embeddings).

    `words` is the weighted share of the query's words that the asset has, `title_words` in its title or tags.
    """

    words: float
    title_words: float
    cosine: float | None

    def values(self) -> dict[str, float]:
        """By name, as the calibration has them; `all_words` is near 1 only for an asset that has almost every word."""
        values = {"words": self.words, "title_words": self.title_words, "all_words": self.words**4}
        return values if self.cosine is None else values | {"cosine": self.cosine}


class Logistic(BaseModel):
    """Logistic regression: log odds = intercept + Σ weight · feature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float
    weights: Mapping[str, float]

    def probability(self, values: Mapping[str, float]) -> float:
        """Between 0 and 1. Raises KeyError when a feature is missing."""
        odds = self.intercept + sum(weight * values[name] for name, weight in self.weights.items())
        return 1 / (1 + exp(-max(-60.0, min(60.0, odds))))


class Calibration(BaseModel):
    """`hybrid` where the query and the asset have embeddings, `lexical` where one of them has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fitted: str
    hybrid: Logistic
    lexical: Logistic

    def relevance(self, features: Features) -> float:
        """0-100, to a tenth."""
        fit = self.lexical if features.cosine is None else self.hybrid
        return round(100 * fit.probability(features.values()), 1)


@lru_cache(maxsize=1)
def load_calibration() -> Calibration:
    """The calibration that comes with the code."""
    return Calibration.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
