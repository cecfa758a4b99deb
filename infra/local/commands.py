"""What `python -m infra.local` does for each of its commands. Each returns the exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import psutil

from infra.local.errors import AlreadyRunningError, StackError
from infra.local.leftovers import end_leftovers
from infra.local.postgres import programs
from infra.local.running import report_to, run_stack
from infra.local.services import choose, discover
from infra.local.state import StateDir

_WAIT_S = 120.0
_POLL_S = 0.02
ROOT = Path(__file__).parents[2]


def up(
    state: StateDir, services: Sequence[str] | None, *, detach: bool, as_json: bool, report: int | None = None
) -> int:
    """Start the stack, or find that it runs; say where it is. In the foreground, stay until it is stopped."""
    chosen = choose(services, discover())
    state.create()
    if state.supervisor() is None:
        if detach:
            return _up_detached(state, services, as_json=as_json)
        try:
            run_stack(state, chosen, lambda: _ready(state, as_json=as_json, report=report))
        except AlreadyRunningError:
            pass
        except StackError as error:
            return _failed(str(error), as_json=as_json, report=report)
        else:
            return 0
    return _wait_for_other(state, as_json=as_json, report=report)


def down(state: StateDir, *, as_json: bool) -> int:
    """Stop the stack and wait until nothing of it runs."""
    supervisor = state.supervisor()
    if supervisor is not None:
        with suppress(ProcessLookupError):
            os.kill(supervisor.pid, signal.SIGTERM)
        deadline = time.monotonic() + _WAIT_S
        while state.supervisor() is not None:
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(supervisor.pid, signal.SIGKILL)
            time.sleep(_POLL_S)
    if state.path.exists():
        end_leftovers(state)
        state.remove("stack.json")
    print(json.dumps({"stopped": True}) if as_json else "The stack is stopped; its data stays.")
    return 0


def status(state: StateDir, *, as_json: bool) -> int:
    """Say where the stack is and whether each process runs. The exit code is 0 only when all of it runs."""
    stack = _description(state)
    if as_json:
        print(json.dumps(stack, indent=2))
    elif stack["running"]:
        print(_summary(state, stack))
    else:
        print(f"No stack runs in {state.path}.")
    return 0 if stack["running"] else 1


def logs(state: StateDir, name: str, *, lines: int, follow: bool) -> int:
    """Print the end of a process's log, and with `follow` whatever is added, until interrupted."""
    path = state.log(name)
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in state.logs.glob("*.log")))
        print(f"no log of {name}; there are: {known or 'none'}", file=sys.stderr)
        return 1
    with path.open(errors="replace") as file, suppress(KeyboardInterrupt, BrokenPipeError):
        sys.stdout.writelines(deque(file, maxlen=lines))
        while follow:
            sys.stdout.flush()
            if not (added := file.read()):
                time.sleep(0.2)
            sys.stdout.write(added)
    return 0


def psql(state: StateDir, arguments: Sequence[str]) -> int:
    """Become `psql`, connected to the stack's database. Returns only when there is none."""
    stack = state.stack()
    if stack is not None:
        _become_psql(stack["database_url"], arguments)
    print(f"No stack runs in {state.path}.", file=sys.stderr)
    return 1


def _become_psql(database_url: str, arguments: Sequence[str]) -> NoReturn:
    url = urlsplit(database_url)
    # In the environment: the command line of a process can be read by everybody.
    connection = {
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port),
        "PGUSER": url.username or "",
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": url.path.lstrip("/"),
    }
    program = programs() / "psql"
    sys.stdout.flush()
    os.execve(program, [str(program), *arguments], os.environ | connection)


def _up_detached(state: StateDir, services: Sequence[str] | None, *, as_json: bool) -> int:
    read_end, write_end = os.pipe()
    log = state.open_log("supervisor")
    command = [sys.executable, "-m", "infra.local", "up", "--state", str(state.path), "--report", str(write_end)]
    if services is not None:
        command += ["--services", ",".join(services)]
    supervisor = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[write_end],
        start_new_session=True,
    )
    os.close(log)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            said = pipe.read()
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise
    if said and json.loads(said)["error"] is None:
        supervisor.returncode = 0  # it goes on without us
        return _ready(state, as_json=as_json)
    supervisor.wait()
    error = json.loads(said)["error"] if said else f"the supervisor ended: {state.tail('supervisor')}"
    return _failed(error, as_json=as_json)


def _wait_for_other(state: StateDir, *, as_json: bool, report: int | None) -> int:
    """Somebody else runs this stack, or is about to."""
    deadline = time.monotonic() + _WAIT_S
    while (supervisor := state.supervisor()) is not None and time.monotonic() < deadline:
        if supervisor.ready:
            return _ready(state, as_json=as_json, report=report)
        time.sleep(_POLL_S)
    reason = "did not get ready" if supervisor else "was stopped"
    return _failed(f"another process was starting this stack and {reason}", as_json=as_json, report=report)


def _ready(state: StateDir, *, as_json: bool, report: int | None = None) -> int:
    if report is not None:
        report_to(report)
        return 0
    stack = _description(state)
    print(json.dumps(stack, indent=2) if as_json else _summary(state, stack), flush=True)
    return 0


def _failed(error: str, *, as_json: bool, report: int | None = None) -> int:
    if report is not None:
        report_to(report, error)
    elif as_json:
        print(json.dumps({"error": error}))
    print(error, file=sys.stderr)
    return 1


def _description(state: StateDir) -> dict[str, Any]:
    """`stack.json`, with what runs at this moment."""
    supervisor = state.supervisor()
    stack = state.stack()
    if supervisor is None or stack is None:
        return {"running": False, "state": str(state.path), "processes": []}
    processes = [each | {"running": _runs(each["pid"])} for each in stack["processes"]]
    running = all(each["running"] for each in processes)
    return stack | {"running": running, "state": str(state.path), "processes": processes}


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _summary(state: StateDir, stack: dict[str, Any]) -> str:
    rows = [
        f"  {each['name']:<12}{each['pid']:>8}  {each['port'] or '':<6} {'running' if each['running'] else 'starting'}"
        for each in stack["processes"]
    ]
    people = ", ".join(f"{user['email']} ({user['role']})" for user in stack["users"])
    return "\n".join(
        [
            f"The stack runs in {state.path}:",
            *rows,
            f"  people      {people}",
            f"Addresses, keys and passwords are in {state.path / 'stack.json'}.",
        ]
    )
