"""One attempt at a job: claim ▸ heartbeat ▸ resume ▸ handle ▸ settle the outcome.

Four things can end an attempt, and exactly one `match` below settles them all: the handler returns a value (`Done`,
`Continue`); it raises a `JobError`; it raises anything else, which is a defect (`UnexpectedError`); or it is
interrupted (`AttemptInterrupted`): its lease is lost, a person cancelled the job, this worker shuts down, a kill switch
is engaged, or a model is left alone for a while. Whatever an interrupted handler still raises is logged and goes no
further; whatever it still writes, the database refuses by the lease's token.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg
import structlog

from shared.engine.attempt import Attempt
from shared.engine.context import JobContext
from shared.engine.deadline import within
from shared.engine.draining import Drain
from shared.engine.errors import (
    AttemptInterrupted,
    DatabaseUnavailable,
    EnginePaused,
    JobCancelled,
    JobError,
    LeaseLost,
    ModelPutOff,
    UnexpectedError,
    WorkerDraining,
)
from shared.engine.job import Job, Lease
from shared.engine.outcome import Continue, Done, Outcome
from shared.engine.store import JobStore

__all__ = ["AttemptEnd", "Handler", "JobContext", "run_attempt"]

R = TypeVar("R")
Handler = Callable[[JobContext], Awaitable[Outcome]]
_Ending = Outcome | JobError | AttemptInterrupted

UNWIND_S = 1.0  # what an interrupted handler gets for its `finally` blocks
_MIN_HEARTBEAT_TIMEOUT_S = 1.0

_log = structlog.get_logger(__name__)


class AttemptEnd(StrEnum):
    """How an attempt ended, as the worker answers it."""

    COMPLETED = "completed"
    CONTINUED = "continued"
    RETRY_SCHEDULED = "retry_scheduled"
    FAILED = "failed"
    RELEASED = "released"
    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    NOT_CLAIMED = "not_claimed"


async def run_attempt(
    store: JobStore, handlers: Mapping[str, Handler], job_id: UUID, worker: str, drain: Drain | None = None
) -> AttemptEnd:
    """Claims the job, runs its kind's handler to an end and settles the outcome.

    A job of a kind that is not in `handlers`, that is not due or that another worker holds is not claimed. Raises
    `psycopg.Error` only when the database was away at the claim, so that nothing has begun.
    """
    asked_at = time.monotonic()
    claimed = await store.claim(job_id, worker, list(handlers))
    if claimed is None:
        return AttemptEnd.NOT_CLAIMED
    job, lease = claimed
    with structlog.contextvars.bound_contextvars(
        job_id=str(job.id), kind=job.kind, attempt=job.attempt, trace_id=job.trace_id
    ):
        run = _Run(store, job, lease, drain or Drain(), asked_at)
        end = await run.to_the_end(handlers[job.kind])
        _log.info("attempt_ended", outcome=end.value, seconds=round(time.monotonic() - asked_at, 3))
        return end


class _Run:
    """A claimed job on its way through its handler to a settled outcome."""

    def __init__(self, store: JobStore, job: Job, lease: Lease, drain: Drain, claimed_at: float) -> None:
        self._store = store
        self._lease = lease
        self._attempt = Attempt(lease, drain, claimed_at)
        self._context = JobContext(job, self._attempt, store)

    async def to_the_end(self, handler: Handler) -> AttemptEnd:
        """Heartbeats go on until the outcome is settled: a slow transaction must not cost the lease."""
        heartbeats = asyncio.create_task(self._beat())
        try:
            with self._attempt.drain.stopping(self._attempt.end_grace):
                outcome = await self._handle(handler)
            await self._context.close()
            return await self._settle_or_give_up(outcome)
        finally:
            heartbeats.cancel()

    async def _handle(self, handler: Handler) -> _Ending:
        """The handler's end as a value. An interrupted handler has `UNWIND_S` to come to its end."""
        task = asyncio.ensure_future(handler(self._context))
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end(_: Any = None) -> None:
            if not ended.done():
                ended.set_result(None)

        def stop() -> None:
            task.cancel()
            loop.call_later(UNWIND_S, end)

        task.add_done_callback(end)
        self._attempt.on_interrupt(stop)
        try:
            await ended
        finally:
            self._attempt.on_interrupt(None)
            task.cancel()  # when this attempt itself is cancelled, or the handler does not end
        return self._read(task)

    def _read(self, task: asyncio.Future[Outcome]) -> _Ending:
        interruption = self._attempt.interruption
        if not task.done():
            task.add_done_callback(_log_late_end)
            _log.error("handler_ignores_cancellation")
            return interruption or UnexpectedError(_MESSAGE)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:  # finished after all, even when interrupted: the lease decides whether it counts
            result = cast("object", task.result())
            if isinstance(result, Done | Continue):
                return result
            error = TypeError(f"a handler returns Done or Continue, not {type(result).__name__}")
        if interruption is not None:
            if not isinstance(error, AttemptInterrupted | asyncio.CancelledError):
                _log.info("error_after_interruption", reason=type(interruption).__name__, exc_info=error)
            return interruption
        return self._as_job_error(error)

    def _as_job_error(self, error: BaseException) -> JobError | AttemptInterrupted:
        """What `error` means for the job: the first known error inside, or a defect that only the log may describe.

        Parallel branches may end in several: when one was interrupted, the others' errors say nothing about the job.
        """
        leaves = _leaves(error)
        for leaf in leaves:
            if isinstance(leaf, AttemptInterrupted):
                return leaf
        for leaf in leaves:
            if isinstance(leaf, JobError):
                _log.warning("attempt_failed", code=leaf.code, error=leaf.message, failed_stage=leaf.stage)
                return leaf
        stage = self._context.stage_of(error)
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            _log.warning("attempt_without_database", error=repr(error), failed_stage=stage)
            return DatabaseUnavailable("The database did not answer for a while.", stage=stage)
        _log.error("attempt_crashed", exc_info=error, failed_stage=stage)
        return UnexpectedError(_MESSAGE, stage=stage)

    async def _settle_or_give_up(self, outcome: _Ending) -> AttemptEnd:
        """Records the outcome; when the database stays away, the lease runs out and the sweep takes over."""
        try:
            return await self._settle(outcome)
        except LeaseLost:
            return await self._why_lost()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            _log.error("outcome_not_recorded", outcome=type(outcome).__name__, error=str(error))
            return AttemptEnd.LEASE_LOST
        except Exception as error:  # noqa: BLE001  the database does not take the result or its draft: a defect
            if isinstance(outcome, UnexpectedError):
                _log.exception("outcome_not_recorded", outcome="UnexpectedError")
                return AttemptEnd.LEASE_LOST
            return await self._settle_or_give_up(self._as_job_error(error))

    async def _settle(self, outcome: _Ending) -> AttemptEnd:
        match outcome:
            case Done(result, persist):
                await self._persevere(lambda: self._store.complete(self._lease, result, persist))
                return AttemptEnd.COMPLETED
            case Continue(after_s):
                return await self._continue(after_s)
            case ModelPutOff() as put_off:
                return await self._continue(put_off.after_s, "circuit_open")
            case WorkerDraining() | EnginePaused():
                reason = "kill_switch" if isinstance(outcome, EnginePaused) else None
                await self._persevere(lambda: self._store.release(self._lease, reason))
                return AttemptEnd.RELEASED
            case AttemptInterrupted():
                return await self._why_lost()
            case JobError() as error:
                status = await self._persevere(lambda: self._store.fail(self._lease, error))
                return AttemptEnd.RETRY_SCHEDULED if status == "queued" else AttemptEnd.FAILED

    async def _continue(self, after_s: float, reason: str | None = None) -> AttemptEnd:
        await self._persevere(lambda: self._store.continue_(self._lease, after_s, reason))
        return AttemptEnd.CONTINUED

    async def _persevere(self, operation: Callable[[], Awaitable[R]]) -> R:
        """Tries for one more lease: longer than heartbeats need to renew it, and the token still decides."""
        return await self._attempt.persevere(operation, until=time.monotonic() + self._lease.lease_s)

    async def _why_lost(self) -> AttemptEnd:
        """Asks once more. A lease that is ours after all (the database was away, and nobody came) is given back."""
        try:
            beat = await within(_MIN_HEARTBEAT_TIMEOUT_S, self._store.heartbeat(self._lease))
            if beat.held:
                await within(_MIN_HEARTBEAT_TIMEOUT_S, self._store.release(self._lease))
                return AttemptEnd.RELEASED
        except (TimeoutError, psycopg.Error, LeaseLost):
            return AttemptEnd.LEASE_LOST
        return AttemptEnd.CANCELLED if beat.cancelled else AttemptEnd.LEASE_LOST

    async def _beat(self) -> None:
        """Renews the lease every third of it. Interrupts the attempt when the answer is no, or none comes in time."""
        attempt = self._attempt
        every_s = self._lease.lease_s / 3
        wait_s = every_s
        while True:
            await asyncio.sleep(wait_s)
            sent_at = time.monotonic()
            try:
                # After a pause of the whole process the lease looks expired here; the database knows better, so ask.
                timeout_s = max(min(every_s, attempt.lease_left_s), _MIN_HEARTBEAT_TIMEOUT_S)
                beat = await within(timeout_s, self._store.heartbeat(self._lease))
            except (TimeoutError, psycopg.Error) as error:
                left_s = attempt.lease_left_s
                _log.warning(
                    "heartbeat_failed", error=str(error) or type(error).__name__, lease_left_s=round(left_s, 1)
                )
                if left_s <= 0:
                    attempt.interrupt(LeaseLost("the lease could not be renewed before it expired"))
                    return
                wait_s = min(every_s / 4, left_s, 1.0)
                continue
            if not beat.held:
                attempt.interrupt(JobCancelled("cancelled") if beat.cancelled else LeaseLost("taken over"))
                return
            attempt.renewed(sent_at)
            if beat.paused:
                attempt.interrupt(EnginePaused("a kill switch is engaged"))
                return
            wait_s = every_s


_MESSAGE = (
    "Something unexpected went wrong on our side. Nothing that was finished is lost: retry the job, and if it happens"
    " again, tell the team when you saw it."
)


def _leaves(error: BaseException) -> list[BaseException]:
    """The error, or those inside a group: parallel branches of a handler fail together."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group = cast("BaseExceptionGroup[BaseException]", error)
    return [leaf for member in group.exceptions for leaf in _leaves(member)]


def _log_late_end(task: asyncio.Future[Outcome]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.warning("late_error_of_abandoned_handler", exc_info=error)
