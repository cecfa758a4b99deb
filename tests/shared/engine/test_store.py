"""The lease's promises, through the SQL functions, on real Postgres."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from psycopg import AsyncConnection

from shared.db import create_pool
from shared.engine.errors import InvalidPayload, LeaseLost
from shared.engine.job import Lease
from shared.engine.store import JobStore
from tests.shared.engine.jobs import Jobs

ECHO = ["echo"]


async def test_second_worker_gets_nothing(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    claims = await asyncio.gather(*(store.claim(job_id, f"worker-{number}", ECHO) for number in range(20)))
    assert [claim is not None for claim in claims].count(True) == 1
    assert await jobs.events(job_id) == ["queued", "claimed"]


async def test_a_claim_tells_all_that_a_worker_needs(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue({"steps": 2})
    claim = await store.claim(job_id, "w", ECHO)
    assert claim is not None
    job, lease = claim
    assert (job.id, job.user_id, job.kind, job.payload) == (job_id, jobs.user_id, "echo", {"steps": 2})
    assert (job.attempt, job.max_attempts, job.checkpoint_data, lease.lease_s) == (1, 5, {}, 15)
    assert job.trace_id is not None


async def test_a_job_of_a_foreign_kind_is_left_alone(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    before = await jobs.snapshot(job_id)
    assert await store.claim(job_id, "w", ["blog"]) is None
    assert await jobs.snapshot(job_id) == before


async def _complete_with_draft(store: JobStore, lease: Lease) -> None:
    async def persist(connection: AsyncConnection[Any]) -> None:
        await connection.execute("create table public.a_draft ()")

    await store.complete(lease, {"by": "zombie"}, persist)


WRITES: dict[str, Callable[[JobStore, Lease], Awaitable[Any]]] = {
    "checkpoint": lambda store, lease: store.checkpoint(lease, {"by": "zombie"}, {"stage": "late"}),
    "complete": lambda store, lease: store.complete(lease, {"by": "zombie"}),
    "complete with a draft": _complete_with_draft,
    "continue": lambda store, lease: store.continue_(lease, 0),
    "fail": lambda store, lease: store.fail(lease, InvalidPayload("late")),
    "release": lambda store, lease: store.release(lease),
}


@pytest.mark.parametrize("write", WRITES)
async def test_a_zombie_changes_nothing_after_the_takeover(store: JobStore, jobs: Jobs, write: str) -> None:
    job_id = await jobs.enqueue()
    zombie = await store.claim(job_id, "zombie", ECHO)
    assert zombie is not None
    await jobs.expire_lease(job_id)
    assert await store.claim(job_id, "successor", ECHO) is not None

    before = await jobs.snapshot(job_id)
    with pytest.raises(LeaseLost):
        await WRITES[write](store, zombie[1])
    beat = await store.heartbeat(zombie[1])
    assert (beat.held, beat.cancelled) == (False, False)
    assert await jobs.snapshot(job_id) == before


async def test_a_draft_and_its_completion_happen_together_or_not_at_all(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    claim = await store.claim(job_id, "w", ECHO)
    assert claim is not None

    async def broken(connection: AsyncConnection[Any]) -> None:
        await connection.execute("select 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        await store.complete(claim[1], {}, broken)
    assert await jobs.status(job_id) == "processing"


async def test_heartbeat_tells_of_a_cancellation(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    claim = await store.claim(job_id, "w", ECHO)
    assert claim is not None
    await jobs.cancel(job_id)
    beat = await store.heartbeat(claim[1])
    assert (beat.held, beat.cancelled) == (False, True)


async def test_a_sweep_finds_expired_leases_and_due_jobs(store: JobStore, jobs: Jobs) -> None:
    silent, waiting = await jobs.enqueue(), await jobs.enqueue()
    await store.claim(silent, "w", ECHO)
    await jobs.expire_lease(silent)
    due = await store.sweep(10)
    assert {job.id for job in due} == {silent, waiting}
    assert {(job.kind, job.service) for job in due} == {("echo", "template")}
    assert [job.id for job in await store.due([waiting, silent])] == [waiting, silent]


async def test_a_dead_connection_is_noticed_before_it_is_used(database_url: str, jobs: Jobs) -> None:
    async with create_pool(database_url, max_size=1) as pool:
        store = JobStore(pool)
        assert await store.is_ready()
        await jobs.cut_off()
        assert await store.is_ready()
