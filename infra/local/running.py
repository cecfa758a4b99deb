"""Runs a stack in this process until it is told to stop."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from infra.local.errors import AlreadyRunningError, StackError
from infra.local.launcher import Launcher
from infra.local.leftovers import end_leftovers
from infra.local.reaper import Reaper
from infra.local.state import StateDir

log = logging.getLogger(__name__)

_CHECK_S = 1.0


def run_stack(state: StateDir, services: Sequence[str], when_ready: Callable[[], object]) -> None:
    """Start the stack, call `when_ready`, and stay until SIGINT, SIGTERM or SIGHUP; then stop it. A second signal
    stops it at once.

    Nothing runs any more when this returns or raises. Raises AlreadyRunningError, and StackError for whatever kept
    the stack from starting.
    """
    lock = state.lock()
    if lock is None:
        raise AlreadyRunningError
    # The lock is kept until this process ends: whoever gets it next may rely on that.
    _log_to(state)
    asyncio.run(_run(state, services, lock, when_ready))


async def _run(state: StateDir, services: Sequence[str], lock: int, when_ready: Callable[[], object]) -> None:
    stopped = _StopSignals()
    state.remove("stack.json")
    end_leftovers(state)
    reaper = Reaper()
    launcher = Launcher(state, reaper)
    launcher.start()
    # The rest is imported while the warm process does its own imports: a start is half a second shorter.
    from infra.local.stack import Stack  # noqa: PLC0415

    try:
        stack = Stack(state, services, reaper, launcher)
        stopped.at_once = stack.kill
        starting = asyncio.ensure_future(stack.up())
        try:
            await asyncio.wait({starting, stopped.future}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                state.mark_ready(lock)
                log.info("the stack is ready")
                when_ready()
                await _until_gone(state, lock, stopped.future)
        finally:
            starting.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await starting
            if state.still_holds(lock):
                state.remove("stack.json")
            await stack.down()
            log.info("the stack is stopped")
    except* (StackError, OSError) as failures:
        log.exception("the stack could not be started")
        raise StackError("\n".join(str(failure) for failure in _leaves(failures))) from None
    finally:
        await launcher.stop()
        reaper.close()


async def _until_gone(state: StateDir, lock: int, stopped: "asyncio.Future[None]") -> None:
    """Until told to stop, or until the state directory is removed from under the stack."""
    while not stopped.done() and state.still_holds(lock):
        await asyncio.wait({stopped}, timeout=_CHECK_S)


class _StopSignals:
    """`future` is done after the first signal to stop; the second calls `at_once`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = loop.create_future()
        self.at_once: Callable[[], None] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked)

    def _asked(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
        elif self.at_once is not None:
            self.at_once()


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
