"""The embedded stack as a test sees it: commands, `stack.json`, and processes that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]


def poll(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """Whatever `condition` returns, once that is true. Fails after the time limit."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {condition}"
        time.sleep(0.01)
    return found


@dataclass
class RunningStack:
    """One stack in a state directory of its own."""

    state: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python -m infra.local <command> --state … <arguments>`, to its end."""
        process = self.begin(command, *arguments)
        output, errors = process.communicate(timeout=100)
        assert not check or process.returncode == 0, errors + output
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def begin(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        """The same, running."""
        # The real Gemini is not for tests, even where somebody has a key.
        environment = {name: value for name, value in os.environ.items() if name != "GEMINI_API_KEY"}
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local", command, "--state", self.state, *arguments],
            cwd=ROOT,
            env={**environment, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def up(self, services: Sequence[str] | None = None) -> dict[str, Any]:
        """Start it, or find it running; what `up --json` says."""
        chosen = [] if services is None else ["--services", ",".join(services)]
        return json.loads(self.run("up", "--detach", "--json", *chosen).stdout)

    def down(self) -> None:
        self.run("down")

    @property
    def description(self) -> dict[str, Any]:
        """Content of `stack.json` at this moment."""
        return json.loads((self.state / "stack.json").read_bytes())

    def __getitem__(self, name: str) -> Any:
        return self.description[name]

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, at this moment."""
        return {each["name"]: each["pid"] for each in self["processes"]}

    @property
    def ports(self) -> dict[str, int | None]:
        return {each["name"]: each["port"] for each in self["processes"]}

    def url(self, name: str) -> str:
        """Base URL of a process."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a process; its id."""
        pid = self.pids[name]
        os.kill(pid, number)
        return pid

    @property
    def supervisor_pid(self) -> int:
        """Process id of whoever runs the stack; only while it runs."""
        return json.loads((self.state / "lock").read_bytes())["pid"]

    def living(self) -> list[psutil.Process]:
        """Every process on this machine that names the state directory in its command line, and their children."""
        return list(self._living())

    def _living(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                ours = str(self.state) in process.cmdline() or _is_child_of(process, self.state)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    yield process


def _is_child_of(process: psutil.Process, state: Path) -> bool:
    """Postgres' own processes write over their command line."""
    if process.name() != "postgres":
        return False
    parent = process.parent()
    return parent is not None and str(state / "postgres") in parent.cmdline()
