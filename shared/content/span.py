"""Fewest and most of something."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Fewest and most of something, both included."""

    least: int
    most: int

    def holds(self, count: int) -> bool:
        """True when `count` is within."""
        return self.least <= count <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
