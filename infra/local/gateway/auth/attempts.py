"""A brake on guessing passwords."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

_KEPT = 10_000


@dataclass
class FailedAttempts:
    """Counts failures per key in a window that starts with the first one. Kept in memory: a restart forgets."""

    allowed: int = 10
    window_s: float = 60.0
    clock: Callable[[], float] = time.monotonic
    _failures: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict[str, tuple[float, int]])

    def retry_after_s(self, key: str) -> float:
        """Seconds that the key has to wait; 0 when it may try."""
        started, count = self._failures.get(key, (0.0, 0))
        if count < self.allowed:
            return 0.0
        return max(0.0, started + self.window_s - self.clock())

    def record(self, key: str) -> None:
        """One more failure."""
        now = self.clock()
        started, count = self._failures.pop(key, (now, 0))
        if now - started >= self.window_s:
            started, count = now, 0
        self._failures[key] = (started, count + 1)
        while len(self._failures) > _KEPT:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """After a success."""
        self._failures.pop(key, None)
