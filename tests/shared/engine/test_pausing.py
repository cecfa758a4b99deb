"""Attempts that end because a kill switch is engaged or a model is left alone: not counted, nothing lost."""

import asyncio
import time

from shared.engine.errors import ModelPutOff, ModelUnavailable
from shared.engine.outcome import Done, Outcome
from shared.engine.runner import AttemptEnd, JobContext
from tests.shared.engine.conftest import Run
from tests.shared.engine.handlers import Waiting
from tests.shared.engine.jobs import Jobs


async def engage(jobs: Jobs, *, engaged: bool = True) -> None:
    await jobs.connection.execute("select public.set_kill_switch('echo', %s, 'For the test.')", (engaged,))


async def test_a_running_job_is_given_back_at_its_next_checkpoint_and_goes_on_from_it(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        if context.saved.get("step") == 1:
            return Done({"resumed": True})
        await engage(jobs)
        await context.checkpoint({"step": 1})
        raise AssertionError("the attempt ends at the checkpoint")

    assert await run(handler, job_id) == AttemptEnd.RELEASED
    row = await jobs.row(job_id)
    assert (row["status"], row["attempts"], row["checkpoint_data"]["step"]) == ("queued", 0, 1)
    assert await run(handler, job_id) == AttemptEnd.NOT_CLAIMED
    await engage(jobs, engaged=False)
    assert await run(handler, job_id) == AttemptEnd.COMPLETED
    assert await jobs.events(job_id) == ["queued", "claimed", "checkpoint", "released", "claimed", "completed"]


async def test_a_job_in_a_long_step_is_given_back_within_a_heartbeat(run: Run, jobs: Jobs) -> None:
    await jobs.set_kind(lease_s=0.9)
    job_id = await jobs.enqueue()
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id))
    await handler.started.wait()
    await engage(jobs)
    engaged_at = time.monotonic()
    assert await attempt == AttemptEnd.RELEASED
    assert time.monotonic() - engaged_at < 0.9
    assert (await jobs.row(job_id))["attempts"] == 0


async def test_a_job_whose_model_is_left_alone_waits_and_does_not_fail(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(_: JobContext) -> Outcome:
        raise ModelPutOff("The model has failed again and again.", after_s=30.0)

    assert await run(handler, job_id) == AttemptEnd.CONTINUED
    row = await jobs.row(job_id)
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert 25 < (row["scheduled_for"] - row["updated_at"]).total_seconds() <= 30.5
    event = await jobs.connection.execute("select detail from public.job_events order by id desc limit 1")
    assert await event.fetchone() == ({"after_s": 30, "reason": "circuit_open"},)


async def test_of_parallel_branches_the_interrupted_one_decides(run: Run, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(_: JobContext) -> Outcome:
        raise ExceptionGroup("two", [ModelUnavailable("the last try"), ModelPutOff("left alone", after_s=1.0)])

    assert await run(handler, job_id) == AttemptEnd.CONTINUED
