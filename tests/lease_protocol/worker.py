"""A worker's steps, as shared/engine/runner.py takes them: claim ▸ heartbeat beside the handler ▸ settle the outcome.

A step is as small as another process can see: the worker decides and sends a statement; Postgres runs it, and the
worker has the answer at once or never (what it does between is its own). Only a heartbeat's answer travels by itself,
since its delay is what the worker's reckoning of its lease has to allow for. Any time may pass between two steps: a
frozen worker is one that takes none for a while.
"""

from collections.abc import Iterator

from tests.lease_protocol.database import Database
from tests.lease_protocol.state import Shared, Step, Worker
from tests.lease_protocol.statements import run


class WorkerSteps:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.bounds = database.bounds

    def of(self, shared: Shared, me: Worker) -> Iterator[Step]:
        """All that this worker may do now, or that may happen to it."""
        yield from getattr(self, f"_{me.phase}")(shared, me)
        if me.serves:
            gone = shared._replace(flight="", superseded=False)
            yield Step("the dispatcher's request to it breaks off", "fault", gone, me._replace(serves=False))

    def _off(self, shared: Shared, _: Worker) -> Iterator[Step]:
        yield Step("starts again", "main", shared, Worker())

    def _idle(self, shared: Shared, _: Worker) -> Iterator[Step]:
        asked = Worker("claiming", left=self.bounds.lease_ticks)
        if shared.flight == "under way":
            here = shared._replace(flight="at a worker")
            yield Step("is asked to take the job", "main", here, asked._replace(serves=True))
        yield Step("is asked by a late or doubled delivery", "fault", shared, asked)
        yield Step("crashes", "fault", shared, Worker("off"))

    def _claiming(self, shared: Shared, me: Worker) -> Iterator[Step]:
        ran = run(self.database, shared, "claim")
        if ran.answer == "granted":
            running = me._replace(phase="running", holds=True, saved=ran.shared.row.saved)
            yield ran.step("claims the job", "main", running)
            yield ran.step("claims the job, and the answer is lost", "fault", *_idle_again(ran.shared, me))
        else:
            yield ran.step("claims nothing", "main", *_idle_again(ran.shared, me))
        idle, after = _idle_again(shared, me)
        yield Step("does not reach the database", "fault", after, idle)
        yield from self._crash(shared, me, "fault")

    def _running(self, shared: Shared, me: Worker) -> Iterator[Step]:
        if me.statement:
            yield from self._checkpoint(shared, me)
        else:
            yield from self._handler(shared, me)
        yield from self._heartbeat(shared, me)
        yield from self._leave("is told to shut down", "fault", shared, me, "release")
        yield from self._crash(shared, me, "")  # a job may kill its worker whenever it runs

    def _handler(self, shared: Shared, me: Worker) -> Iterator[Step]:
        if me.saved < self.bounds.checkpoints:
            yield Step("sends a checkpoint", "main", shared, me._replace(statement="checkpoint"))
        else:
            yield from self._leave("has finished", "main", shared, me, "complete")
        yield from self._leave("fails, to be tried again", "main", shared, me, "fail for now")
        yield from self._leave("fails for good", "main", shared, me, "fail for good")

    def _checkpoint(self, shared: Shared, me: Worker) -> Iterator[Step]:
        number = me.saved + 1
        ran = run(self.database, shared, "checkpoint", holds=me.holds, number=number)
        told = ran.shared._replace(acknowledged=max(shared.acknowledged, number))
        if ran.answer == "lost":
            yield ran.step("is refused its checkpoint", "main", _asking(me))
        elif ran.answer == "paused":
            yield ran.step("saves a checkpoint and is to pause", "main", _settling(me, "release"), told)
        else:
            yield ran.step("saves a checkpoint", "main", me._replace(statement="", saved=number), told)
            yield ran.step("saves a checkpoint, to go on later", "main", _settling(me, "continue"), told)
        if ran.answer != "lost":
            yield ran.step("saves a checkpoint, and the answer is lost", "fault", me)
        if self.bounds.late_repeats and me.holds:
            late = shared._replace(stray=("checkpoint", number))
            yield Step("loses the connection and repeats its checkpoint", "fault", late, me)
        if me.left == 0:
            yield from self._leave("gives its checkpoint up", "fault", shared, me, "fail for now")

    def _heartbeat(self, shared: Shared, me: Worker) -> Iterator[Step]:
        if me.beat == "":
            yield Step("sends a heartbeat", "beat", shared, me._replace(beat="sent", beat_left=self.bounds.lease_ticks))
            return
        if me.beat == "granted":
            yield Step("hears that its lease is renewed", "beat", shared, self.renewed(me))
        else:
            ran = run(self.database, shared, "heartbeat", holds=me.holds)
            if ran.answer == "held":
                yield ran.step("has its lease renewed", "beat", me._replace(beat="granted"))
            elif ran.answer == "paused":
                yield ran.step("is told to pause", "beat", _settling(me, "release"))
            else:
                yield ran.step("is refused its heartbeat", "beat", _asking(me))
        silent = me._replace(beat="", beat_left=0)
        yield Step("has no answer to its heartbeat", "fault", shared, silent)
        if me.left == 0:
            yield from self._leave("stops: its lease may have run out", "fault", shared, me, "ask")

    def renewed(self, me: Worker) -> Worker:
        """It believes in its lease from the moment that it sent the heartbeat."""
        return me._replace(left=max(me.left, me.beat_left), beat="", beat_left=0)

    def _settling(self, shared: Shared, me: Worker) -> Iterator[Step]:
        """It repeats the statement until it has an answer, or gives up: the sweep will see to the job."""
        ran = run(self.database, shared, me.statement, holds=me.holds)
        if ran.answer == "lost":
            yield ran.step(f"is refused: {me.statement}", "main", _asking(me), ran.shared)
        else:
            yield ran.step(f"is done: {me.statement}", "main", *_idle_again(ran.shared, me))
            yield ran.step(f"is done, and the answer is lost: {me.statement}", "fault", me._replace(holds=False))
        if me.holds:
            beat = run(self.database, shared, "heartbeat", holds=True)
            yield beat.step("has its lease renewed", "", me)
        yield from self._forget(f"gives up: {me.statement}", shared, me)
        yield from self._crash(shared, me, "fault")

    def _asking(self, shared: Shared, me: Worker) -> Iterator[Step]:
        """Whether the lease is its own after all; then it gives the job back."""
        ran = run(self.database, shared, me.statement, holds=me.holds)
        if me.statement == "heartbeat" and ran.answer in {"held", "paused"}:
            yield ran.step("still holds its lease", "main", me._replace(statement="release"))
        else:
            yield ran.step(f"has its answer: {me.statement}", "main", *_idle_again(ran.shared, me))
        yield from self._forget(f"waits no longer: {me.statement}", shared, me)
        yield from self._crash(shared, me, "fault")

    def _leave(self, name: str, fairness: str, shared: Shared, me: Worker, outcome: str) -> Iterator[Step]:
        """The handler ends. What it or its heartbeat has sent may still be run."""
        after = _asking(me) if outcome == "ask" else _settling(me, outcome)
        for left_behind in self._with_strays(shared, me):
            yield Step(name, fairness, left_behind, after)

    def _forget(self, name: str, shared: Shared, me: Worker) -> Iterator[Step]:
        idle, after = _idle_again(shared, me)
        for left_behind in self._with_strays(after, me):
            yield Step(name, "fault", left_behind, idle)

    def _crash(self, shared: Shared, me: Worker, fairness: str) -> Iterator[Step]:
        _, after = _idle_again(shared, me)
        for left_behind in self._with_strays(after, me):
            yield Step("crashes", fairness, left_behind, Worker("off"))

    def _with_strays(self, shared: Shared, me: Worker) -> Iterator[Shared]:
        """The statement under way is never run, or will be later. (With an old token it would be refused: left out.)"""
        yield shared
        if me.holds and me.statement and self.bounds.strays:
            yield shared._replace(stray=(me.statement, me.saved + 1))
        if me.holds and me.beat == "sent" and self.bounds.strays:
            yield shared._replace(stray=("heartbeat", 0))


def later(me: Worker) -> Worker:
    """A tick later."""
    return me._replace(left=max(me.left - 1, 0), beat_left=max(me.beat_left - 1, 0))


def no_longer_awaited(me: Worker) -> Worker:
    """The dispatcher has sent the job anew and lets its earlier request go."""
    return me._replace(serves=False)


def _settling(me: Worker, outcome: str) -> Worker:
    return Worker("settling", holds=me.holds, statement=outcome, serves=me.serves)


def _asking(me: Worker) -> Worker:
    return Worker("asking", holds=me.holds, statement="heartbeat", serves=me.serves)


def _idle_again(shared: Shared, me: Worker) -> tuple[Worker, Shared]:
    """The attempt is over for this worker, and the dispatcher's request for it is answered."""
    return Worker(), shared._replace(flight="", superseded=False) if me.serves else shared
