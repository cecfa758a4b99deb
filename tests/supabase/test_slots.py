"""Jobs at the same moment: claims take slots, a limit is never passed, and no slot is lost with its job."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.supabase.desk import Connection, Desk, connect, rows, value
from tests.supabase.test_job_limits import SCOPES, deadlocks, limit_slots

RUNNING = "select count(*) from jobs where status = 'processing'"


@pytest.fixture
async def slots(desk: Desk) -> AsyncIterator[Desk]:
    """A desk after which no deadlock may have happened."""
    yield desk
    assert await deadlocks(desk) == 0


async def blocked(desk: Desk) -> set[tuple[str, str]]:
    return set(await rows(desk.root, "select scope, scope_key from engine.blocked_scopes()"))


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_limit_of_concurrent_jobs_may_be_reached_and_not_passed(slots, scope):
    desk = slots
    await limit_slots(desk, scope, 2)
    first, second, third = await desk.insert_many(3)
    assert await desk.claim(first)
    assert await blocked(desk) == set()
    assert await desk.claim(second)
    assert await desk.claim(third) is None
    keys = {"overall": "*", "user": str(desk.user_id), "kind": "echo"}
    assert await blocked(desk) == {(scope, keys[scope])}
    assert await value(desk.root, RUNNING) == 2


@pytest.mark.parametrize("scope", SCOPES)
async def test_thirty_claims_at_once_against_a_limit_of_four_run_four_jobs(slots, scope):
    desk = slots
    await limit_slots(desk, scope, 4)
    jobs = await desk.insert_many(30)
    async with desk.crowd(30) as crowd:
        found = await asyncio.gather(*(desk.claim(job, "w1", by) for job, by in zip(jobs, crowd, strict=True)))
    assert sum(claim is not None for claim in found) == 4
    assert await value(desk.root, RUNNING) == 4


ENDS = {
    "completed": "select complete_job(%s, %s, '{}')",
    "released": "select release_job(%s, %s)",
    "continued": "select continue_job(%s, %s, 60)",
    "failed": "select fail_job(%s, %s, '{}', false)",
    "retried": "select fail_job(%s, %s, '{}', true)",
    "cancelled": "select cancel_job(%s) from (select %s::uuid) token",
    "deleted": "delete from jobs where id = %s and lease_token = %s",
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_slot_is_free_again_however_its_attempt_ends(slots, end):
    desk = slots
    await limit_slots(desk, "kind", 1, "echo")
    first, second = await desk.insert_many(2)
    claim = await desk.claim(first)
    assert claim
    assert await desk.claim(second) is None
    await desk.root.execute(ENDS[end], (claim.job_id, claim.token))
    assert await blocked(desk) == set()
    assert await desk.claim(second)


async def test_a_slot_of_a_silent_worker_is_free_when_its_lease_is_taken_back(slots):
    desk = slots
    await limit_slots(desk, "overall", 1)
    first, second = await desk.insert_many(2)
    assert await desk.claim(first)
    await desk.expire(first)
    assert await desk.claim(second) is None, "its worker may be alive"
    await desk.worker.execute("select id from sweep_jobs(10)")
    assert await desk.claim(second)


async def test_a_job_that_is_claimed_again_needs_no_second_slot(slots):
    desk = slots
    await limit_slots(desk, "user", 1)
    claim = await desk.claim(await desk.insert())
    assert claim
    await desk.worker.execute("select release_job(%s, %s)", (claim.job_id, claim.token))
    assert await desk.claim(claim.job_id)
    assert await value(desk.root, "select count(*) from engine.running_jobs") == 1


async def test_a_limit_of_none_stops_every_claim_and_blocks_those_of_whom_nothing_runs(slots):
    desk = slots
    job_id = await desk.insert()
    for scope, key in (("overall", "*"), ("user", str(desk.user_id)), ("kind", "echo")):
        await limit_slots(desk, scope, 0)
        assert await desk.claim(job_id) is None
        assert await blocked(desk) == {(scope, key)}
        await desk.limit(scope, None)
    assert await blocked(desk) == set()
    assert await desk.claim(job_id)


async def test_ones_own_limit_of_concurrent_jobs_goes_before_that_for_each(slots, create_user):
    desk = slots
    other = await create_user()
    await limit_slots(desk, "user", 1)
    await limit_slots(desk, "user", 2, str(other))
    mine, mine_too = await desk.insert_many(2)
    theirs = [await desk.insert(user_id=other) for _ in range(3)]
    assert [bool(await desk.claim(job)) for job in (mine, mine_too, *theirs)] == [True, False, True, True, False]


async def test_jobs_that_ran_before_the_limit_was_set_count(slots):
    desk = slots
    first, second, third = await desk.insert_many(3)
    assert await desk.claim(first)
    assert await desk.claim(second)
    assert await value(desk.root, "select count(*) from engine.running_jobs") == 0, "nothing is written without a limit"
    await limit_slots(desk, "overall", 2)
    assert await desk.claim(third) is None
    await limit_slots(desk, "overall", 3)
    assert await desk.claim(third)


async def test_a_claim_under_way_while_the_first_limit_is_set_is_counted(slots):
    desk = slots
    first, second = await desk.insert_many(2)
    async with await connect(desk.url, "none") as claiming, await connect(desk.url, "none") as setting:
        async with claiming.transaction():
            assert not await value(claiming, "select engine.has_slot_limits()")
            setter = asyncio.create_task(setting.execute(
                "insert into spend_limits (scope, scope_key, concurrent_jobs) values ('kind', 'echo', 1)"))  # fmt: skip
            await until_waiting(desk)
            assert await desk.claim(first, "w1", claiming)
        await setter
    assert await desk.claim(second) is None


async def until_waiting(desk: Desk) -> None:
    query = "select count(*) from pg_locks where not granted and locktype = 'advisory'"
    async with asyncio.timeout(20):
        while await value(desk.root, query) == 0:  # noqa: ASYNC110 - it happens in the database
            await asyncio.sleep(0.01)


async def test_limits_that_come_and_go_among_claims_are_never_passed_by_later_ones(slots):
    desk = slots
    jobs = await desk.insert_many(40)
    ended: list[Any] = []

    async def work(by: Connection, mine: list[UUID]) -> None:
        for job_id in mine:
            claim = await desk.claim(job_id, "w1", by)
            if claim is not None:
                running = await value(by, RUNNING)
                ended.append(running)
                await by.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))

    await limit_slots(desk, "kind", 3, "echo")
    async with desk.crowd(9, "none") as crowd:

        async def change() -> None:
            for most in (3, 2, 3, 1, 3) * 4:
                await crowd[8].execute("update spend_limits set concurrent_jobs = %s where scope = 'kind'", (most,))

        await asyncio.gather(change(), *(work(by, jobs[n::8]) for n, by in enumerate(crowd[:8])))
    assert ended
    assert max(ended) <= 3
