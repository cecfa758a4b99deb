"""Tells when a child process has ended, including the ones that were adopted."""

import asyncio
import os
import signal
from collections import OrderedDict

from infra.local.prctl import adopt_orphans

_STRAYS_KEPT = 256


class Reaper:
    """The one place that calls `waitpid` in this process. Needs a running event loop in the main thread."""

    def __init__(self) -> None:
        self._watched: dict[int, asyncio.Future[int]] = {}
        # Ended before anybody asked for them: a child that died at once, or orphans of a killed process.
        self._strays: OrderedDict[int, int] = OrderedDict()
        adopt_orphans()
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._collect)

    def watch(self, pid: int) -> asyncio.Future[int]:
        """A future of the child's exit code; of minus the signal's number when a signal ended it."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if pid in self._strays:
            future.set_result(self._strays.pop(pid))
            return future
        self._watched[pid] = future
        self._collect()
        return future

    def close(self) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            future = self._watched.pop(pid, None)
            if future is None:
                self._strays[pid] = code
                if len(self._strays) > _STRAYS_KEPT:
                    self._strays.popitem(last=False)
            elif not future.done():
                future.set_result(code)
