"""Which jobs may run now: those that wait for another job or for a free slot are neither claimed nor listed."""

from uuid import UUID

from tests.supabase.batches import chain, end, enqueue
from tests.supabase.desk import Desk, rows


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
