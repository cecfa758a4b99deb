"""Keeps processes running: starts each, starts it again when it dies, and stops all of them."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field

from infra.local.errors import StartError
from infra.local.launcher import Launched
from infra.local.reaper import Reaper
from infra.local.state import StateDir

log = logging.getLogger(__name__)

# A process that lived shorter than this died at once.
_SHORT_LIFE_S = 2.0
_FREE_RESTARTS = 5
_PAUSE_BASE_S = 0.25
_PAUSE_CAP_S = 5.0


def pause_before_restart(short_lives: int) -> float:
    """Seconds to wait after the n-th short life in a row: none for the first few, then doubling from 0.25 to 5."""
    if short_lives <= _FREE_RESTARTS:
        return 0.0
    return min(_PAUSE_CAP_S, _PAUSE_BASE_S * 2 ** (short_lives - _FREE_RESTARTS - 1))


@dataclass(eq=False)
class Process:
    """One supervised process. `spawn` starts it; `ready` returns when it can be used.

    `overlaps`: its successor starts as soon as it accepts no more connections, while it ends what it has begun.
    """

    name: str
    spawn: Callable[[], Awaitable[Launched]]
    ready: Callable[["Process"], Awaitable[None]]
    port: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 12.0
    overlaps: bool = False
    pid: int = 0
    leaving: "asyncio.Future[None]" = field(init=False, repr=False)
    exited: "asyncio.Future[int]" = field(init=False, repr=False)


class Supervisor:
    """The processes of one stack."""

    def __init__(self, state: StateDir, reaper: Reaper) -> None:
        self.processes: list[Process] = []
        self._state = state
        self._reaper = reaper
        self._keepers: list[asyncio.Task[None]] = []
        self._leavers: list[Process] = []
        self._log_starts: dict[str, int] = {}

    async def start(self, process: Process, timeout_s: float) -> None:
        """Start the process and wait until it is ready. Raises StartError when it dies first or takes too long."""
        await self._spawn_first(process)
        self.processes.append(process)
        ready = asyncio.ensure_future(process.ready(process))
        try:
            await asyncio.wait({ready, process.exited}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if process.exited.done():
                raise self._start_error(process, f"ended with code {process.exited.result()}")
            if not ready.done():
                raise self._start_error(process, f"was not ready after {timeout_s:.0f} s")
            await ready
        finally:
            ready.cancel()

    async def run(self, process: Process, timeout_s: float) -> None:
        """Run a process that ends by itself. Raises StartError when it fails or takes too long."""
        await self._spawn_first(process)
        try:
            await asyncio.wait({process.exited}, timeout=timeout_s)
            if not process.exited.done():
                raise self._start_error(process, f"was not finished after {timeout_s:.0f} s")
            if process.exited.result() != 0:
                raise self._start_error(process, f"ended with code {process.exited.result()}")
        finally:
            self._signal(process, signal.SIGKILL)

    def keep(self, changed: Callable[[], None]) -> None:
        """From now on start a process again whenever it ends, for whatever reason; tell `changed` of each new id."""
        self._keepers = [asyncio.create_task(self._keep(process, changed)) for process in self.processes]

    async def stop(self, order: Iterable[Iterable[Process]]) -> None:
        """Stop the processes, group after group: a signal, some time to finish, then a kill."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for group in order:
            names = {process.name: process for process in group}
            leavers = [leaver for leaver in self._leavers if leaver.name in names]
            await asyncio.gather(*(self._stop(process) for process in (*names.values(), *leavers)))

    def kill(self) -> None:
        """End all processes at once."""
        for process in (*self.processes, *self._leavers):
            self._signal(process, signal.SIGKILL)

    async def _spawn_first(self, process: Process) -> None:
        log_file = self._state.log(process.name)
        self._log_starts[process.name] = log_file.stat().st_size if log_file.exists() else 0
        await self._spawn(process)

    async def _spawn(self, process: Process) -> None:
        launched = await process.spawn()
        process.pid, process.leaving = launched.pid, launched.leaving
        process.exited = self._reaper.watch(process.pid)

    async def _keep(self, process: Process, changed: Callable[[], None]) -> None:
        clock = asyncio.get_running_loop().time
        short_lives = 0
        started = clock()
        while True:
            how = await self._until_over(process)
            short_lives = short_lives + 1 if clock() - started < _SHORT_LIFE_S else 1
            log.warning("%s (pid %d) %s and is started again", process.name, process.pid, how)
            await asyncio.sleep(pause_before_restart(short_lives))
            started = clock()
            await self._respawn(process)
            changed()

    async def _until_over(self, process: Process) -> str:
        """How it is over with the process: it has ended, or it is only ending what it has begun."""
        signs = {process.exited, process.leaving} if process.overlaps else {process.exited}
        await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
        if process.exited.done():
            return f"ended with code {process.exited.result()}"
        leaver = copy(process)
        self._leavers.append(leaver)
        leaver.exited.add_done_callback(lambda _: self._leavers.remove(leaver))
        return "accepts no more connections"

    async def _respawn(self, process: Process) -> None:
        while True:
            try:
                await self._spawn(process)
            except Exception:
                log.exception("%s could not be started", process.name)
                await asyncio.sleep(_PAUSE_BASE_S)
            else:
                return

    async def _stop(self, process: Process) -> None:
        self._signal(process, process.stop_signal)
        await asyncio.wait({process.exited}, timeout=process.grace_s)
        if not process.exited.done():
            log.warning("%s (pid %d) did not stop in %.0f s and is killed", process.name, process.pid, process.grace_s)
            self._signal(process, signal.SIGKILL)
            await process.exited

    def _signal(self, process: Process, number: signal.Signals) -> None:
        """Only while the process is our child and not reaped: its id cannot be somebody else's."""
        if not process.exited.done():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def _start_error(self, process: Process, reason: str) -> StartError:
        tail = self._state.tail(process.name, since=self._log_starts[process.name])
        path = self._state.log(process.name)
        return StartError(f"{process.name} {reason}. The end of {path}:\n{tail or '(empty)'}")
