"""What a worker knows of the job it has claimed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed row of `jobs`, as it was when the attempt began."""

    id: UUID
    user_id: UUID
    kind: str
    job_type: str
    payload: dict[str, Any]
    checkpoint_data: dict[str, Any]
    attempt: int
    max_attempts: int
    trace_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """An attempt's right to write to its job. Every write carries the token."""

    job_id: UUID
    token: UUID
    lease_s: float


@dataclass(frozen=True, slots=True)
class DueJob:
    """A queued job whose time has come, as `due_jobs` and `sweep_jobs` tell it.

    `scheduled_for` changes each time a job comes back to the queue (retry, continue, release, expired lease), so id and
    `scheduled_for` together name one wait in the queue: two deliveries of the same wait are duplicates.
    """

    id: UUID
    kind: str
    service: str
    attempts: int
    scheduled_for: datetime
