"""What the suite says: a line for everything it does, and what it found."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

_ROWS_SHOWN = 20
_ROW_CHARACTERS = 1500


@dataclass(frozen=True)
class Finding:
    """Something that must not be, with the rows that show it."""

    what: str
    rows: Sequence[Any] = ()


@dataclass
class Report:
    """Prints as it goes, with the seconds since the start."""

    output: TextIO = field(default_factory=lambda: sys.stdout)
    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """One line, at once."""
        self.output.write(f"[{time.monotonic() - self.started:6.1f} s] {text}\n")
        self.output.flush()

    def find(self, what: str, rows: Sequence[Any] = ()) -> None:
        """Notes a finding and shows its first rows."""
        self.findings.append(Finding(what, rows))
        self.say(f"VIOLATION {what} ({len(rows)} rows)")
        for row in rows[:_ROWS_SHOWN]:
            self.output.write(f"           {str(row)[:_ROW_CHARACTERS]}\n")

    def expect_none(self, what: str, rows: Sequence[Any]) -> None:
        """A finding when there is any row."""
        if rows:
            self.find(what, rows)
