"""The whole protocol: two workers, the dispatcher, Postgres, people, and the clock.

A hint that arrives does a part of what a sweep does at that moment, so hints add no behaviour: here all of them are
lost. A delivery that is doubled or late is a worker that is asked for no reason.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Generic, TypeVar

from tests.lease_protocol.database import Database
from tests.lease_protocol.state import ENDED, Bounds, Row, Shared, Step, Worker, World
from tests.lease_protocol.statements import run
from tests.lease_protocol.worker import WorkerSteps, later, no_longer_awaited

CLOCK = "clock"
OTHERS = "others"
State = tuple[int, ...]
Happening = tuple[str, Step, State]
T = TypeVar("T", bound=Hashable)


class Numbered(Generic[T]):
    """Gives each value a number. There are few parts and many worlds made of them, and numbers are quick to compare."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class Protocol:
    """A `State` is a world in numbers: of what is shared, then of each worker."""

    def __init__(self, database: Database, worker: WorkerSteps, workers: int = 2) -> None:
        self.database = database
        self.bounds: Bounds = database.bounds
        self._worker = worker
        self._workers = workers
        self._shared_parts, self._worker_parts = Numbered[Shared](), Numbered[Worker]()
        self._worker_steps, self._other_steps = cache(self._number_worker_steps), cache(self._number_other_steps)
        self._changed = cache(self._change)

    def beginnings(self) -> list[State]:
        """A job that is due, and one that is scheduled for later."""
        idle = self._worker_parts.number(Worker())
        jobs = [Shared(Row(due_in=due_in)) for due_in in (0, self.bounds.pause_ticks)]
        return [(self._shared_parts.number(job), *(idle,) * self._workers) for job in jobs]

    def world(self, state: State) -> World:
        """What the numbers stand for."""
        shared, *workers = state
        return World(self._shared_parts.values[shared], tuple(self._worker_parts.values[me] for me in workers))

    def happenings(self, state: State) -> Iterator[Happening]:
        """(who, step, state afterwards) for everything that can happen next."""
        shared, *workers = state
        for place, me in enumerate(workers):
            who = f"worker {place + 1}"
            for step, shared_after, me_after in self._worker_steps(shared, me):
                after = workers.copy()
                for change in step.to_all:
                    after = [self._changed(change, other) for other in after]
                after[place] = me_after
                yield who, step, (shared_after, *after)
        for who, step, shared_after in self._other_steps(shared):
            after = workers
            for change in step.to_all:
                after = [self._changed(change, me) for me in after]
            if shared_after != shared or after != workers:
                yield who, step, (shared_after, *after)

    def _number_worker_steps(self, shared: int, me: int) -> list[tuple[Step, int, int]]:
        steps = self._worker.of(self._shared_parts.values[shared], self._worker_parts.values[me])
        return [
            (step, self._shared_parts.number(step.shared), self._worker_parts.number(step.worker))
            for step in steps
            if step.worker is not None
        ]

    def _number_other_steps(self, shared: int) -> list[tuple[str, Step, int]]:
        now = self._shared_parts.values[shared]
        steps = [(OTHERS, step) for step in self._others(now)] + [(CLOCK, _tick(now))]
        return [(who, step, self._shared_parts.number(step.shared)) for who, step in steps]

    def _change(self, change: Callable[[Worker], Worker], me: int) -> int:
        return self._worker_parts.number(change(self._worker_parts.values[me]))

    def _others(self, shared: Shared) -> Iterator[Step]:
        yield from self.sweep(shared)
        if shared.flight == "under way":
            yield Step("a delivery is lost", "fault", shared._replace(flight="", superseded=False))
        if shared.stray:
            function, number = shared.stray
            ran = run(self.database, shared, function, holds=True, number=number)
            yield ran.step("a statement left behind is run", "", shared=ran.shared._replace(stray=None))
        if shared.stopped:
            yield Step("the kill switch is lifted", "lift", shared._replace(stopped=False))
        else:
            yield Step("the kill switch is engaged", "fault", shared._replace(stopped=True))
        if shared.row.status not in ENDED:
            yield run(self.database, shared, "cancel").step("a person cancels the job", "fault")
        elif shared.row.status != "completed":
            yield run(self.database, shared, "retry").step("a person retries the job", "fault")

    def sweep(self, shared: Shared) -> Iterator[Step]:
        """A job that is due is sent, unless a request for this very wait is believed to be under way."""
        ran = run(self.database, shared, "sweep")
        send = self.bounds.flights and ran.answer == "due" and (ran.shared.flight == "" or ran.shared.superseded)
        if send:
            sent = ran.shared._replace(flight="under way", superseded=False)
            step = ran.step("the sweep sends the job", "sweep", shared=sent)
            yield step._replace(to_all=(*step.to_all, no_longer_awaited))
        elif ran.events:
            yield ran.step("the sweep takes the job back", "sweep")


def _tick(shared: Shared) -> Step:
    row = shared.row
    passed = row._replace(lease=max(row.lease - 1, 0), due_in=max(row.due_in - 1, 0))
    return Step("a tick passes", "tick", shared._replace(row=passed), to_all=(later,))
