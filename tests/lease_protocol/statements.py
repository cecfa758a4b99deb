"""One SQL function run on the world: what it leaves to everybody, and whether it kept the rules."""

from typing import NamedTuple

from tests.lease_protocol.database import Database, Written
from tests.lease_protocol.rules import rule_broken_by
from tests.lease_protocol.state import ENDED, Shared, Step, Worker


class Ran(NamedTuple):
    """What a function did. `step` makes a step of it."""

    function: str
    holds: bool
    answer: str
    shared: Shared
    events: tuple[str, ...]
    revokes: bool
    broken: str

    def step(self, name: str, fairness: str, worker: Worker | None = None, shared: Shared | None = None) -> Step:
        """`shared` is what the caller has made of it since, such as what it has been told."""
        call = (self.function, self.holds)
        to_all = (revoked,) if self.revokes else ()
        return Step(name, fairness, shared or self.shared, worker, call, self.events, to_all, self.broken)


def run(database: Database, shared: Shared, function: str, *, holds: bool = False, number: int = 0) -> Ran:
    """`holds`: the token that goes along is the row's. `number`: of the checkpoint that is written."""
    written = _call(database, shared, function, holds, number)
    token_changed = not written.row.has_token or "claimed" in written.events
    new_wait = written.row.status == "queued" and bool(written.events)
    used_up = "lease_expired" in written.events or (function == "fail for now" and "retried" in written.events)
    anew = written.row.status in ENDED or (function == "retry" and bool(written.events))
    after = shared._replace(
        row=written.row,
        superseded=(shared.superseded or new_wait) and shared.flight != "",
        stray=None if token_changed else shared.stray,
        spent=0 if anew else shared.spent + used_up,
    )
    broken = rule_broken_by(function, holds, shared, written)
    return Ran(function, holds, written.answer, after, written.events, token_changed and bool(written.events), broken)


def _call(database: Database, shared: Shared, function: str, holds: bool, number: int) -> Written:
    row, stopped = shared.row, shared.stopped
    match function:
        case "claim":
            return database.claim(row, stopped=stopped)
        case "sweep":
            return database.sweep(row, stopped=stopped)
        case "heartbeat":
            return database.heartbeat(row, holds, stopped=stopped)
        case "checkpoint":
            return database.checkpoint(row, holds, number, stopped=stopped)
        case "fail for now" | "fail for good":
            return database.fail(row, holds, retryable=function == "fail for now")
        case "complete" | "continue_" | "release":
            return getattr(database, function)(row, holds)
        case "cancel" | "retry":
            return getattr(database, function)(row)
        case _:
            raise ValueError(function)


def revoked(me: Worker) -> Worker:
    """A worker whose token is not the row's any more. It does not know, and what it believes makes no difference."""
    if not me.holds:
        return me
    beat = "sent" if me.beat else ""
    return me._replace(holds=False, left=0, beat=beat, beat_left=0)
