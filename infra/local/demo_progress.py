"""One live line for a running job: stage, what is happening, cost and time."""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Progress:
    """Shows the newest state at the bottom and leaves a line behind for each finished stage."""

    def __init__(self, console: Console, started: float) -> None:
        self._console = console
        self._started = started
        self._finished: list[str] = []
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, job: dict[str, Any]) -> None:
        """Takes the row of `jobs` as it is now."""
        progress = (job["checkpoint_data"] or {}).get("progress") or {}
        clock = f"{time.monotonic() - self._started:6.1f} s  {float(job['cost_usd']):.4f} USD"
        for stage in progress.get("stages_done", []):
            if stage not in self._finished:
                self._finished.append(stage)
                self._console.print(Text.assemble(("  ✓ ", "green"), f"{stage:<10}", (clock, "dim")))
        message = progress.get("message") or job["status"]
        attempt = f"  attempt {job['attempts']}" if job["attempts"] > 1 else ""
        self._live.update(Text.assemble(("  … ", "blue"), f"{message}  ", (clock + attempt, "dim")))
