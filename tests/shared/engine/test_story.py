"""The checker of stories sees what it is for: each of these logs is wrong in one way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from shared.db import Pool
from shared.engine.story import Event, Standing, problems, problems_of, problems_of_all

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
FROM_WRITE = {"manual": True, "from_stage": "write", "payload_changes": {"topic": {"from": "a", "to": "b"}}}
FOR_ANOTHER = ("failed", 0, "w2", {"error": {"code": "dependency_failed"}})
WITH_ANOTHER = ("retried", 0, "user:1", {"manual": True, "with": "00000000-0000-0000-0000-000000000001"})

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
    "stopped by the kill switch": (
        log(("queued", 0), ("claimed", 1), ("released", 1, "w1", {"reason": "kill_switch"}), ("claimed", 1, "w2")),
        ended("processing", 1),
    ),
    "put off": (
        log(("queued", 0), ("claimed", 1), ("continued", 1, "w1", {"reason": "circuit_open", "after_s": 10})),
        ended("queued", 0),
    ),
    "retried from a stage": (
        log(("queued", 0), ("claimed", 1), ("cancelled", 1), ("retried", 0, "user:1", FROM_WRITE)), ended("queued", 0),
    ),
    "waited for a job that failed": (log(("queued", 0), FOR_ANOTHER), ended("failed", 0)),
    "retried with the job that it waits for": (
        log(("queued", 0), FOR_ANOTHER, WITH_ANOTHER, ("claimed", 1)), ended("processing", 1),
    ),
    "of the former system": (
        log(("queued", 0, "migration", {"migrated": True}), ("failed", 0, "migration", {"migrated": True}), MANUAL),
        ended("queued", 0),
    ),
}  # fmt: skip

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
    "for the unknown reason weather": (
        log(("queued", 0), ("claimed", 1), ("released", 1, "w1", {"reason": "weather"})), ended("queued", 0),
    ),
    "from the stage 3": (
        log(("queued", 0), ("cancelled", 0), ("retried", 0, "user:1", {"manual": True, "from_stage": 3})),
        ended("queued", 0),
    ),
    "changes of its payload that are none": (
        log(("queued", 0), ("cancelled", 0), ("retried", 0, "user:1", {"manual": True, "payload_changes": "all"})),
        ended("queued", 0),
    ),
    "failed while processing": (
        log(("queued", 0), ("claimed", 1), ("failed", 1, *FOR_ANOTHER[2:])), ended("failed", 1),
    ),
    "but it had not failed because of another": (
        log(("queued", 0), ("claimed", 1), ("failed", 1), WITH_ANOTHER), ended("queued", 0),
    ),
    "retried while processing": (log(("queued", 0), ("claimed", 1), MANUAL), ended("queued", 0)),
    "painted is no event of a job": (log(("queued", 0), ("painted", 0)), ended("queued", 0)),
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


@pytest.fixture
async def jobs(connection: AsyncConnection[Any], create_user: Callable[..., Awaitable[UUID]]) -> list[UUID]:
    """More jobs than are read at a time, by id; one of them with many events."""
    cursor = await connection.execute(
        "insert into public.jobs (user_id, job_type, payload, status)"
        " select %s, 'echo', '{}', 'queued' from generate_series(1, 450) returning id",
        (await create_user(),),
    )
    ids = sorted([row[0] for row in await cursor.fetchall()])
    cursor = await connection.execute("select lease_token from public.claim_job(%s, 'w1')", (ids[0],))
    await connection.execute(
        "select public.checkpoint_job(%s, %s, '{\"a\": 1}') from generate_series(1, 1200)",
        (ids[0], (await cursor.fetchone() or [None])[0]),
    )
    return ids


async def test_a_service_reads_the_stories_of_all_jobs_and_finds_the_wrong_ones(
    pool: Pool, connection: AsyncConnection[Any], jobs: list[UUID]
):
    assert [each async for each in problems_of_all(pool)] == []
    broken = [jobs[0], jobs[210], jobs[-1]]
    await connection.execute(
        "insert into public.job_events (job_id, kind, actor, attempt) select unnest(%s::uuid[]), 'completed', 'w2', 7",
        (broken,),
    )
    found = [each async for each in problems_of_all(pool)]
    assert [job_id for job_id, _ in found] == broken
    assert "completed by w2, but w1 held the lease" in found[0][1]
    assert "completed while queued" in found[1][1]


async def test_the_stories_of_single_jobs_are_told_whether_right_or_wrong(
    pool: Pool, connection: AsyncConnection[Any], jobs: list[UUID]
):
    await connection.execute("delete from public.job_events where job_id = %s", (jobs[5],))
    gone = UUID(int=7)
    assert await problems_of(pool, [jobs[5], jobs[0], gone]) == {
        jobs[0]: [],
        jobs[5]: ["the events end unborn, the job is queued"],
    }
