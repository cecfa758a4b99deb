"""The engine's SQL functions, one method each. Only this module and the migrations know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

from shared.db import Pool
from shared.engine.errors import JobError, LeaseLost
from shared.engine.job import DueJob, Job, Lease
from shared.engine.outcome import Persist

_LEASE_NOT_HELD = "PT409"

_CLAIM: LiteralString = """
    select id, user_id, kind, job_type, payload, checkpoint_data, attempt, max_attempts, trace_id, created_at,
           lease_token, lease_s
    from public.claim_job(%s, %s, %s)
"""
_HEARTBEAT: LiteralString = "select held, cancelled, paused from public.heartbeat_job(%s, %s)"
_CHECKPOINT: LiteralString = "select public.checkpoint_job(%s, %s, %s, %s)"
_COMPLETE: LiteralString = "select public.complete_job(%s, %s, %s)"
_CONTINUE: LiteralString = "select public.continue_job(%s, %s, %s, %s)"
_FAIL: LiteralString = "select public.fail_job(%s, %s, %s, %s)"
_RELEASE: LiteralString = "select public.release_job(%s, %s, %s)"
_DUE: LiteralString = "select id, kind, service, attempts, scheduled_for from public.due_jobs(%s)"
_SWEEP: LiteralString = "select id, kind, service, attempts, scheduled_for from public.sweep_jobs(%s)"
_NEXT_DUE: LiteralString = "select public.seconds_to_next_due()"
_READY: LiteralString = "select to_regprocedure('public.claim_job(uuid, text, text[])') is not null"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Whether the lease is still ours and, if not, whether that is because a person cancelled the job.

    `paused`: it is ours, but a kill switch is engaged: give the job back.
    """

    held: bool
    cancelled: bool
    paused: bool


class JobStore:
    """Jobs in Postgres, seen from a worker or the dispatcher.

    Each method is one round trip. All raise `psycopg.Error` when the database cannot be reached; those that take a
    lease raise `LeaseLost`, and have changed nothing, when it is not held any more.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, job_id: UUID, worker: str, kinds: Sequence[str]) -> tuple[Job, Lease] | None:
        """Takes the job if it is one of `kinds` and due (or its lease has expired), else None."""
        rows = await self._pool.fetch(_CLAIM, (job_id, worker, list(kinds)))
        if not rows:
            return None
        *job, token, lease_s = rows[0]
        return Job(*job), Lease(job_id, token, lease_s)

    async def heartbeat(self, lease: Lease) -> Heartbeat:
        """Renews the lease for another `lease_s` seconds. Never raises `LeaseLost`: the answer tells."""
        ((held, cancelled, paused),) = await self._pool.fetch(_HEARTBEAT, (lease.job_id, lease.token))
        return Heartbeat(held, cancelled, paused)

    async def checkpoint(
        self, lease: Lease, data: Mapping[str, Any], progress: Mapping[str, Any] | None = None
    ) -> bool:
        """Merges `data` into the top level of `checkpoint_data`, replaces its `progress`, and renews the lease.

        True means that a kill switch is engaged: it is saved, and the job is to be given back.
        """
        # Pipelines save their whole state after each stage: megabytes take a while in the JSON of the standard library.
        state = Jsonb(data, dumps=orjson.dumps)
        parameters = (lease.job_id, lease.token, state, None if progress is None else Jsonb(progress))
        ((paused,),) = await self._write(_CHECKPOINT, parameters)
        return bool(paused)

    async def complete(self, lease: Lease, result: Mapping[str, Any], persist: Persist | None = None) -> None:
        """Completes the job and runs `persist` in one transaction: both happen or neither.

        The job's row is locked and the lease checked first, so `persist` runs only while the job is ours. A process
        that stands still meanwhile loses its connection, and with it the transaction and the lock.
        """
        parameters = (lease.job_id, lease.token, Jsonb(result))
        if persist is None:
            await self._write(_COMPLETE, parameters)
            return
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(_COMPLETE, parameters)
                await persist(connection)
        except psycopg.DatabaseError as error:
            raise _typed(error) from None

    async def continue_(self, lease: Lease, after_s: float, reason: str | None = None) -> None:
        """Gives the slot back with the checkpoint kept; due again after `after_s` seconds, the attempt not counted."""
        await self._write(_CONTINUE, (lease.job_id, lease.token, after_s, reason))

    async def fail(self, lease: Lease, error: JobError) -> Literal["queued", "failed"]:
        """Ends the attempt with `error`; the new status is `queued` when the job is to be tried again."""
        parameters = (lease.job_id, lease.token, Jsonb(error.detail()), error.retryable)
        ((status,),) = await self._write(_FAIL, parameters)
        return status

    async def release(self, lease: Lease, reason: str | None = None) -> None:
        """Puts the job back into the queue at once, the attempt not counted."""
        await self._write(_RELEASE, (lease.job_id, lease.token, reason))

    async def due(self, ids: Sequence[UUID]) -> list[DueJob]:
        """Those of `ids` that are queued and due, the longest waiting first."""
        return [DueJob(*row) for row in await self._pool.fetch(_DUE, (list(ids),))]

    async def sweep(self, max_jobs: int) -> list[DueJob]:
        """Puts jobs with expired leases back into the queue and tells which are due, the longest waiting first."""
        return [DueJob(*row) for row in await self._pool.fetch(_SWEEP, (max_jobs,))]

    async def seconds_to_next_due(self) -> float | None:
        """How long until the next scheduled job is due; None when none is scheduled."""
        ((seconds,),) = await self._pool.fetch(_NEXT_DUE)
        return seconds

    async def is_ready(self) -> bool:
        """Whether the database answers and has the engine's functions."""
        ((ready,),) = await self._pool.fetch(_READY)
        return bool(ready)

    async def _write(self, query: LiteralString, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return await self._pool.fetch(query, parameters)
        except psycopg.DatabaseError as error:
            raise _typed(error) from None


def _typed(error: psycopg.DatabaseError) -> Exception:
    """The database's refusal of a token as `LeaseLost`; any other error as it is.

    A transaction that stood still for too long has cost its connection, and is told as one that was lost.
    """
    if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
        return psycopg.OperationalError(str(error))
    if error.sqlstate == _LEASE_NOT_HELD:
        return LeaseLost(error.diag.message_primary or "the lease is not held any more")
    return error
