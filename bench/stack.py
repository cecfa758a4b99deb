"""An embedded stack of the benchmark's own, in a directory that is gone afterwards."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class StackFailed(Exception):
    """The stack did not start; the message is what it said."""


@dataclass(frozen=True)
class Stack:
    """A running stack, as its `stack.json` describes it."""

    state: Path

    @property
    def description(self) -> dict[str, Any]:
        """Read anew each time: process ids change when a process is restarted."""
        return json.loads((self.state / "stack.json").read_bytes())

    @property
    def database_url(self) -> str:
        return self.description["database_url"]

    def pid(self, process: str) -> int:
        return self._process(process)["pid"]

    def port(self, process: str) -> int:
        return self._process(process)["port"]

    @property
    def services(self) -> list[str]:
        """The dispatcher and the workers that run."""
        parts = {"postgres", "relay", "gateway", "emulator"}
        return [each["name"] for each in self.description["processes"] if each["name"] not in parts]

    def user(self, role: str) -> dict[str, Any]:
        return next(user for user in self.description["users"] if user["role"] == role)

    def claims(self, role: str) -> str:
        """JWT claims of that user, as PostgREST hands them to the database."""
        user = self.user(role)
        claims = {"sub": user["id"], "role": "authenticated", "aud": "authenticated", "app_metadata": {"role": role}}
        return json.dumps(claims)

    def _process(self, name: str) -> dict[str, Any]:
        return next(each for each in self.description["processes"] if each["name"] == name)


@contextmanager
def running_stack(services: Sequence[str] = ()) -> Iterator[Stack]:
    """Starts a stack in an empty directory and removes both afterwards; with all services, or only the named ones.

    Raises StackFailed.
    """
    state = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        only = ["--services", ",".join(services)] if services else []
        _local("up", state, "--detach", "--json", *only)
        yield Stack(state)
    finally:
        _local("down", state, check=False)
        shutil.rmtree(state, ignore_errors=True)


def _local(command: str, state: Path, *options: str, check: bool = True) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", command, "--state", str(state), *options],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise StackFailed(done.stderr.strip() or done.stdout.strip())
