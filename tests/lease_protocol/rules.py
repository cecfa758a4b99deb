"""What must never happen: in one step, and in one state."""

from tests.lease_protocol.database import Written
from tests.lease_protocol.state import Bounds, Row, Shared, World

NO_TOKEN_NEEDED = frozenset({"claim", "sweep", "cancel", "retry"})


def rule_broken_by(function: str, holds: bool, before: Shared, written: Written) -> str:
    """The rule that running the function has broken, or nothing."""
    was, now = before.row, written.row
    if now != was and not holds and function not in NO_TOKEN_NEEDED:
        return "a write without the current token changes nothing"
    if "claimed" in written.events and before.stopped:
        return "nothing is claimed while the kill switch is engaged"
    if "lease_expired" in written.events and was.lease > 0:
        return "a lease is taken over only when it has run out"
    if was.status == "cancelled" and now.status != "cancelled" and function != "retry":
        return "what is cancelled stays so until a person retries it"
    if was.status == "completed" and now != was:
        return "what is completed stays as it is"
    return ""


def rule_broken_in(world: World, bounds: Bounds) -> str:
    """The rule that this state breaks, or nothing."""
    shared, workers = world
    row = shared.row
    if row.attempts > bounds.max_attempts:
        return "a job has at most max_attempts attempts"
    if row.drafts != (row.status == "completed"):
        return "there is one draft when the job is completed, and none before"
    if row.saved < shared.acknowledged:
        return "a checkpoint that was acknowledged is never lost"
    if sum(worker.holds for worker in workers) > row.has_token:
        return "at most one worker holds the lease"
    if any(worker.holds and worker.left > row.lease for worker in workers):
        return "nobody believes in a lease for longer than Postgres does"
    return _inconsistency(row, shared.spent)


def _inconsistency(row: Row, spent: int) -> str:
    if row.has_token != (row.status == "processing") or (row.lease > 0 and not row.has_token):
        return "a job has a token while it is processed and at no other time"
    if row.status == "queued" and row.attempts != spent:
        return "only attempts that were lost are counted"
    if row.status == "processing" and row.attempts != spent + 1:
        return "the attempt under way is counted"
    return ""
