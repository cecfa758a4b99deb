"""Ends what a stack's killed supervisor may have left behind.

The kernel ends its children with it, so this finds something only while they are still stopping. A process is known
by its command line, which names the state directory: never by an id read from a file, which may be somebody else's.
"""

import os
import signal
import time
from contextlib import suppress

import psutil

from infra.local.state import StateDir

_PATIENCE_S = 10.0


def end_leftovers(state: StateDir) -> None:
    """Return when no process of this state directory runs any more. Only for the holder of its lock."""
    deadline = time.monotonic() + _PATIENCE_S
    asked: set[int] = set()
    while found := _processes(state):
        overdue = time.monotonic() > deadline
        for process in found:
            if process.pid not in asked or overdue:
                asked.add(process.pid)
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL if overdue else signal.SIGINT)
        time.sleep(0.02)


def _processes(state: StateDir) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _belongs(process, state)]


def _belongs(process: psutil.Process, state: StateDir) -> bool:
    if process.pid == os.getpid():
        return False
    with suppress(psutil.Error):
        arguments = process.cmdline()
        is_postgres = str(state.postgres) in arguments and arguments[0].endswith("/postgres")
        is_program = str(state.path) in arguments and "infra.local.forkserver" in arguments
        return (is_postgres or is_program) and process.status() != psutil.STATUS_ZOMBIE
    return False
