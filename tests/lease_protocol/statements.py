"""One SQL function run on the world: what it leaves to everybody, and whether it kept the rules."""

from typing import NamedTuple

from tests.lease_protocol.database import Database, Written
from tests.lease_protocol.rules import rule_broken_by
from tests.lease_protocol.state import ENDED, Call, Shared, Step, Worker


class Ran(NamedTuple):
    """What a function did. `step` makes a step of it."""

    call: Call
    shared: Shared
    events: tuple[str, ...]
    revokes: bool
    broken: str

    def step(self, name: str, fairness: str, worker: Worker | None = None, shared: Shared | None = None) -> Step:
        """`shared` is what the caller has made of it since, such as what it has been told."""
        to_all = (revoked,) if self.revokes else ()
        return Step(name, fairness, shared or self.shared, worker, self.call, self.events, to_all, self.broken)

    @property
    def answer(self) -> str:
        """What the function told its caller."""
        return self.call.answer


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
    call = Call(function, holds, number, written.answer)
    return Ran(call, after, written.events, token_changed and bool(written.events), broken)


def _call(database: Database, shared: Shared, function: str, holds: bool, number: int) -> Written:
    row, stopped = shared.row, shared.stopped
    calls = {
        "claim": lambda: database.claim(row, stopped=stopped),
        "heartbeat": lambda: database.heartbeat(row, holds, stopped=stopped),
        "checkpoint": lambda: database.checkpoint(row, holds, number, stopped=stopped),
        "complete": lambda: database.complete(row, holds),
        "continue": lambda: database.continue_(row, holds),
        "release": lambda: database.release(row, holds),
        "fail for now": lambda: database.fail(row, holds, retryable=True),
        "fail for good": lambda: database.fail(row, holds, retryable=False),
        "sweep": lambda: database.sweep(row, stopped=stopped),
        "cancel": lambda: database.cancel(row),
        "retry": lambda: database.retry(row),
    }
    return calls[function]()


def revoked(me: Worker) -> Worker:
    """A worker whose token is not the row's any more. It does not know, and what it believes makes no difference."""
    if not me.holds:
        return me
    beat = "sent" if me.beat else ""
    return me._replace(holds=False, left=0, beat=beat, beat_left=0)
