"""What a measurement is given: the running stack, how much to measure, and the engines to compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.engines.dbos import Dbos
from bench.engines.engine import Engine
from bench.engines.ours import Ours
from bench.engines.procrastinate import Procrastinate
from bench.scale import Scale
from bench.stack import Stack

OTHERS: Mapping[str, Callable[[str, int], Engine]] = {Procrastinate.name: Procrastinate, Dbos.name: Dbos}


@dataclass(frozen=True)
class Setting:
    """One run of the benchmark. `beside` names the engines to measure beside ours, of `OTHERS`."""

    stack: Stack
    scale: Scale
    beside: Sequence[str] = field(default=tuple(OTHERS))

    def engines(self) -> list[Engine]:
        """Ours first, then those a user would pick instead, on the stack's own Postgres server."""
        return [Ours(self.stack), *(OTHERS[name](self.stack.database_url, 1) for name in self.beside)]
