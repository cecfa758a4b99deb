"""What a measurement hands over: figures with their targets, and everything else as raw JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Target:
    """What a value must reach: at most or at least `value`."""

    sense: Literal["<=", ">="]
    value: float

    def met_by(self, measured: float) -> bool:
        return measured <= self.value if self.sense == "<=" else measured >= self.value


def at_most(value: float) -> Target:
    return Target("<=", value)


def at_least(value: float) -> Target:
    return Target(">=", value)


@dataclass(frozen=True)
class Figure:
    """One line of the table. `others` is the same value of other engines, measured in the same run."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    others: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none."""
        return None if self.target is None else self.target.met_by(self.value)

    def ratio_to(self, other: str) -> float:
        """How many times the other engine's value ours is."""
        return self.value / self.others[other]


@dataclass(frozen=True)
class Measured:
    """The outcome of one measurement. `tables` are printed as they are, `notes` are sentences to print below."""

    figures: list[Figure]
    raw: dict[str, Any]
    notes: list[str] = field(default_factory=list[str])
    tables: list[str] = field(default_factory=list[str])
