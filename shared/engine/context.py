"""What a handler holds while it works on a job: the job, its checkpoint, its progress."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
import structlog

from shared.engine.attempt import Attempt
from shared.engine.errors import EnginePaused, JobError, LeaseLost, WorkerDraining
from shared.engine.job import Job, Lease
from shared.engine.store import JobStore

PROGRESS_EVERY_S = 0.5
CLOSE_TIMEOUT_S = 0.5

_log = structlog.get_logger(__name__)
_running_stage: ContextVar[str | None] = ContextVar("running_stage", default=None)


class JobContext:
    """A claimed job in a handler's hands.

    `saved` is the checkpoint as the database has it: what earlier attempts left, plus what this one has written since.
    A handler looks there first, so that it goes on instead of starting again.
    """

    def __init__(self, job: Job, attempt: Attempt, store: JobStore) -> None:
        self.job = job
        self.saved: dict[str, Any] = dict(job.checkpoint_data)
        self._attempt = attempt
        self._store = store
        earlier: Mapping[str, Any] = self.saved.get("progress") or {}
        self._progress: dict[str, Any] = {
            "stage": earlier.get("stage"),
            "message": earlier.get("message"),
            "done": earlier.get("done"),
            "total": earlier.get("total"),
            "stages_done": list(earlier.get("stages_done") or ()),
        }
        self._written_at = time.monotonic()
        self._write_order = asyncio.Lock()
        self._flush_timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._failure: tuple[BaseException, str] | None = None
        self._paused = False

    @property
    def lease(self) -> Lease:
        """The right to write to this job: goes along with every write that a handler makes on its own."""
        return self._attempt.lease

    @property
    def running_stage(self) -> str:
        """The stage of the calling task (branches in parallel each have their own); outside of a stage, the kind."""
        return _running_stage.get() or self.job.kind

    @property
    def drain_requested(self) -> bool:
        """True once the worker is shutting down. The next checkpoint ends the attempt; a long step may look here."""
        return self._attempt.drain.requested

    async def checkpoint(self, data: Mapping[str, Any], progress: Mapping[str, Any] | None = None) -> None:
        """Saves what is finished: `data` is merged into the top level of `checkpoint_data`, in readable JSON.

        `progress` may set `message`, `done` and `total`. While the worker shuts down or a kill switch is engaged this
        is where the attempt ends: it raises `WorkerDraining` or `EnginePaused` after saving. Raises `LeaseLost`, having
        saved nothing, when the lease is not held. A database that is away is waited for as long as the lease may live.
        """
        await self.save(data, progress)
        if self._paused:
            raise self._attempt.note(EnginePaused("a kill switch is engaged"))
        if self._attempt.drain.requested:
            raise self._attempt.note(WorkerDraining("the worker is shutting down"))

    async def save(self, data: Mapping[str, Any], progress: Mapping[str, Any] | None = None) -> None:
        """As `checkpoint`, but never the end of the attempt: for part of a stage whose other parts still run."""
        self._set_progress(progress or {})
        await self._attempt.persevere(lambda: self._write(data))
        self.saved.update(data)

    async def report(self, message: str, done: int | None = None, total: int | None = None) -> None:
        """Tells people how it goes, in words. Cheap: written at most twice a second, the last one always.

        Progress is not worth an attempt: while the database is away it is dropped, to be written with the next one.
        """
        self._set_progress({"message": message, "done": done, "total": total})
        await self._publish()

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncGenerator[None]:
        """The block is the stage `name`: in the progress, in the log lines, and in the errors it raises."""
        stages_done: list[str] = self._progress["stages_done"]
        if name in stages_done:  # a second round, such as a revision
            stages_done.remove(name)
        self._progress.update(stage=name, message=None, done=None, total=None)
        before = _running_stage.set(name)
        with structlog.contextvars.bound_contextvars(stage=name):
            await self._publish()
            try:
                yield
            except Exception as error:
                self._blame(error, name)
                raise
            finally:
                _running_stage.reset(before)
        stages_done.append(name)

    def stage_of(self, error: BaseException) -> str | None:
        """The stage that raised `error`, for what has no stage of its own."""
        return self._failure[1] if self._failure and self._failure[0] is error else None

    async def close(self) -> None:
        """Ends the writing of progress. Called by the runner when the handler has ended."""
        if self._flush_timer:
            self._flush_timer.cancel()
        if self._flushing:
            self._flushing.cancel()
            await asyncio.wait({self._flushing}, timeout=CLOSE_TIMEOUT_S)

    def _blame(self, error: Exception, stage: str) -> None:
        if isinstance(error, JobError):
            error.stage = error.stage or stage
        elif not self._failure or self._failure[0] is not error:  # the innermost stage has spoken first
            self._failure = (error, stage)

    def _set_progress(self, progress: Mapping[str, Any]) -> None:
        self._progress.update({key: progress[key] for key in ("message", "done", "total") if key in progress})

    async def _publish(self) -> None:
        """Writes the progress now, or with a delay when the last write was a moment ago."""
        wait_s = self._written_at + PROGRESS_EVERY_S - time.monotonic()
        if wait_s <= 0:
            await self._write_progress()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(wait_s, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        self._flushing = asyncio.create_task(self._flush_in_background())

    async def _flush_in_background(self) -> None:
        try:
            await self._write_progress()
        except LeaseLost as lost:
            self._attempt.interrupt(lost)

    async def _write_progress(self) -> None:
        try:
            await self._write({})
        except psycopg.OperationalError as error:
            _log.warning("progress_not_written", error=str(error))

    async def _write(self, data: Mapping[str, Any]) -> None:
        """One write at a time, so that older progress never overwrites newer."""
        async with self._write_order:
            if self._flush_timer:
                self._flush_timer.cancel()
                self._flush_timer = None
            sent_at = self._written_at = time.monotonic()
            try:
                self._paused = await self._store.checkpoint(self.lease, data, self._progress)
            except LeaseLost as lost:
                raise self._attempt.note(lost) from None
            self._attempt.renewed(sent_at)
