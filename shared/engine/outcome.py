"""What an attempt ends as, when it does not end in an error."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

Persist = Callable[[AsyncConnection[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Done:
    """The job is finished. `persist` writes the draft in the transaction that completes the job.

    When the database goes away in between, the transaction is tried again and `persist` runs once more: let it write
    and nothing else.
    """

    result: dict[str, Any]
    persist: Persist | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """The job gives its slot back, keeps its checkpoint and is due again after `after_s` seconds."""

    after_s: float = 0.0


Outcome = Done | Continue
