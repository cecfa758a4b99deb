"""Batches as people start and cancel them, on a desk."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.supabase.desk import Connection, Desk

ENQUEUE = "select * from enqueue_batch(%s, %s, %s)"
CANCEL_BATCH = "select * from cancel_batch(%s)"
CANCEL = "select (cancel_job(%s)).status"
RETRY = "select (retry_job(%s)).status"
COMPLETE = "select complete_job(%s, %s, '{}')"
FAIL = 'select fail_job(%s, %s, \'{"message": "no sources"}\', false)'


@dataclass(frozen=True)
class Batch:
    """A batch and its jobs in their order."""

    id: UUID
    jobs: list[UUID]


def chain(count: int) -> list[dict[str, Any]]:
    """Entries for `enqueue_batch`: each but the first waits for the one before it."""
    first: list[dict[str, Any]] = [{"job_type": "echo"}]
    return first + [{"job_type": "echo", "after": place} for place in range(count - 1)]


async def row(connection: Connection, query: str, *parameters: Any) -> dict[str, Any]:
    """The first row by column name."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)  # pyright: ignore[reportArgumentType]
        found = await cursor.fetchone()
    assert found is not None
    return found


async def enqueue(desk: Desk, entries: list[dict[str, Any]], brief: dict[str, Any] | None = None) -> Batch:
    """A batch of the desk's user, asked for by that person."""
    async with desk.person(desk.user_id) as owner:
        batch = await row(owner, ENQUEUE, "Three posts", Jsonb(brief or {}), Jsonb(entries))
    return Batch(batch["id"], await jobs_of(desk, batch["id"]))


async def jobs_of(desk: Desk, batch_id: UUID) -> list[UUID]:
    cursor = await desk.root.execute("select id from jobs where batch_id = %s order by batch_order", (batch_id,))
    return [found[0] for found in await cursor.fetchall()]


async def statuses(desk: Desk, batch: Batch) -> list[str]:
    return [await desk.status(job_id) for job_id in batch.jobs]


async def end(desk: Desk, job_id: UUID, query: str = COMPLETE) -> None:
    """Claims the job and ends it."""
    claim = await desk.claim(job_id)
    assert claim is not None
    await desk.worker.execute(query, (job_id, claim.token))  # pyright: ignore[reportArgumentType]


async def progress(connection: Connection, batch_id: UUID) -> dict[str, Any]:
    return await row(connection, "select * from job_batch_progress where batch_id = %s", batch_id)
