"""Checks that the events of a job tell one consistent story, and that it ends where the job's row stands.

    queued ──▶ claimed ──▶ checkpoint* ──▶ completed | failed
      ▲                        │
      └── continued, released (the attempt is not counted), lease_expired, retried (it is)

A job may be cancelled while it waits or runs, and be retried by a person after it failed or was cancelled; its attempts
are then counted from the start. `migrated` events are what was known of a job when its log began.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection

EVENTS = "select job_id, kind, actor, attempt, at, detail from public.job_events order by job_id, id"
JOBS = "select id, status, attempts, max_attempts from public.jobs order by id"


@dataclass(frozen=True)
class Event:
    kind: str
    actor: str
    attempt: int
    at: datetime
    detail: dict[str, Any]


@dataclass(frozen=True)
class Standing:
    """What a job's row says of it."""

    status: str
    attempts: int
    max_attempts: int


@dataclass
class Story:
    """Where the events so far have left the job. `tell` takes one more and says what is wrong with it."""

    status: str = "unborn"
    attempts: int = 0
    worker: str = ""
    last: Event | None = None
    expired: bool = field(default=False)

    def tell(self, event: Event) -> Iterator[str]:
        if self.last is not None and event.at < self.last.at:
            yield f"{event.kind} happened before {self.last.kind}"
        if event.detail.get("migrated"):
            yield from self._migrated(event)
        else:
            yield from getattr(self, f"_{event.kind}")(event)
        self.expired = event.kind == "lease_expired"
        self.last = event

    def _migrated(self, event: Event) -> Iterator[str]:
        if self.last is not None and not self.last.detail.get("migrated"):
            yield f"{event.kind} of the former system after the log had begun"
        self.status = event.kind

    def _queued(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"unborn"}, 0)
        self.status = "queued"

    def _claimed(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"queued"}, self.attempts + 1)
        self.status, self.attempts, self.worker = "processing", event.attempt, event.actor

    def _checkpoint(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"processing"}, self.attempts, self.worker)

    def _continued(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"processing"}, self.attempts, self.worker)
        self.status, self.attempts = "queued", self.attempts - 1

    _released = _continued

    def _lease_expired(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"processing"}, self.attempts)
        if event.detail.get("worker") != self.worker:
            yield f"lease_expired blames {event.detail.get('worker')}, but {self.worker} held it"
        self.status = "queued"

    def _retried(self, event: Event) -> Iterator[str]:
        if event.detail.get("manual"):
            yield from self._expect(event, {"failed", "cancelled"}, 0)
            self.attempts = 0
        else:
            yield from self._expect(event, {"processing"}, self.attempts, self.worker)
        self.status = "queued"

    def _completed(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"processing"}, self.attempts, self.worker)
        self.status = "completed"

    def _failed(self, event: Event) -> Iterator[str]:
        if self.expired:
            yield from self._expect(event, {"queued"}, self.attempts)
        else:
            yield from self._expect(event, {"processing"}, self.attempts, self.worker)
        if not event.detail.get("error"):
            yield "failed for no reason"
        self.status = "failed"

    def _cancelled(self, event: Event) -> Iterator[str]:
        yield from self._expect(event, {"queued", "processing"}, self.attempts)
        self.status = "cancelled"

    def _expect(self, event: Event, statuses: set[str], attempt: int, actor: str | None = None) -> Iterator[str]:
        if self.status not in statuses:
            yield f"{event.kind} while {self.status}"
        if event.attempt != attempt:
            yield f"{event.kind} in attempt {event.attempt}, expected {attempt}"
        if actor is not None and event.actor != actor:
            yield f"{event.kind} by {event.actor}, but {actor} held the lease"


def problems(events: Sequence[Event], job: Standing) -> list[str]:
    """What does not fit together in the events of one job, in their order, and with its row; empty when all is well."""
    story = Story()
    found = [problem for event in events for problem in story.tell(event)]
    if story.status != job.status:
        found.append(f"the events end {story.status}, the job is {job.status}")
    if story.attempts != job.attempts:
        found.append(f"the events count {story.attempts} attempts, the job {job.attempts}")
    if job.attempts > job.max_attempts:
        found.append(f"{job.attempts} attempts of at most {job.max_attempts}")
    return found


def _all_problems(jobs: Iterable[Sequence[Any]], events: Iterable[Sequence[Any]]) -> dict[UUID, list[str]]:
    told = {job_id: [Event(*row[1:]) for row in rows] for job_id, rows in groupby(events, key=lambda row: row[0])}
    found = {row[0]: problems(told.get(row[0], []), Standing(*row[1:])) for row in jobs}
    return {job_id: what for job_id, what in found.items() if what}


async def problems_of_all(connection: AsyncConnection[Any]) -> dict[UUID, list[str]]:
    """The problems of every job that has some. The connection has to see all rows."""
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read")
        jobs = await (await connection.execute(JOBS)).fetchall()
        events = await (await connection.execute(EVENTS)).fetchall()
    return _all_problems(jobs, events)


def problems_now(connection: Connection[Any]) -> dict[UUID, list[str]]:
    """The same as `problems_of_all` on a blocking connection."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        return _all_problems(connection.execute(JOBS).fetchall(), connection.execute(EVENTS).fetchall())
