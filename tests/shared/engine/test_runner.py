"""Attempts from claim to outcome, on real Postgres."""

import asyncio
import time
from typing import Any

import pytest
from psycopg import AsyncConnection

from shared.engine import runner
from shared.engine.draining import Drain
from shared.engine.errors import InvalidPayload, ModelUnavailable
from shared.engine.outcome import Continue, Done, Outcome
from shared.engine.runner import AttemptEnd, JobContext, run_attempt
from shared.engine.store import Heartbeat, JobStore
from tests.shared.engine.conftest import Run
from tests.shared.engine.handlers import Waiting, done
from tests.shared.engine.jobs import Jobs


async def test_a_job_completes_with_its_result(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    assert await run(done, job_id) == AttemptEnd.COMPLETED
    row = await jobs.row(job_id)
    assert (row["status"], row["result"], row["attempts"], row["worker"]) == ("completed", {"ok": True}, 1, "w")
    assert await jobs.events(job_id) == ["queued", "claimed", "completed"]


async def test_of_two_racing_attempts_one_runs(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    ends = await asyncio.gather(run(done, job_id), run(done, job_id))
    assert sorted(ends) == [AttemptEnd.COMPLETED, AttemptEnd.NOT_CLAIMED]


async def test_the_draft_is_written_with_the_completion(run: Run, jobs: Jobs) -> None:
    await jobs.connection.execute("create table public.drafts (job_id uuid)")
    await jobs.connection.execute("grant insert on public.drafts to service_role")
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        async def persist(connection: AsyncConnection[Any]) -> None:
            await connection.execute("insert into public.drafts values (%s)", (context.job.id,))

        return Done({}, persist)

    assert await run(handler, job_id) == AttemptEnd.COMPLETED
    cursor = await jobs.connection.execute("select job_id from public.drafts")
    assert await cursor.fetchall() == [(job_id,)]


async def test_a_draft_that_cannot_be_written_is_a_defect_and_completes_nothing(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(_: JobContext) -> Outcome:
        async def persist(connection: AsyncConnection[Any]) -> None:
            await connection.execute("insert into public.no_such_table values (1)")

        return Done({}, persist)

    assert await run(handler, job_id) == AttemptEnd.RETRY_SCHEDULED
    assert (await jobs.row(job_id))["error_detail"]["code"] == "unexpected"


async def test_heartbeats_keep_a_job_that_outlasts_its_lease(run: Run, store: JobStore, jobs: Jobs) -> None:
    await jobs.set_kind(lease_s=0.6)
    job_id = await jobs.enqueue()
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id))
    await handler.started.wait()
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert await store.sweep(10) == []
        await asyncio.sleep(0.1)
    handler.go_on.set()
    assert await attempt == AttemptEnd.COMPLETED
    assert (await jobs.row(job_id))["attempts"] == 1


async def test_a_lost_lease_stops_the_handler(run: Run, store: JobStore, jobs: Jobs) -> None:
    await jobs.set_kind(lease_s=0.9)
    job_id = await jobs.enqueue()
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id))
    await handler.started.wait()
    await jobs.expire_lease(job_id)
    assert await store.claim(job_id, "successor", ["echo"]) is not None
    assert await attempt == AttemptEnd.LEASE_LOST
    assert handler.stopped_after_s is not None
    assert handler.stopped_after_s < 0.9
    assert (await jobs.row(job_id))["worker"] == "successor"


async def test_a_cancelled_job_stops_within_a_heartbeat(run: Run, jobs: Jobs) -> None:
    await jobs.set_kind(lease_s=0.9)
    job_id = await jobs.enqueue()
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id))
    await handler.started.wait()
    await jobs.cancel(job_id)
    assert await attempt == AttemptEnd.CANCELLED
    assert handler.stopped_after_s is not None
    assert await jobs.events(job_id) == ["queued", "claimed", "cancelled"]


async def test_a_checkpoint_of_a_cancelled_job_ends_the_attempt_as_cancelled(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        await jobs.cancel(context.job.id)
        await context.checkpoint({"late": True})
        return Done({})

    assert await run(handler, job_id) == AttemptEnd.CANCELLED
    assert (await jobs.row(job_id))["checkpoint_data"] is None


async def test_without_heartbeats_the_handler_stops_by_our_own_clock(store: JobStore, jobs: Jobs) -> None:
    class Unreachable(JobStore):
        async def heartbeat(self, lease: Any) -> Heartbeat:  # noqa: ARG002
            raise TimeoutError

    await jobs.set_kind(lease_s=0.9)
    job_id = await jobs.enqueue()
    handler = Waiting()
    end = await run_attempt(Unreachable(store._pool), {"echo": handler}, job_id, "w")
    assert end == AttemptEnd.LEASE_LOST
    assert handler.stopped_after_s is not None
    assert handler.stopped_after_s < 1.3


async def test_a_draining_worker_releases_at_the_next_checkpoint(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    drain = Drain(grace_s=30)
    reached = []

    async def handler(context: JobContext) -> Outcome:
        await context.checkpoint({"steps": [1]})
        drain.begin()
        assert context.drain_requested
        await context.checkpoint({"steps": [1, 2]})
        reached.append("the third step")
        return Done({})

    assert await run(handler, job_id, drain=drain) == AttemptEnd.RELEASED
    row = await jobs.row(job_id)
    assert (row["status"], row["attempts"], row["checkpoint_data"]["steps"]) == ("queued", 0, [1, 2])
    assert reached == []


async def test_a_draining_worker_gives_a_stage_its_grace_and_no_more(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    drain = Drain(grace_s=0.3)
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id, drain=drain))
    await handler.started.wait()
    drain.begin()
    assert await attempt == AttemptEnd.RELEASED
    assert handler.stopped_after_s == pytest.approx(0.3, abs=0.15)
    assert await jobs.events(job_id) == ["queued", "claimed", "released"]
    assert (await jobs.row(job_id))["attempts"] == 0


async def test_a_job_that_finishes_within_the_grace_is_completed(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    drain = Drain(grace_s=5)
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id, drain=drain))
    await handler.started.wait()
    drain.begin()
    handler.go_on.set()
    assert await attempt == AttemptEnd.COMPLETED


async def test_continue_gives_the_slot_back_and_counts_no_attempt(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        if "half" in context.saved:
            return Done({"half": context.saved["half"]})
        await context.checkpoint({"half": 1})
        return Continue()

    assert await run(handler, job_id) == AttemptEnd.CONTINUED
    assert (await jobs.row(job_id))["attempts"] == 0
    assert await run(handler, job_id) == AttemptEnd.COMPLETED
    assert (await jobs.row(job_id))["result"] == {"half": 1}


async def test_continue_with_a_pause_is_not_due_before_it(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(_: JobContext) -> Outcome:
        return Continue(after_s=60)

    assert await run(handler, job_id) == AttemptEnd.CONTINUED
    assert await run(done, job_id) == AttemptEnd.NOT_CLAIMED


async def test_a_retryable_error_is_retried_after_a_pause_and_fails_in_the_end(run: Run, jobs: Jobs) -> None:
    await jobs.set_kind(retry_base_s=1000, retry_cap_s=4000)
    job_id = await jobs.enqueue()
    await jobs.connection.execute("update public.jobs set max_attempts = 3 where id = %s", (job_id,))

    async def handler(_: JobContext) -> Outcome:
        raise ModelUnavailable("The model does not answer at the moment.")

    for _ in range(2):
        assert await run(handler, job_id) == AttemptEnd.RETRY_SCHEDULED
        assert await run(handler, job_id) == AttemptEnd.NOT_CLAIMED
        await jobs.make_due(job_id)
    assert await run(handler, job_id) == AttemptEnd.FAILED
    row = await jobs.row(job_id)
    assert (row["status"], row["attempts"], row["error"]) == ("failed", 3, "The model does not answer at the moment.")
    assert row["error_detail"]["retryable"] is True
    assert (await jobs.events(job_id))[-2:] == ["claimed", "failed"]


async def test_an_error_that_no_retry_mends_fails_at_once_with_its_stage(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        async with context.stage("write"):
            raise InvalidPayload("topic: must have 3 to 300 characters")

    assert await run(handler, job_id) == AttemptEnd.FAILED
    assert (await jobs.row(job_id))["error_detail"] == {
        "code": "invalid_payload",
        "stage": "write",
        "slide_index": None,
        "message": "topic: must have 3 to 300 characters",
        "retryable": False,
    }


async def test_a_defect_shows_its_insides_to_the_log_alone(
    run: Run, jobs: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        async with context.stage("image"):
            raise KeyError("postgresql://user:secret@host")

    assert await run(handler, job_id) == AttemptEnd.RETRY_SCHEDULED
    row = await jobs.row(job_id)
    assert "secret" not in str(row["error_detail"])
    assert (row["error_detail"]["code"], row["error_detail"]["stage"]) == ("unexpected", "image")
    assert "postgresql://user:secret@host" in capsys.readouterr().out


async def test_parallel_branches_fail_with_the_error_that_people_can_read(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def branch(context: JobContext) -> None:
        async with context.stage("research"):
            raise InvalidPayload("keywords: at most 20")

    async def handler(context: JobContext) -> Outcome:
        async with asyncio.TaskGroup() as group:
            group.create_task(branch(context))
            group.create_task(branch(context))
        return Done({})

    assert await run(handler, job_id) == AttemptEnd.FAILED
    assert (await jobs.row(job_id))["error"] == "keywords: at most 20"


async def test_a_handler_that_returns_nothing_is_a_defect(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(_: JobContext) -> Any:
        return None

    assert await run(handler, job_id) == AttemptEnd.RETRY_SCHEDULED


async def test_a_handler_that_ignores_its_cancellation_is_left_behind(
    run: Run, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "UNWIND_S", 0.1)
    job_id = await jobs.enqueue()
    release = asyncio.Event()
    drain = Drain(grace_s=0.1)

    async def handler(_: JobContext) -> Outcome:
        drain.begin()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Done({"by": "the stubborn one"})

    assert await run(handler, job_id, drain=drain) == AttemptEnd.RELEASED
    release.set()
    assert await jobs.status(job_id) == "queued"
