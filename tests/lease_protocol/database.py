"""The SQL functions of the lease protocol, as values: a row in, a row out. One method for each function.

`holds` is whether the caller's token is the row's. A refusal (PT409) is the answer "lost" and leaves the row as it is.
Mutants override a method the way in which the SQL function could be wrong.
"""

from typing import NamedTuple

from tests.lease_protocol.state import Bounds, Row


class Written(NamedTuple):
    """What a function left, what it answered, and the kinds of the events it wrote."""

    row: Row
    answer: str
    events: tuple[str, ...] = ()


class Database:
    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds

    def claim(self, row: Row, *, stopped: bool) -> Written:
        if self.may_claim(row, stopped=stopped):
            claimed = row._replace(
                status="processing", attempts=row.attempts + 1, has_token=True, lease=self.bounds.lease_ticks
            )
            return Written(claimed, "granted", ("claimed",))
        if self.may_take_over(row):
            expired = self.expire(row)
            again = self.claim(expired.row, stopped=stopped)
            return Written(again.row, again.answer, expired.events + again.events)
        return Written(row, "nothing")

    def may_claim(self, row: Row, *, stopped: bool) -> bool:
        return row.status == "queued" and row.due_in == 0 and not stopped

    def may_take_over(self, row: Row) -> bool:
        return row.status == "processing" and row.lease == 0

    def expire(self, row: Row) -> Written:
        """engine.expire_lease"""
        if row.attempts >= self.bounds.max_attempts:
            return Written(self.ended(row, "failed"), "", ("lease_expired", "failed"))
        return Written(self.waiting(row), "", ("lease_expired",))

    def heartbeat(self, row: Row, holds: bool, *, stopped: bool) -> Written:
        if not holds:
            return Written(row, "cancelled" if row.status == "cancelled" else "lost")
        return Written(row._replace(lease=self.bounds.lease_ticks), "paused" if stopped else "held")

    def checkpoint(self, row: Row, holds: bool, number: int, *, stopped: bool) -> Written:
        if not holds:
            return Written(row, "lost")
        saved = row._replace(saved=number, lease=self.bounds.lease_ticks)
        return Written(saved, "paused" if stopped else "saved", ("checkpoint",))

    def complete(self, row: Row, holds: bool) -> Written:
        """With the draft, in one transaction."""
        if not holds:
            return Written(row, "lost")
        return Written(self.ended(row, "completed")._replace(drafts=row.drafts + 1), "done", ("completed",))

    def continue_(self, row: Row, holds: bool) -> Written:
        return self.give_back(row, holds, "continued")

    def release(self, row: Row, holds: bool) -> Written:
        return self.give_back(row, holds, "released")

    def give_back(self, row: Row, holds: bool, event: str) -> Written:
        """engine.give_back"""
        if not holds:
            return Written(row, "lost")
        return Written(self.waiting(row)._replace(attempts=row.attempts - 1), "done", (event,))

    def fail(self, row: Row, holds: bool, *, retryable: bool) -> Written:
        if not holds:
            return Written(row, "lost")
        if retryable and row.attempts < self.bounds.max_attempts:
            return Written(self.waiting(row, self.bounds.pause_ticks), "done", ("retried",))
        return Written(self.ended(row, "failed"), "done", ("failed",))

    def sweep(self, row: Row, *, stopped: bool) -> Written:
        """Answers "due" when the job is among those to be sent."""
        expired = self.expire(row) if self.may_take_over(row) else Written(row, "")
        due = self.may_claim(expired.row, stopped=stopped)
        return Written(expired.row, "due" if due else "", expired.events)

    def cancel(self, row: Row) -> Written:
        if row.status not in {"queued", "processing"}:
            return Written(row, "")
        return Written(self.ended(row, "cancelled"), "", ("cancelled",))

    def retry(self, row: Row) -> Written:
        if row.status not in {"failed", "cancelled"}:
            return Written(row, "")
        return Written(self.waiting(row)._replace(attempts=0), "", ("retried",))

    @staticmethod
    def waiting(row: Row, due_in: int = 0) -> Row:
        return row._replace(status="queued", has_token=False, lease=0, due_in=due_in)

    @staticmethod
    def ended(row: Row, status: str) -> Row:
        return row._replace(status=status, has_token=False, lease=0, due_in=0)  # pyright: ignore[reportArgumentType]
