"""What a measurement is given: the running stack, how much to measure, and the engines to compare."""

from dataclasses import dataclass

from bench.engines.dbos import Dbos
from bench.engines.engine import Engine
from bench.engines.ours import Ours
from bench.engines.procrastinate import Procrastinate
from bench.scale import Scale
from bench.stack import Stack


@dataclass(frozen=True)
class Setting:
    """One run of the benchmark."""

    stack: Stack
    scale: Scale

    def engines(self) -> list[Engine]:
        """Ours first, then those a user would pick instead, on the stack's own Postgres server."""
        admin_url = self.stack.database_url
        return [Ours(self.stack), Procrastinate(admin_url), Dbos(admin_url)]
