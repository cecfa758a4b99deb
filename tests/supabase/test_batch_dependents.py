"""Jobs that wait for another one: announced when it is completed, failed when it fails, waiting again on its retry."""

import json
from uuid import UUID

from tests.supabase.batches import CANCEL, FAIL, RETRY, Batch, chain, end, enqueue, statuses
from tests.supabase.desk import Desk, refusal, rows, value


async def announced(desk: Desk) -> set[UUID]:
    """The jobs that hints named since the last look."""
    query = "with taken as (delete from net.http_request_queue returning body) select body from taken"
    bodies = [json.loads(row[0]) for row in await rows(desk.root, query)]
    return {UUID(record["id"]) for body in bodies for record in body["records"]}


async def fan(desk: Desk) -> Batch:
    """Four jobs: 2 and 3 wait for 1, and 4 waits for 2; none of the others wait."""
    entries = [{"job_type": "blog", "payload": {"topic": "Titanium"}}]
    return await enqueue(desk, [*entries, *({"job_type": "echo", "after": after} for after in (0, 0, 1))])


async def test_jobs_that_waited_are_announced_when_theirs_is_completed_if_they_are_due(desk):
    await desk.root.execute("select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs')")
    batch = await fan(desk)
    await desk.root.execute("update jobs set scheduled_for = now() + interval '1 h' where id = %s", (batch.jobs[2],))
    await announced(desk)
    await end(desk, batch.jobs[0])
    assert await announced(desk) == {batch.jobs[1]}


async def test_jobs_that_waited_for_one_that_failed_fail_too_and_say_why(desk):
    batch = await fan(desk)
    await end(desk, batch.jobs[0], FAIL)
    assert await statuses(desk, batch) == ["failed"] * 4
    second, last = await desk.job(batch.jobs[1]), await desk.job(batch.jobs[3])
    assert second["error"] == (
        'This job waits for no. 1 of its batch, Blog post "Titanium", which failed.'
        " Retry that job: this one then waits for it again."
    )
    assert second["error_detail"] == {
        "code": "dependency_failed",
        "stage": None,
        "slide_index": None,
        "message": second["error"],
        "retryable": True,
        "depends_on": str(batch.jobs[0]),
    }
    assert last["error_detail"]["depends_on"] == str(batch.jobs[1])
    assert "no. 2 of its batch, Echo, which could not run either." in last["error"]
    assert await desk.events(batch.jobs[3]) == ["queued", "failed"]
    assert (await desk.last_event(batch.jobs[3]))["detail"] == {"error": last["error_detail"]}


async def test_jobs_that_waited_for_one_that_was_cancelled_say_so(desk):
    batch = await enqueue(desk, chain(2))
    async with desk.person(desk.user_id) as owner:
        await owner.execute(CANCEL, (batch.jobs[0],))
    assert await statuses(desk, batch) == ["cancelled", "failed"]
    assert "which was cancelled." in (await desk.job(batch.jobs[1]))["error"]


async def test_a_retryable_failure_leaves_those_that_wait_alone(desk):
    batch = await enqueue(desk, chain(2))
    await end(desk, batch.jobs[0], 'select fail_job(%s, %s, \'{"message": "busy"}\', true)')
    assert await statuses(desk, batch) == ["queued"] * 2


async def test_a_worker_that_dies_for_the_last_time_takes_those_that_wait_with_it(desk):
    batch = await enqueue(desk, chain(2))
    await desk.root.execute("update jobs set max_attempts = 1")
    await desk.claim(batch.jobs[0])
    await desk.expire(batch.jobs[0])
    await desk.worker.execute("select sweep_jobs(10)")
    assert await statuses(desk, batch) == ["failed"] * 2


async def test_retrying_a_job_lets_those_wait_again_that_failed_because_of_it(desk):
    batch = await fan(desk)
    async with desk.person(desk.user_id) as owner:
        await owner.execute(CANCEL, (batch.jobs[2],))
        await end(desk, batch.jobs[0], FAIL)
        await owner.execute(RETRY, (batch.jobs[0],))
    assert await statuses(desk, batch) == ["queued", "queued", "cancelled", "queued"]
    last = await desk.job(batch.jobs[3])
    assert (last["error"], last["error_detail"], last["completed_at"], last["attempts"]) == (None, None, None, 0)
    event = await desk.last_event(batch.jobs[3])
    assert (event["kind"], event["actor"], event["detail"]) == (
        "retried",
        f"user:{desk.user_id}",
        {"manual": True, "with": str(batch.jobs[0])},
    )
    for job_id in (batch.jobs[0], batch.jobs[1], batch.jobs[3]):
        await end(desk, job_id)
    assert await statuses(desk, batch) == ["completed", "completed", "cancelled", "completed"]


async def test_a_job_whose_own_has_not_succeeded_is_not_retried_alone(desk):
    batch = await enqueue(desk, chain(3))
    await end(desk, batch.jobs[0], FAIL)
    before = await desk.snapshot()
    for place in (1, 2):
        error = await refusal(desk.worker, RETRY, batch.jobs[place])
        assert (error.sqlstate, error.diag.message_primary) == (
            "PT409",
            f"This job waits for no. {place} of its batch, which has not succeeded.",
        )
    assert await desk.snapshot() == before


async def test_a_job_that_was_cancelled_while_it_waited_waits_again_when_it_is_retried(desk):
    batch = await enqueue(desk, chain(2))
    for query in (CANCEL, RETRY):
        await desk.worker.execute(query, (batch.jobs[1],))
    assert await statuses(desk, batch) == ["queued"] * 2
    await end(desk, batch.jobs[0], FAIL)
    assert await statuses(desk, batch) == ["failed"] * 2


async def test_a_long_chain_fails_and_comes_back_at_once(desk):
    batch = await enqueue(desk, chain(50))
    for query, status in ((CANCEL, "failed"), (RETRY, "queued")):
        await desk.worker.execute(query, (batch.jobs[0],))
        assert set((await statuses(desk, batch))[1:]) == {status}
    counted = "select count(*) from job_events where kind in ('failed', 'retried')"
    assert await value(desk.root, counted) == 49 + 50


async def test_a_job_of_no_batch_never_calls_the_batches_trigger(desk):
    await desk.root.execute(
        "create or replace function engine.after_batch_job_moved() returns trigger language plpgsql as"
        " $$ begin raise exception 'called'; end $$"
    )
    await end(desk, await desk.insert())
    await end(desk, await desk.insert(), FAIL)
