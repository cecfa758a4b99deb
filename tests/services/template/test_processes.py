"""Workers that are killed, terminated and frozen: real processes, real Postgres."""

import asyncio
from typing import Any
from uuid import UUID

import httpx

from shared.db import create_pool
from shared.engine.store import JobStore
from tests.services.template.conftest import Process, Start
from tests.shared.engine.jobs import Jobs, eventually


async def post(process: Process, job_id: UUID) -> str | None:
    """The outcome that the worker answers, or None when it answers no more."""
    async with httpx.AsyncClient(timeout=60) as client:
        try:
            return (await client.post(f"{process.url}/jobs/{job_id}", headers=process.headers)).json()["outcome"]
        except httpx.TransportError:
            return None


async def steps_done(jobs: Jobs, job_id: UUID, count: int) -> bool:
    return len(((await jobs.row(job_id))["checkpoint_data"] or {}).get("steps", ())) >= count


def attempts_by_step(row: dict[str, Any]) -> list[int]:
    return [step["attempt"] for step in row["result"]["steps"]]


async def test_a_killed_workers_job_goes_on_after_its_last_finished_step(start: Start, jobs: Jobs) -> None:
    first, second = start(), start()
    await asyncio.gather(first.ready(), second.ready())
    job_id = await jobs.enqueue({"steps": 6, "sleep_ms": 200})
    posted = asyncio.create_task(post(first, job_id))
    await eventually(lambda: steps_done(jobs, job_id, 2))
    first.kill()
    assert await posted is None
    finished = len((await jobs.row(job_id))["checkpoint_data"]["steps"])

    assert await post(second, job_id) == "not_claimed"  # the lease stands until it expires
    await jobs.expire_lease(job_id)
    assert await post(second, job_id) == "completed"
    row = await jobs.row(job_id)
    assert attempts_by_step(row) == [1] * finished + [2] * (6 - finished)
    events = await jobs.events(job_id)
    assert (events.count("claimed"), events.count("lease_expired"), events[-1]) == (2, 1, "completed")


async def test_a_terminated_worker_gives_its_job_back_at_the_next_step_and_ends(start: Start, jobs: Jobs) -> None:
    first, second = start(), start()
    await asyncio.gather(first.ready(), second.ready())
    job_id = await jobs.enqueue({"steps": 8, "sleep_ms": 300})
    posted = asyncio.create_task(post(first, job_id))
    await eventually(lambda: steps_done(jobs, job_id, 1))
    first.terminate()
    assert await posted == "released"
    row = await jobs.row(job_id)
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert await asyncio.to_thread(first.process.wait, 10) is not None

    assert await post(second, job_id) == "completed"
    assert set(attempts_by_step(await jobs.row(job_id))) == {1}


async def test_a_terminated_worker_cuts_a_long_step_short(start: Start, jobs: Jobs) -> None:
    worker = start(DRAIN_GRACE_S="0.5")
    await worker.ready()
    job_id = await jobs.enqueue({"steps": 2, "sleep_ms": 60_000})
    posted = asyncio.create_task(post(worker, job_id))
    await eventually(lambda: _is_processing(jobs, job_id))
    worker.terminate()
    assert await asyncio.wait_for(posted, 5) == "released"
    assert await asyncio.to_thread(worker.process.wait, 10) is not None
    (line,) = [line for line in worker.lines if line["message"] == "attempt_ended"]
    labels = line["logging.googleapis.com/labels"]
    assert (line["outcome"], labels["job_id"], labels["kind"], labels["attempt"]) == (
        "released",
        str(job_id),
        "echo",
        "1",
    )
    assert line["logging.googleapis.com/trace"].endswith((await jobs.row(job_id))["trace_id"])


async def _is_processing(jobs: Jobs, job_id: UUID) -> bool:
    return await jobs.status(job_id) == "processing"


async def test_a_step_that_crashes_its_worker_is_taken_again_by_another(start: Start, jobs: Jobs) -> None:
    first, second = start(), start()
    await asyncio.gather(first.ready(), second.ready())
    job_id = await jobs.enqueue({"steps": 3, "fail": {"at_step": 2, "kind": "crash"}})
    assert await post(first, job_id) is None
    assert await asyncio.to_thread(first.process.wait, 10) == -9
    await jobs.expire_lease(job_id)
    assert await post(second, job_id) == "completed"
    assert attempts_by_step(await jobs.row(job_id)) == [1, 2, 2]


async def test_a_worker_that_hung_past_its_lease_writes_nothing_when_it_wakes(
    start: Start, jobs: Jobs, database_url: str
) -> None:
    await jobs.set_kind(lease_s=1)
    frozen, healthy = start(), start()
    await asyncio.gather(frozen.ready(), healthy.ready())
    job_id = await jobs.enqueue({"steps": 2, "fail": {"at_step": 2, "kind": "hang"}})
    posted = asyncio.create_task(post(frozen, job_id))
    async with create_pool(database_url, max_size=1) as pool:
        store = JobStore(pool)
        await eventually(lambda: steps_done(jobs, job_id, 1))
        due = await eventually(lambda: store.sweep(10))
    assert [job.id for job in due] == [job_id]
    assert await post(healthy, job_id) == "completed"
    before = await jobs.snapshot(job_id)
    assert await posted == "lease_lost"
    assert await jobs.snapshot(job_id) == before
    assert attempts_by_step(before[0]) == [1, 2]
