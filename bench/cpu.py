"""Processor time of processes, as the kernel counts it."""

from collections.abc import Callable
from contextlib import suppress

import psutil


def process_seconds(pid: int) -> float:
    """User and system time that a process has spent; 0 when it is gone."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return 0.0


def family_seconds(pid: int) -> float:
    """The same for a process, its living descendants and the children that it has already waited for.

    For Postgres: the postmaster, its helpers, all backends, and those that came and went.
    """
    total = 0.0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        own = root.cpu_times()
        total += own.user + own.system + own.children_user + own.children_system
        for child in root.children(recursive=True):
            total += process_seconds(child.pid)
    return total


class Meter:
    """Processor seconds of named processes since the meter was made."""

    def __init__(self, readers: dict[str, Callable[[], float]]) -> None:
        self._readers = readers
        self._before = self._read()

    def _read(self) -> dict[str, float]:
        return {name: read() for name, read in self._readers.items()}

    def spent(self) -> dict[str, float]:
        """Seconds by process name."""
        return {name: now - self._before[name] for name, now in self._read().items()}
