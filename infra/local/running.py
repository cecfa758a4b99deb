"""Runs a stack in this process until it is told to stop."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from infra.local.launcher import LaunchError
from infra.local.migrate import MigrationError
from infra.local.postgres import PostgresError
from infra.local.stack import Stack
from infra.local.state import StateDir
from infra.local.supervisor import StartError

log = logging.getLogger(__name__)

_FAILURES = (StartError, LaunchError, MigrationError, PostgresError, OSError)


class AlreadyRunningError(Exception):
    """Another process runs the stack of this state directory."""


def run_stack(state: StateDir, services: Sequence[str], when_ready: Callable[[], object]) -> None:
    """Start the stack, call `when_ready`, and stay until SIGINT, SIGTERM or SIGHUP; then stop it. A second signal
    stops it at once.

    Nothing runs any more when this returns or raises. Raises AlreadyRunningError, or StartError for whatever kept
    the stack from starting.
    """
    lock = state.lock()
    if lock is None:
        raise AlreadyRunningError
    try:
        _log_to(state)
        asyncio.run(_run(state, services, lock, when_ready))
    finally:
        os.close(lock)


async def _run(state: StateDir, services: Sequence[str], lock: int, when_ready: Callable[[], object]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    stack = Stack(state, services)

    def asked_to_stop() -> None:
        if stop.is_set():
            stack.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_stop)
    stopped = asyncio.ensure_future(stop.wait())
    starting = asyncio.ensure_future(stack.up())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            state.mark_ready(lock)
            log.info("the stack is ready")
            when_ready()
            await stopped
    except* _FAILURES as failures:
        log.exception("the stack could not be started")
        raise StartError("\n".join(str(failure) for failure in _leaves(failures))) from None
    finally:
        starting.cancel()
        stopped.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await starting
        await stack.down()
        log.info("the stack is stopped")


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _log_to(state: StateDir) -> None:
    handler = logging.FileHandler(state.log("supervisor"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def report_to(descriptor: int, error: str | None = None) -> None:
    """Tell the process that started this one, which waits at the other end of a pipe, how it went."""
    with os.fdopen(descriptor, "w") as pipe, suppress(BrokenPipeError):
        json.dump({"error": error}, pipe)
