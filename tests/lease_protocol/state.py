"""What the model knows of the world: one job's row, the dispatcher's request for it, two workers.

A token is given out once, so all that matters of a worker's token is whether it is the row's current one (`holds`).
Time is counted in ticks that are left: of a lease, of a pause, of what a worker believes of its lease.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]
ENDED: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class Bounds:
    """The size of the world, and what it leaves out.

    `strays`: statements whose sender is gone may still be run. `flights`: the dispatcher knows what it has sent and
    waits for the answer; without them workers are asked at any time, for no reason. `late_repeats`: a statement whose
    connection broke may even be run after its own repetition.
    """

    max_attempts: int = 2
    lease_ticks: int = 1
    pause_ticks: int = 1
    checkpoints: int = 1
    strays: bool = True
    flights: bool = True
    late_repeats: bool = False


class Row(NamedTuple):
    """The job in Postgres. `drafts` counts what completing transactions have written beside it."""

    status: Status = "queued"
    attempts: int = 0
    has_token: bool = False
    lease: int = 0
    due_in: int = 0
    saved: int = 0
    drafts: int = 0


class Shared(NamedTuple):
    """Everything but the workers.

    `flight`: where the dispatcher believes its request for the job to be. `superseded`: the job has begun a new wait
    since that request was sent. `stray`: a statement that was sent with the current token and whose sender does not
    wait for it any more; `spent` and `acknowledged` only serve the properties: attempts that were used up since the
    last retry by a person, and the newest checkpoint that a handler was told is safe.
    """

    row: Row
    stopped: bool = False
    flight: Literal["", "under way", "at a worker"] = ""
    superseded: bool = False
    stray: tuple[str, int] | None = None
    spent: int = 0
    acknowledged: int = 0


class Worker(NamedTuple):
    """A worker process with room for one job.

    `statement` is what it has sent on behalf of its attempt and Postgres has not run yet, `beat` the same for the
    heartbeat beside it (`granted`: Postgres has renewed the lease, the answer is on its way). `left` is how long it
    believes in its lease, `beat_left` how long it will when the answer comes. `saved`: the handler's own checkpoint.
    `serves`: the dispatcher waits for its answer.
    """

    phase: Literal["off", "idle", "claiming", "running", "settling", "asking"] = "idle"
    holds: bool = False
    statement: str = ""
    saved: int = 0
    left: int = 0
    beat: Literal["", "sent", "granted"] = ""
    beat_left: int = 0
    serves: bool = False


class World(NamedTuple):
    shared: Shared
    workers: tuple[Worker, ...]


class Call(NamedTuple):
    """An SQL function that was run: with the row's own token or not, for which checkpoint, and what it answered."""

    function: str
    holds: bool
    number: int
    answer: str


class Step(NamedTuple):
    """One thing that happens, and what it leaves behind.

    `fairness` names who takes it when it can be put off but not for ever; "" is what need never happen, and "fault"
    what happens finitely often. `events` is what it appends to the log, `to_all` what becomes of all other workers,
    `broken` the rule that it breaks.
    """

    name: str
    fairness: str
    shared: Shared
    worker: Worker | None = None
    call: Call | None = None
    events: tuple[str, ...] = ()
    to_all: tuple[Callable[[Worker], Worker], ...] = ()
    broken: str = ""
