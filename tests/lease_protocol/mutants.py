"""The protocol with one thing wrong. Each of these must be found out."""
# ruff: noqa: ARG002  what a mutant does not look at is what is wrong with it

from collections.abc import Iterator

from tests.lease_protocol.database import Database, Written
from tests.lease_protocol.protocol import Protocol
from tests.lease_protocol.state import Bounds, Row, Shared, Step, Worker
from tests.lease_protocol.worker import WorkerSteps


class CompleteWithoutToken(Database):
    def complete(self, row: Row, holds: bool) -> Written:
        return super().complete(row, holds=True)


class CheckpointWithoutToken(Database):
    def checkpoint(self, row: Row, holds: bool, number: int, *, stopped: bool) -> Written:
        return super().checkpoint(row, row.status == "processing", number, stopped=stopped)


class HeartbeatRenewsWhateverRuns(Database):
    def heartbeat(self, row: Row, holds: bool, *, stopped: bool) -> Written:
        return super().heartbeat(row, row.status == "processing", stopped=stopped)


class FailWithoutToken(Database):
    def fail(self, row: Row, holds: bool, *, retryable: bool) -> Written:
        return super().fail(row, row.status == "processing", retryable=retryable)


class ExpiryKeepsToken(Database):
    def expire(self, row: Row) -> Written:
        expired = super().expire(row)
        return expired._replace(row=expired.row._replace(has_token=True))


class ClaimIgnoresExpiry(Database):
    def may_take_over(self, row: Row) -> bool:
        return row.status == "processing"


class ClaimIgnoresKillSwitch(Database):
    def claim(self, row: Row, *, stopped: bool) -> Written:
        return super().claim(row, stopped=False)


class ExpiryIgnoresMaxAttempts(Database):
    def expire(self, row: Row) -> Written:
        return Written(self.waiting(row), "", ("lease_expired",))


class FailIgnoresMaxAttempts(Database):
    def fail(self, row: Row, holds: bool, *, retryable: bool) -> Written:
        if holds and retryable:
            return Written(self.waiting(row, self.bounds.pause_ticks), "done", ("retried",))
        return super().fail(row, holds, retryable=retryable)


class ReleaseCounts(Database):
    def release(self, row: Row, holds: bool) -> Written:
        released = super().release(row, holds)
        return released._replace(row=released.row._replace(attempts=row.attempts))


class CancelKeepsToken(Database):
    def cancel(self, row: Row) -> Written:
        cancelled = super().cancel(row)
        return cancelled._replace(row=cancelled.row._replace(has_token=row.has_token))


class ClaimForgetsCheckpoint(Database):
    def claim(self, row: Row, *, stopped: bool) -> Written:
        claimed = super().claim(row, stopped=stopped)
        return claimed._replace(row=claimed.row._replace(saved=0)) if claimed.answer == "granted" else claimed


class SweepForgetsExpired(Database):
    def sweep(self, row: Row, *, stopped: bool) -> Written:
        return Written(row, "due" if self.may_claim(row, stopped=stopped) else "")


class SweepListsOnlyFirstAttempts(Database):
    def sweep(self, row: Row, *, stopped: bool) -> Written:
        swept = super().sweep(row, stopped=stopped)
        return swept._replace(answer="") if swept.row.attempts else swept


class BelievesFromTheAnswerOn(WorkerSteps):
    def renewed(self, me: Worker) -> Worker:
        return super().renewed(me._replace(beat_left=self.bounds.lease_ticks))


class RepeatsWhatIsRefused(WorkerSteps):
    """An outcome is sent again and again, whatever the answer."""

    def _settling(self, shared: Shared, me: Worker) -> Iterator[Step]:
        for step in super()._settling(shared, me):
            yield step._replace(worker=me) if step.name.startswith("is refused") else step


class RequestOutlivesWorker(WorkerSteps):
    """The dispatcher does not notice when the worker that it waits for is gone."""

    def _crash(self, shared: Shared, me: Worker, fairness: str) -> Iterator[Step]:
        for step in super()._crash(shared, me, fairness):
            yield step._replace(shared=step.shared._replace(flight=shared.flight, superseded=shared.superseded))


UNSAFE: dict[type[Database | WorkerSteps], str] = {
    CompleteWithoutToken: "a write without the current token",
    CheckpointWithoutToken: "a write without the current token",
    HeartbeatRenewsWhateverRuns: "a write without the current token",
    FailWithoutToken: "a write without the current token",
    ExpiryKeepsToken: "a job has a token while it is processed",
    CancelKeepsToken: "for longer than Postgres does",
    ClaimIgnoresExpiry: "only when it has run out",
    ClaimIgnoresKillSwitch: "while the kill switch is engaged",
    ClaimForgetsCheckpoint: "a checkpoint that was acknowledged",
    ExpiryIgnoresMaxAttempts: "at most max_attempts",
    FailIgnoresMaxAttempts: "at most max_attempts",
    ReleaseCounts: "only attempts that were lost",
    BelievesFromTheAnswerOn: "for longer than Postgres does",
}
STUCK: tuple[type[Database | WorkerSteps], ...] = (
    SweepForgetsExpired,
    SweepListsOnlyFirstAttempts,
    RepeatsWhatIsRefused,
    RequestOutlivesWorker,
)


def protocol(part: type[Database | WorkerSteps], bounds: Bounds, workers: int = 2) -> Protocol:
    """The protocol with `part` as its database or its worker, and the other one sound."""
    database = part(bounds) if issubclass(part, Database) else Database(bounds)
    worker = part(database) if issubclass(part, WorkerSteps) else WorkerSteps(database)
    return Protocol(database, worker, workers)
