"""The checker of stories sees what it is for: each of these logs is wrong in one way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.supabase.story import Event, Standing, problems

START = datetime(2026, 11, 22, tzinfo=UTC)


def log(*steps: tuple[str, int] | tuple[str, int, str] | tuple[str, int, str, dict[str, Any]]) -> list[Event]:
    """Events a second apart: (kind, attempt, actor, detail)."""
    events: list[Event] = []
    for second, (kind, attempt, *rest) in enumerate(steps):
        actor = str(rest[0]) if rest else "w1"
        detail: Any = rest[1] if len(rest) > 1 else {"error": {"code": "x"}} if kind == "failed" else {}
        events.append(Event(kind, actor, attempt, START + timedelta(seconds=second), detail))
    return events


def ended(status: str, attempts: int) -> Standing:
    return Standing(status, attempts, 5)


EXPIRED = ("lease_expired", 1, "sweep", {"worker": "w1"})
MANUAL = ("retried", 0, "user:1", {"manual": True})

RIGHT = {
    "waits": (log(("queued", 0)), ended("queued", 0)),
    "completed": (log(("queued", 0), ("claimed", 1), ("checkpoint", 1), ("completed", 1)), ended("completed", 1)),
    "given back": (
        log(("queued", 0), ("claimed", 1), ("continued", 1), ("claimed", 1), ("released", 1), ("claimed", 1)),
        ended("processing", 1),
    ),
    "taken over": (log(("queued", 0), ("claimed", 1), EXPIRED, ("claimed", 2, "w2")), ended("processing", 2)),
    "given up": (log(("queued", 0), ("claimed", 1), EXPIRED, ("failed", 1, "sweep")), ended("failed", 1)),
    "retried": (
        log(("queued", 0), ("claimed", 1), ("retried", 1), ("claimed", 2), ("failed", 2), MANUAL, ("claimed", 1)),
        ended("processing", 1),
    ),
    "of the former system": (
        log(("queued", 0, "migration", {"migrated": True}), ("failed", 0, "migration", {"migrated": True}), MANUAL),
        ended("queued", 0),
    ),
}

WRONG = {
    "claimed while processing": (log(("queued", 0), ("claimed", 1), ("claimed", 2, "w2")), ended("processing", 2)),
    "completed while completed": (
        log(("queued", 0), ("claimed", 1), ("completed", 1), ("completed", 1)), ended("completed", 1),
    ),
    "checkpoint by w2": (log(("queued", 0), ("claimed", 1), ("checkpoint", 1, "w2")), ended("processing", 1)),
    "claimed in attempt 3": (log(("queued", 0), ("claimed", 3)), ended("processing", 3)),
    "claimed while unborn": (log(("claimed", 1)), ended("processing", 1)),
    "queued while queued": (log(("queued", 0), ("queued", 0)), ended("queued", 0)),
    "checkpoint while cancelled": (
        log(("queued", 0), ("claimed", 1), ("cancelled", 1), ("checkpoint", 1)), ended("cancelled", 1),
    ),
    "failed for no reason": (log(("queued", 0), ("claimed", 1), ("failed", 1, "w1", {})), ended("failed", 1)),
    "failed while queued": (log(("queued", 0), ("failed", 0)), ended("failed", 0)),
    "blames w9": (
        log(("queued", 0), ("claimed", 1), ("lease_expired", 1, "sweep", {"worker": "w9"})), ended("queued", 1),
    ),
    "retried while completed": (
        log(("queued", 0), ("claimed", 1), ("completed", 1), MANUAL), ended("queued", 0),
    ),
    "the events end processing": (log(("queued", 0), ("claimed", 1)), ended("completed", 1)),
    "the events count 1 attempts": (log(("queued", 0), ("claimed", 1)), ended("processing", 2)),
    "6 attempts of at most 5": (log(("queued", 0)), ended("queued", 6)),
    "of the former system": (
        log(("queued", 0), ("claimed", 1), ("completed", 1, "migration", {"migrated": True})), ended("completed", 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_story_has_no_problem(name):
    assert problems(*RIGHT[name]) == []


@pytest.mark.parametrize("problem", WRONG)
def test_a_wrong_story_is_told_from_a_right_one(problem):
    assert any(problem in found for found in problems(*WRONG[problem]))


def test_time_does_not_run_backwards():
    first, second = log(("queued", 0), ("claimed", 1))
    early = replace(second, at=first.at - timedelta(seconds=1))
    assert problems([first, early], ended("processing", 1)) == ["claimed happened before queued"]
