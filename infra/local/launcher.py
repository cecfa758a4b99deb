"""Turns orders into running processes: the supervisor's side of `forkserver.py`."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from infra.local.errors import LaunchError
from infra.local.forkserver import LEAVING
from infra.local.prctl import die_with
from infra.local.reaper import Reaper
from infra.local.state import StateDir

ROOT = Path(__file__).parents[2]
_BASE = ""
# Below this, a warm process of its own would cost more memory than it saves time.
_FEW_IMPORTS = 10


@dataclass(frozen=True)
class Program:
    """What a process runs: `web` is an ASGI factory `module:function` on a listening socket, `coroutine` an async
    function without arguments. `env` comes on top of the supervisor's own environment. The last of the sockets are
    handed over in the environment variables that name them.
    """

    name: str
    runner: Literal["web", "coroutine"]
    target: str
    env: Mapping[str, str] = field(repr=False)
    sockets: Sequence[socket.socket] = ()
    socket_names: Sequence[str] = ()


@dataclass(frozen=True)
class Launched:
    """A started process. `leaving` is done when it accepts no more connections but still works on earlier ones."""

    pid: int
    leaving: "asyncio.Future[None]"


@dataclass
class _ForkServer:
    pid: int
    control: socket.socket
    exited: "asyncio.Future[int]"


class Launcher:
    """Starts programs from warm processes: one with what all import, and from it one for each that imports more."""

    def __init__(self, state: StateDir, reaper: Reaper) -> None:
        self._state = state
        self._reaper = reaper
        self._servers: dict[str, _ForkServer] = {}

    def start(self) -> None:
        """Start the shared warm process; its imports (over a second) go on while other things happen."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        log = self._state.open_log("forkserver")
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "infra.local.forkserver"),
                    *("--state", self._state.path),
                    *("--control", str(theirs.fileno())),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=lambda: die_with(parent, signal.SIGKILL),  # noqa: PLW1509 - the supervisor has one thread
            )
        finally:
            os.close(log)
            theirs.close()
        process.returncode = 0  # the reaper waits for it, not Popen
        self._servers[_BASE] = _ForkServer(process.pid, ours, self._reaper.watch(process.pid))

    async def stop(self) -> None:
        """End the warm processes. What they have started goes on."""
        await asyncio.gather(*(self.dismiss(name) for name in list(self._servers)))

    async def dismiss(self, name: str) -> None:
        """End the warm process of a program that will not be started again, if it has one."""
        server = self._servers.pop(name, None)
        if server is not None:
            server.control.close()
            if not server.exited.done():
                os.kill(server.pid, signal.SIGKILL)
            await server.exited

    async def launch(self, program: Program) -> Launched:
        """Starts the program, which writes to its log. Raises LaunchError."""
        server = await self._server_for(program)
        order = {
            "name": program.name,
            "runner": program.runner,
            "target": program.target,
            "imports": str(self._state.imports(program.name)),
            "env": dict(program.env),
            "socket_names": list(program.socket_names),
        }
        return await self._send(server, order, program.sockets)

    async def _server_for(self, program: Program) -> str:
        """Key of a living warm process for the program, which is started unless it is there."""
        if not self._is_alive(_BASE):
            self.start()
        if not self._imports_much(program):
            return _BASE
        if not self._is_alive(program.name):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            order = {
                "name": f"warm {program.name}",
                "runner": "forkserver",
                "imports": str(self._state.imports(program.name)),
                "env": {},
                "socket_names": [],
            }
            with theirs:
                pid = (await self._send(_BASE, order, [theirs])).pid
            self._servers[program.name] = _ForkServer(pid, ours, self._reaper.watch(pid))
        return program.name

    def _imports_much(self, program: Program) -> bool:
        """By what it had imported when it last was ready."""
        try:
            return len(json.loads(self._state.imports(program.name).read_bytes())) > _FEW_IMPORTS
        except FileNotFoundError:
            return False

    def _is_alive(self, key: str) -> bool:
        server = self._servers.get(key)
        if server is not None and server.exited.done():
            server.control.close()
            del self._servers[key]
            return False
        return server is not None

    async def _send(self, key: str, order: dict[str, Any], sockets: Sequence[socket.socket]) -> Launched:
        read_end, write_end = os.pipe()
        log = order["name"] if order["runner"] != "forkserver" else "forkserver"
        os.close(self._state.open_log(log))
        order |= {"parent": os.getpid(), "log": str(self._state.log(log))}
        try:
            descriptors = [write_end, *(each.fileno() for each in sockets)]
            socket.send_fds(self._servers[key].control, [json.dumps(order).encode()], descriptors)
        except OSError as error:
            os.close(read_end)
            raise LaunchError(f"the warm process for {order['name']} is gone: {error}") from error
        finally:
            os.close(write_end)
        pid, leaving = _listen_to(read_end)
        started = await pid
        if started is None:
            raise LaunchError(f"{order['name']} ended before it began")
        return Launched(started, leaving)


def _listen_to(pipe: int) -> "tuple[asyncio.Future[int | None], asyncio.Future[None]]":
    """What the new process writes to the pipe: its id (None when it ended without a word), and that it is leaving."""
    loop = asyncio.get_running_loop()
    pid: asyncio.Future[int | None] = loop.create_future()
    leaving: asyncio.Future[None] = loop.create_future()

    def read() -> None:
        content = os.read(pipe, 32)
        for word in content.split():
            if word == LEAVING:
                leaving.set_result(None)
            elif not pid.done():
                pid.set_result(int(word))
        if not content:
            loop.remove_reader(pipe)
            os.close(pipe)
            if not pid.done():
                pid.set_result(None)

    loop.add_reader(pipe, read)
    return pid, leaving
