"""Faults on demand: which of the next requests fail, and how.

A plan holds rates (each request draws), a script (the next requests in order) and a fixed latency. A script step that
names a kind or a model waits for a request that fits; requests that fit no step fall through to the rates.
"""

import random
from collections import deque
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from infra.local.emulator.meter import Kind

Fault = Literal[
    "429",
    "500",
    "503",
    "timeout",
    "slow",
    "truncated",
    "malformed_json",
    "safety",
    "safety_answer",
    "empty",
    "no_image",
    "illegible",
    "low_rating",
]
FAULTS: tuple[str, ...] = get_args(Fault)
OK = "ok"
# Faults that only requests of one kind can have: others do not draw them from the rates.
_ONLY_FOR: dict[str, Kind] = {"illegible": "image", "low_rating": "text"}

_WHAT = {
    "429": "quota exceeded, with RetryInfo of retry_after_s",
    "500": "internal error",
    "503": "overloaded",
    "timeout": "no answer until the client gives up",
    "slow": "the right answer after slow_ms",
    "truncated": "finishReason MAX_TOKENS, the text cut",
    "malformed_json": "finishReason STOP, the text broken",
    "safety": "the prompt is blocked: promptFeedback, no candidates",
    "safety_answer": "the answer is blocked: finishReason SAFETY, no parts",
    "empty": "finishReason STOP, no parts",
    "no_image": "text where a picture was asked for",
    "illegible": "a picture whose words cannot be read: wrong letters, too small or too pale; pictures with words only",
    "low_rating": "a review of slides below the bar, with a slide or two sent back; such reviews only",
}


class Match(BaseModel):
    """Which requests a script step is for; absent fields fit all."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind | None = None
    model: str | None = None

    def fits(self, kind: Kind, model: str) -> bool:
        """True when a request is one of these."""
        return self.kind in (None, kind) and self.model in (None, model)


class Step(BaseModel):
    """One step of a script: `times` requests that match get the fault (or `ok`)."""

    model_config = ConfigDict(extra="forbid")

    fault: str
    match: Match = Match()
    times: int = Field(default=1, ge=1)

    @field_validator("fault")
    @classmethod
    def _known(cls, fault: str) -> str:
        return fault if fault == OK else known(fault)


class FaultPlan(BaseModel):
    """What `POST /__emulator/faults` takes; it replaces the plan before it. `{}` means no faults."""

    model_config = ConfigDict(extra="forbid")

    rates: dict[str, float] = {}
    script: list[Step] = []
    slow_ms: float = Field(default=2000, ge=0, le=600_000)
    retry_after_s: float = Field(default=1, ge=0)
    latency_ms: float = Field(default=0, ge=0, le=600_000)
    seed: int = 0

    @field_validator("rates")
    @classmethod
    def _probabilities(cls, rates: dict[str, float]) -> dict[str, float]:
        for fault, rate in rates.items():
            known(fault)
            if not 0 <= rate <= 1:
                raise ValueError(f"the rate of {fault} must be between 0 and 1")
        return rates

    @field_validator("script", mode="before")
    @classmethod
    def _names_are_steps(cls, script: object, _info: ValidationInfo) -> object:
        if not isinstance(script, list):
            return script
        return [{"fault": step} if isinstance(step, str) else step for step in script]

    @model_validator(mode="after")
    def _at_most_certain(self) -> Self:
        if sum(self.rates.values()) > 1 + 1e-9:
            raise ValueError("the rates must not add up to more than 1")
        return self


class Faults:
    """The plan in force and how far it has been used."""

    def __init__(self) -> None:
        self.set(FaultPlan())

    def set(self, plan: FaultPlan) -> None:
        """Replaces the plan."""
        self.plan = plan
        self._random = random.Random(plan.seed)
        self._steps = deque(step.model_copy() for step in plan.script)

    def draw(self, kind: Kind, model: str) -> str | None:
        """The fault of the next request, or None."""
        for step in self._steps:
            if step.match.fits(kind, model):
                step.times -= 1
                if step.times == 0:
                    self._steps.remove(step)
                return None if step.fault == OK else step.fault
        chance = self._random.random()
        for fault, rate in self.plan.rates.items():
            if _ONLY_FOR.get(fault, kind) != kind:
                continue
            if chance < rate:
                return fault
            chance -= rate
        return None

    def as_json(self) -> dict[str, object]:
        """The plan, the steps left and the known faults."""
        return {
            **self.plan.model_dump(exclude={"script"}),
            "script": [step.model_dump(exclude_none=True) for step in self._steps],
            "known": _WHAT,
        }


def known(fault: str) -> str:
    """The fault itself. Raises ValueError that lists the known ones."""
    if fault not in FAULTS:
        raise ValueError(f"unknown fault {fault!r}; known are {', '.join(FAULTS)}")
    return fault
