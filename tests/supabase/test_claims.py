"""Which jobs may run now: those that wait for another job or for a free slot are neither claimed nor listed."""

import asyncio
from uuid import UUID

from tests.supabase.batches import chain, end, enqueue
from tests.supabase.desk import Desk, rows

SLOTS = (
    "insert into spend_limits (scope, scope_key, concurrent_jobs) values (%s, %s, %s)"
    " on conflict (scope, scope_key) do update set concurrent_jobs = excluded.concurrent_jobs"
)


async def listed(desk: Desk, *job_ids: UUID) -> list[UUID]:
    """What the look-up names; the sweep names the same."""
    due = [row[0] for row in await rows(desk.worker, "select id from due_jobs(%s)", list(job_ids))]
    swept = [row[0] for row in await rows(desk.worker, "select id from sweep_jobs(100)")]
    assert set(swept) & set(job_ids) == set(due)
    return due


async def test_a_job_waits_until_the_one_it_depends_on_is_completed(desk: Desk):
    first, second, third = (await enqueue(desk, chain(3))).jobs
    assert await listed(desk, first, second, third) == [first]
    assert await desk.claim(second) is None
    await end(desk, first)
    assert await listed(desk, second, third) == [second]
    assert await desk.claim(second) is not None
    assert await desk.claim(third) is None


async def test_jobs_beyond_a_limit_of_concurrent_jobs_wait_and_are_not_listed_while_it_is_reached(desk: Desk):
    await desk.root.execute(SLOTS, ("kind", "echo", 2))
    jobs = await desk.insert_many(4)
    claims = [await desk.claim(job_id) for job_id in jobs]
    assert [claim is not None for claim in claims] == [True, True, False, False]
    assert await listed(desk, *jobs) == []
    assert claims[0] is not None
    await desk.worker.execute("select complete_job(%s, %s, '{}')", (jobs[0], claims[0].token))
    assert set(await listed(desk, *jobs)) == {jobs[2], jobs[3]}
    assert await desk.claim(jobs[3]) is not None
    assert await desk.claim(jobs[2]) is None


async def test_other_people_and_kinds_go_on_while_a_limit_is_reached(desk: Desk, create_user):
    other = await create_user()
    await desk.root.execute(SLOTS, ("user", str(desk.user_id), 1))
    await desk.claimed()
    mine, theirs = await desk.insert(), await desk.insert(user_id=other)
    assert await listed(desk, mine, theirs) == [theirs]
    assert await desk.claim(theirs) is not None


async def test_a_limit_for_everyone_holds_under_any_concurrency(desk: Desk):
    await desk.root.execute(SLOTS, ("overall", "*", 3))
    jobs = await desk.insert_many(20)
    async with desk.crowd(20) as crowd:
        found = await asyncio.gather(
            *(desk.claim(job_id, connection=one) for job_id, one in zip(jobs, crowd, strict=True))
        )
    assert sum(claim is not None for claim in found) == 3
    assert await listed(desk, *jobs) == []


async def test_a_lease_that_is_taken_over_needs_no_second_slot(desk: Desk):
    await desk.root.execute(SLOTS, ("overall", "*", 1))
    claim = await desk.claimed()
    await desk.expire(claim.job_id)
    again = await desk.claim(claim.job_id, "w2")
    assert again is not None
    assert again.attempt == 2
