"""Progress and checkpoints as the front end reads them."""

import asyncio
from typing import Any

import pytest

from shared.engine import context as context_module
from shared.engine.outcome import Done, Outcome
from shared.engine.runner import AttemptEnd, JobContext, run_attempt
from shared.engine.store import JobStore
from tests.shared.engine.jobs import Jobs, eventually


async def progress(jobs: Jobs, job_id: Any) -> Any:
    return ((await jobs.row(job_id))["checkpoint_data"] or {}).get("progress")


async def test_stages_and_progress_stand_beside_the_checkpoint(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    seen = []

    async def handler(context: JobContext) -> Outcome:
        async with context.stage("research"):
            await context.checkpoint({"notes": ["a"]})
        async with context.stage("write"):
            await context.checkpoint({"sections": 2}, {"message": "Writing section 2 of 4…", "done": 2, "total": 4})
            seen.append((await jobs.row(job_id))["checkpoint_data"])
        return Done({})

    assert await run_attempt(store, {"echo": handler}, job_id, "w") == AttemptEnd.COMPLETED
    assert seen == [
        {
            "notes": ["a"],
            "sections": 2,
            "progress": {
                "stage": "write",
                "message": "Writing section 2 of 4…",
                "done": 2,
                "total": 4,
                "stages_done": ["research"],
            },
        }
    ]


async def test_the_next_attempt_sees_what_was_saved(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    seen = []

    async def handler(context: JobContext) -> Outcome:
        seen.append(dict(context.saved))
        async with context.stage("research"):
            await context.checkpoint({"notes": context.job.attempt})
        if context.job.attempt == 1:
            raise RuntimeError
        return Done({})

    await run_attempt(store, {"echo": handler}, job_id, "w")
    await jobs.make_due(job_id)
    await run_attempt(store, {"echo": handler}, job_id, "w")
    assert seen[0] == {}
    assert seen[1]["notes"] == 1


async def test_a_hot_loop_of_reports_does_not_flood_and_the_last_one_arrives(
    store: JobStore, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_module, "PROGRESS_EVERY_S", 0.2)
    writes = 0
    checkpoint = store.checkpoint

    async def counted(*arguments: Any) -> None:
        nonlocal writes
        writes += 1
        await checkpoint(*arguments)

    monkeypatch.setattr(store, "checkpoint", counted)
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        async with context.stage("write"):
            for number in range(1000):
                await context.report(f"Reading page {number}", number, 1000)
            await eventually(lambda: _is(jobs, job_id, "Reading page 999"))
        return Done({})

    async def _is(jobs: Jobs, job_id: Any, message: str) -> bool:
        return (await progress(jobs, job_id) or {}).get("message") == message

    assert await run_attempt(store, {"echo": handler}, job_id, "w") == AttemptEnd.COMPLETED
    assert writes <= 2


async def test_a_report_is_no_transition(store: JobStore, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_module, "PROGRESS_EVERY_S", 0)
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        await context.report("Reading…")
        await context.checkpoint({"read": True})
        return Done({})

    await run_attempt(store, {"echo": handler}, job_id, "w")
    assert await jobs.events(job_id) == ["queued", "claimed", "checkpoint", "completed"]


async def test_parallel_branches_each_know_their_stage(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    seen: dict[str, str] = {}

    async def handler(context: JobContext) -> Outcome:
        async def branch(name: str) -> None:
            async with context.stage(name):
                await asyncio.sleep(0.01)
                seen[name] = context.running_stage

        await asyncio.gather(branch("image"), branch("write"))
        seen["outside"] = context.running_stage
        return Done({})

    await run_attempt(store, {"echo": handler}, job_id, "w")
    assert seen == {"image": "image", "write": "write", "outside": "echo"}


async def test_a_stage_that_runs_again_is_not_done_any_more(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        async with context.stage("write"):
            pass
        async with context.stage("review"):
            pass
        async with context.stage("write"):
            await context.checkpoint({"revised": True})
        return Done({})

    await run_attempt(store, {"echo": handler}, job_id, "w")
    assert (await progress(jobs, job_id))["stages_done"] == ["review"]
