"""The labelled queries: which pictures answer which query, and how well."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

_FILE = Path(__file__).parents[1] / "retrieval_queries.yaml"

Grade = Literal[1, 2, 3]
RELEVANT: Grade = 2
"""From this grade on an asset is an answer."""


class Query(BaseModel):
    """A query and the grades of the assets that have to do with it, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: str
    lang: Literal["pt", "en"]
    type: Literal["exact", "synonym", "describe", "misspelt", "past", "none"]
    assets: dict[str, Grade] = Field(default_factory=dict[str, Grade])

    def is_answered_by(self, name: str) -> bool:
        """Whether an asset is an answer, and not merely related."""
        return self.assets.get(name, 0) >= RELEVANT


@dataclass(frozen=True)
class Split:
    """Queries to fit the relevance on, and others to test it on."""

    train: list[Query]
    test: list[Query]


def load_queries() -> list[Query]:
    """All labelled queries. Raises `pydantic.ValidationError`."""
    return TypeAdapter(list[Query]).validate_python(yaml.safe_load(_FILE.read_text(encoding="utf-8"))["queries"])


def split(queries: Sequence[Query]) -> Split:
    """Of each type and language every second query is for training, beginning with the first."""
    groups: defaultdict[tuple[str, str], list[Query]] = defaultdict(list)
    for query in queries:
        groups[query.lang, query.type].append(query)
    return Split(
        train=[query for group in groups.values() for query in group[::2]],
        test=[query for group in groups.values() for query in group[1::2]],
    )
