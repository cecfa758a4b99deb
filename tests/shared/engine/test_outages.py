"""What an attempt does while the database is away, or silent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from shared.db import Pool, create_pool
from shared.engine.outcome import Done, Outcome
from shared.engine.runner import AttemptEnd, Handler, JobContext, run_attempt
from shared.engine.store import JobStore
from tests.shared.engine.conftest import Run
from tests.shared.engine.handlers import Waiting, done
from tests.shared.engine.jobs import Jobs, eventually
from tests.shared.engine.wire import Wire, wire


@pytest.fixture
async def wired(database_url: str) -> AsyncIterator[tuple[Wire, Run]]:
    """A worker whose wire to the database can be cut."""
    async with wire(database_url) as line, create_pool(line.url, max_size=4, timeout_s=0.5) as pool:
        store = JobStore(pool)

        async def run(handler: Handler, job_id: Any) -> AttemptEnd:
            return await run_attempt(store, {"echo": handler}, job_id, "w")

        yield line, run
        await line.mend()


async def test_an_outcome_survives_a_database_outage(wired: tuple[Wire, Run], jobs: Jobs) -> None:
    line, run = wired
    job_id = await jobs.enqueue()
    cut = asyncio.Event()

    async def handler(_: JobContext) -> Outcome:
        await line.cut()
        cut.set()
        return Done({"kept": True})

    attempt = asyncio.create_task(run(handler, job_id))
    await cut.wait()
    early, _ = await asyncio.wait({attempt}, timeout=0.7)
    assert not early
    await line.mend()
    assert await attempt == AttemptEnd.COMPLETED
    assert (await jobs.row(job_id))["result"] == {"kept": True}


async def test_a_checkpoint_waits_for_the_database(wired: tuple[Wire, Run], jobs: Jobs) -> None:
    line, run = wired
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        await line.cut()
        asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(line.mend()))
        await context.checkpoint({"kept": True})
        return Done({})

    assert await run(handler, job_id) == AttemptEnd.COMPLETED
    assert (await jobs.row(job_id))["checkpoint_data"]["kept"] is True


async def test_an_outage_longer_than_the_lease_leaves_the_job_to_the_sweep(
    wired: tuple[Wire, Run], run: Run, store: JobStore, jobs: Jobs
) -> None:
    line, run_wired = wired
    await jobs.set_kind(lease_s=1)
    job_id = await jobs.enqueue()

    async def handler(_: JobContext) -> Outcome:
        await line.cut()
        return Done({})

    assert await run_wired(handler, job_id) == AttemptEnd.LEASE_LOST
    due = await eventually(lambda: store.sweep(10))
    assert [job.id for job in due] == [job_id]
    assert await run(done, job_id) == AttemptEnd.COMPLETED


async def test_a_silent_database_stops_the_handler_when_the_lease_is_over(wired: tuple[Wire, Run], jobs: Jobs) -> None:
    line, run = wired
    await jobs.set_kind(lease_s=1.5)
    job_id = await jobs.enqueue()
    handler = Waiting()
    attempt = asyncio.create_task(run(handler, job_id))
    await handler.started.wait()
    line.freeze()
    assert await attempt == AttemptEnd.LEASE_LOST
    assert handler.stopped_after_s is not None
    assert handler.stopped_after_s < 3


async def test_a_worker_frozen_while_it_completes_does_not_keep_the_job_locked(
    run: Run, jobs: Jobs, pool: Pool
) -> None:
    job_id = await jobs.enqueue()
    times = 0

    async def is_unlocked() -> bool:
        cursor = await jobs.connection.execute("select from jobs where id = %s for update skip locked", (job_id,))
        return bool(await cursor.fetchall())

    async def handler(_: JobContext) -> Outcome:
        async def persist(connection: AsyncConnection[Any]) -> None:
            nonlocal times
            times += 1
            if times == 1:
                await connection.execute("set local idle_in_transaction_session_timeout = '200ms'")
                assert not await is_unlocked()
                await eventually(is_unlocked)

        return Done({"kept": True}, persist)

    assert await run(handler, job_id) == AttemptEnd.COMPLETED
    assert times == 2
    assert await pool.fetch("show idle_in_transaction_session_timeout") == [("15s",)]
