"""Checks that the events of a job tell one consistent story, and that it ends where the job's row stands.

    queued ──▶ claimed ──▶ checkpoint* ──▶ completed | failed
      ▲  │                     │
      │  └─▶ failed            │  (dependency_failed: the job that it waited for did not complete)
      └── continued, released (the attempt is not counted), lease_expired, retried (it is)

A job may be cancelled while it waits or runs. After it failed or was cancelled a person may retry it; its attempts are
then counted from the start. The jobs that failed because they depend on it are retried with it. `migrated` events are
what was known of a job when its log began.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString, cast
from uuid import UUID

from psycopg.rows import tuple_row

from shared.db import Connection, Pool

DEPENDENCY_FAILED = "dependency_failed"
# Why an attempt that did nothing wrong gave its job back; workers that shut down or pause on purpose give no reason.
REASONS = frozenset({"kill_switch", "circuit_open"})

_JOBS_AT_ONCE = 200
_EVENTS_AT_ONCE = 500

_ONE_SNAPSHOT = "set transaction isolation level repeatable read, read only"
_JOBS: LiteralString = "select id, status, attempts, max_attempts from public.jobs where id = any (%s) order by id"
_NEXT_JOBS: LiteralString = """
    select id, status, attempts, max_attempts from public.jobs where id > %s order by id limit %s
"""
_EVENTS: LiteralString = """
    select job_id, kind, actor, attempt, at, detail from public.job_events where job_id = any (%s) order by job_id, id
"""


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `job_events`."""

    kind: str
    actor: str
    attempt: int
    at: datetime
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a job's row says of it."""

    status: str
    attempts: int
    max_attempts: int


@dataclass(slots=True)
class Story:
    """Where the events so far have left the job. `tell` takes one more and says what is wrong with it."""

    status: str = "unborn"
    attempts: int = 0
    worker: str = ""
    failed_for: str | None = None
    last: Event | None = field(default=None)

    def tell(self, event: Event) -> Iterator[str]:
        """What does not fit between this event and those before it."""
        if self.last is not None and event.at < self.last.at:
            yield f"{event.kind} happened before {self.last.kind}"
        yield from self._migrated(event) if event.detail.get("migrated") else self._told(event)
        self.last = event

    def end(self, job: Standing) -> Iterator[str]:
        """What does not fit between all these events and the job's row."""
        if self.status != job.status:
            yield f"the events end {self.status}, the job is {job.status}"
        if self.attempts != job.attempts:
            yield f"the events count {self.attempts} attempts, the job {job.attempts}"
        if job.attempts > job.max_attempts:
            yield f"{job.attempts} attempts of at most {job.max_attempts}"

    def _told(self, event: Event) -> Iterator[str]:
        match event.kind:
            case "queued":
                yield from self._expect(event, {"unborn"}, 0)
                self.status = "queued"
            case "claimed":
                yield from self._expect(event, {"queued"}, self.attempts + 1)
                self.status, self.attempts, self.worker = "processing", event.attempt, event.actor
            case "checkpoint":
                yield from self._expect_holder(event)
            case "continued" | "released":
                yield from self._given_back(event)
            case "lease_expired":
                yield from self._lease_expired(event)
            case "retried":
                yield from self._retried(event)
            case "completed":
                yield from self._expect_holder(event)
                self.status = "completed"
            case "failed":
                yield from self._failed(event)
            case "cancelled":
                yield from self._expect(event, {"queued", "processing"}, self.attempts)
                self.status = "cancelled"
            case unknown:
                yield f"{unknown} is no event of a job"

    def _migrated(self, event: Event) -> Iterator[str]:
        if self.last is not None and not self.last.detail.get("migrated"):
            yield f"{event.kind} of the former system after the log had begun"
        self.status = event.kind

    def _given_back(self, event: Event) -> Iterator[str]:
        yield from self._expect_holder(event)
        reason = event.detail.get("reason")
        if reason is not None and reason not in REASONS:
            yield f"{event.kind} for the unknown reason {reason}"
        self.status, self.attempts = "queued", self.attempts - 1

    def _lease_expired(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"processing"}, self.attempts)
        if event.detail.get("worker") != self.worker:
            yield f"lease_expired blames {event.detail.get('worker')}, but {self.worker} held it"
        self.status = "queued"

    def _retried(self, event: Event) -> Iterator[str]:
        detail = event.detail
        if detail.get("manual") or "with" in detail:
            yield from self._expect(event, {"failed", "cancelled"}, 0)
            if "with" in detail and self.failed_for != DEPENDENCY_FAILED:
                yield f"retried with {detail['with']}, but it had not failed because of another job"
            if not isinstance(detail.get("from_stage", ""), str):
                yield f"retried from the stage {detail['from_stage']!r}"
            if not isinstance(detail.get("payload_changes", {}), dict):
                yield f"retried with changes of its payload that are none: {detail['payload_changes']!r}"
            self.attempts, self.failed_for = 0, None
        else:
            yield from self._expect_holder(event)
        self.status = "queued"

    def _failed(self, event: Event) -> Iterator[str]:
        error = event.detail.get("error")
        if not error:
            yield "failed for no reason"
        code = cast("dict[str, Any]", error).get("code") if isinstance(error, dict) else None
        given_up = self.last is not None and self.last.kind == "lease_expired"
        if given_up or code == DEPENDENCY_FAILED:
            yield from self._expect(event, {"queued"}, self.attempts)
        else:
            yield from self._expect_holder(event)
        self.status, self.failed_for = "failed", code

    def _expect_holder(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"processing"}, self.attempts)
        if event.actor != self.worker:
            yield f"{event.kind} by {event.actor}, but {self.worker} held the lease"

    def _expect(self, event: Event, statuses: set[str], attempt: int) -> Iterator[str]:
        if self.status not in statuses:
            yield f"{event.kind} while {self.status}"
        if event.attempt != attempt:
            yield f"{event.kind} in attempt {event.attempt}, expected {attempt}"


def problems(events: Iterable[Event], job: Standing) -> list[str]:
    """What does not fit together in the events of one job, in their order, and with its row; empty when all is well."""
    story = Story()
    found = [problem for event in events for problem in story.tell(event)]
    return [*found, *story.end(job)]


async def problems_of(pool: Pool, job_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The problems of each of these jobs that exists: an empty list where all is well. Raises `psycopg.Error`."""
    async with pool.connection() as connection:
        return await _read(connection, _JOBS, (list(job_ids),))


async def problems_of_all(pool: Pool) -> AsyncGenerator[tuple[UUID, list[str]]]:
    """Each job that has problems, and what they are. Raises `psycopg.Error`.

    Reads a few hundred jobs at a time, each lot in a snapshot of its own, so jobs may go on meanwhile and memory does
    not grow with the number of jobs or events.
    """
    last: UUID | None = UUID(int=0)
    while last is not None:
        async with pool.connection() as connection:
            found, last = await problems_after(connection, last)
        for job_id, what in found.items():
            yield job_id, what


async def problems_after(connection: Connection, job_id: UUID) -> tuple[dict[UUID, list[str]], UUID | None]:
    """The problems of the next jobs, by id, that have some, and the last job read: None when there are no more.

    The connection has to see all rows.
    """
    read = await _read(connection, _NEXT_JOBS, (job_id, _JOBS_AT_ONCE))
    return {each: what for each, what in read.items() if what}, max(read, default=None)


async def _read(connection: Connection, query: LiteralString, parameters: Sequence[Any]) -> dict[UUID, list[str]]:
    """The problems, perhaps none, of each job that `query` gives, in one snapshot."""
    async with connection.transaction():
        await connection.execute(_ONE_SNAPSHOT)
        jobs = await connection.cursor(row_factory=tuple_row).execute(query, parameters)
        standings = {row[0]: Standing(*row[1:]) for row in await jobs.fetchall()}
        stories = {job_id: Story() for job_id in standings}
        found: dict[UUID, list[str]] = {job_id: [] for job_id in standings}
        async with connection.cursor("events", row_factory=tuple_row) as events:
            events.itersize = _EVENTS_AT_ONCE
            await events.execute(_EVENTS, (list(standings),))
            async for job_id, *event in events:
                found[job_id] += stories[job_id].tell(Event(*event))
    for job_id, standing in standings.items():
        found[job_id] += stories[job_id].end(standing)
    return found
