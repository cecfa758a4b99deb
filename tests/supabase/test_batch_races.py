"""Two callers at the same moment on the jobs of one batch: no deadlock, nothing left waiting for ever."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.supabase.batches import CANCEL, COMPLETE, FAIL, RETRY, Batch, chain, end, enqueue, jobs_of, statuses
from tests.supabase.counters import assert_books_balance
from tests.supabase.desk import LEASE_LOST, Claim, Connection, Desk, rows, value

ROUNDS = 40
CANCEL_BATCH = "select cancelled_at is not null from cancel_batch(%s)"
JOIN = "insert into jobs (user_id, job_type, batch_id, depends_on) values (%s, 'echo', %s, %s) returning status"
# What may never be: a job that waits for one that will not be completed.
STRANDED = """
    select j.id from jobs j join jobs d on d.id = j.depends_on
    where j.status = 'queued' and d.status in ('failed', 'cancelled')
"""


@pytest.fixture
async def pair(desk: Desk) -> AsyncIterator[Sequence[Connection]]:
    """Two connections; afterwards no deadlock may have happened, and no job may be stranded."""
    async with desk.crowd(2) as connections:
        yield connections
    await desk.root.execute("select pg_stat_clear_snapshot()")
    query = "select deadlocks from pg_stat_database where datname = current_database()"
    assert await value(desk.root, query) == 0
    assert await rows(desk.root, STRANDED) == []
    await assert_books_balance(desk.root)


async def race(*calls: Callable[[], Awaitable[Any]], seed: int) -> list[Any]:
    """What each call returned, or the SQLSTATE of its refusal; one of them has a head start of a few steps."""
    drawn = random.Random(seed)

    async def late(call: Callable[[], Awaitable[Any]], steps: int) -> Any:
        for _ in range(steps):
            await asyncio.sleep(0)
        try:
            return await call()
        except psycopg.Error as error:
            return error.sqlstate

    steps = drawn.choice([(0, 0), (0, 10), (10, 0), (0, 60), (60, 0)])
    return await asyncio.gather(*(late(call, step) for call, step in zip(calls, steps, strict=True)))


async def running(desk: Desk, batch: Batch, place: int = 0) -> Claim:
    claim = await desk.claim(batch.jobs[place])
    assert claim is not None
    return claim


async def test_the_last_two_jobs_of_a_batch_end_at_once(desk, pair):
    for seed in range(ROUNDS):
        batch = await enqueue(desk, [{"job_type": "echo"}] * 2)
        one, other = [await running(desk, batch, place) for place in (0, 1)]
        await race(
            lambda one=one: value(pair[0], COMPLETE, one.job_id, one.token),
            lambda other=other: value(pair[1], FAIL, other.job_id, other.token),
            seed=seed,
        )
        assert await statuses(desk, batch) == ["completed", "failed"]


async def test_cancelling_a_batch_against_completing_its_first_job(desk, pair):
    seen: Counter[str] = Counter()
    for seed in range(ROUNDS):
        batch = await enqueue(desk, chain(3))
        claim = await running(desk, batch)
        await desk.reserve(claim, "k", "0.01")
        _, completed = await race(
            lambda batch=batch: value(pair[0], CANCEL_BATCH, batch.id),
            lambda claim=claim: value(pair[1], COMPLETE, claim.job_id, claim.token),
            seed=seed,
        )
        first = "cancelled" if completed == LEASE_LOST else "completed"
        assert await statuses(desk, batch) == [first, "cancelled", "cancelled"]
        seen[first] += 1
    assert len(seen) == 2, "each of them won at times"


async def test_retrying_a_job_against_retrying_the_one_that_waits_for_it(desk, pair):
    for seed in range(ROUNDS):
        batch = await enqueue(desk, chain(2))
        await end(desk, batch.jobs[0], FAIL)
        first, second = await race(
            lambda batch=batch: value(pair[0], RETRY, batch.jobs[0]),
            lambda batch=batch: value(pair[1], RETRY, batch.jobs[1]),
            seed=seed,
        )
        assert (first, second in {"queued", "PT409"}) == ("queued", True)
        assert await statuses(desk, batch) == ["queued", "queued"]


async def test_failing_a_job_against_retrying_the_one_that_waits_for_it(desk, pair):
    for seed in range(ROUNDS):
        batch = await enqueue(desk, chain(2))
        await desk.worker.execute(CANCEL, (batch.jobs[1],))
        claim = await running(desk, batch)
        failed, retried = await race(
            lambda claim=claim: value(pair[0], FAIL, claim.job_id, claim.token),
            lambda batch=batch: value(pair[1], RETRY, batch.jobs[1]),
            seed=seed,
        )
        assert (failed, retried in {"queued", "PT409"}) == ("failed", True)
        assert await statuses(desk, batch) == ["failed", "failed" if retried == "queued" else "cancelled"]


async def test_failing_a_job_against_one_that_comes_to_wait_for_it(desk, pair):
    for seed in range(ROUNDS):
        batch = await enqueue(desk, chain(1))
        claim = await running(desk, batch)
        _, joined = await race(
            lambda claim=claim: value(pair[0], FAIL, claim.job_id, claim.token),
            lambda batch=batch: value(pair[1], JOIN, desk.user_id, batch.id, batch.jobs[0]),
            seed=seed,
        )
        assert joined in {"queued", "PT422"}
        ended = await statuses(desk, Batch(batch.id, await jobs_of(desk, batch.id)))
        assert ended == ["failed"] * (2 if joined == "queued" else 1)


async def test_cancelling_a_batch_against_retrying_a_job_that_waits(desk, pair):
    for seed in range(ROUNDS):
        batch = await enqueue(desk, chain(2))
        await desk.worker.execute(CANCEL, (batch.jobs[1],))
        await race(
            lambda batch=batch: value(pair[0], CANCEL_BATCH, batch.id),
            lambda batch=batch: value(pair[1], RETRY, batch.jobs[1]),
            seed=seed,
        )
        assert await statuses(desk, batch) == ["cancelled"] * 2


async def test_cancelling_a_batch_against_jobs_that_come_in(desk, pair):
    for seed in range(ROUNDS):
        batch = await enqueue(desk, chain(1))
        await race(
            lambda batch=batch: value(pair[0], CANCEL_BATCH, batch.id),
            lambda batch=batch: value(pair[1], JOIN, desk.user_id, batch.id, None),
            seed=seed,
        )
        ended = await statuses(desk, Batch(batch.id, await jobs_of(desk, batch.id)))
        assert set(ended) == {"cancelled"}


async def test_a_crowd_doing_everything_to_the_same_batch_never_deadlocks(desk, pair):
    """Six callers, forty steps each; refusals are right, deadlocks and other errors are not."""
    await desk.root.execute("update job_kinds set max_attempts = 1000, retry_base_s = 0, retry_cap_s = 0")
    await desk.root.execute("update spend_limits set usd = 1000")
    batch = await enqueue(desk, chain(4))
    spare = [await enqueue(desk, chain(2)) for _ in range(3)]
    refusals: Counter[str] = Counter()

    async def attempt(connection: Connection, job_id: UUID, how: str) -> None:
        claim = await desk.claim(job_id, "w", connection)
        if claim is not None:
            await desk.reserve(claim, str(claim.token), "0.01", connection)
            await rows(connection, how, claim.job_id, claim.token)

    async def lose(connection: Connection, job_id: UUID) -> None:
        await desk.expire(job_id)
        await rows(connection, "select id from sweep_jobs(10)")

    async def cancel_together(connection: Connection, _: UUID) -> None:
        await rows(connection, CANCEL_BATCH, spare[0].id)

    steps: list[Callable[[Connection, UUID], Awaitable[Any]]] = [
        *(lambda one, job_id: attempt(one, job_id, "select release_job(%s, %s)"),) * 2,
        *(lambda one, job_id: attempt(one, job_id, FAIL),) * 2,
        *(lambda one, job_id: rows(one, RETRY, job_id),) * 2,
        lambda one, job_id: rows(one, CANCEL, job_id),
        lambda one, _: rows(one, JOIN, desk.user_id, batch.id, batch.jobs[2]),
        lose,
        cancel_together,
    ]

    async def live(number: int, connection: Connection) -> None:
        drawn = random.Random(number)
        for _ in range(40):
            try:
                job_id = drawn.choice([*batch.jobs, *drawn.choice(spare).jobs])
                await drawn.choice(steps)(connection, job_id)
            except psycopg.Error as error:
                refusals[error.sqlstate or repr(error)] += 1

    async with desk.crowd(6) as crowd:
        await asyncio.gather(*(live(number, one) for number, one in enumerate(crowd)))
    assert set(refusals) <= {"PT409", "PT422"}, refusals


async def test_two_batches_of_one_person_under_a_quota_do_not_wait_for_each_other_in_a_circle(desk, pair):
    query = "select (enqueue_batch('T', '{}', %s, %s)).title"
    for seed in range(10):
        mixed = Jsonb([{"job_type": "blog"}, {"job_type": "echo"}, {"job_type": "research"}])
        other = Jsonb([{"job_type": "research"}, {"job_type": "blog"}])
        made = await race(
            lambda entries=mixed: value(pair[0], query, entries, desk.user_id),
            lambda entries=other: value(pair[1], query, entries, desk.user_id),
            seed=seed,
        )
        assert set(made) <= {"T", "PT429"}
