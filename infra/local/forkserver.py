"""A warm process that becomes a service when told to: `python -m infra.local.forkserver --state DIR --control FD`.

Importing what every service needs takes over a second; forking a process that has done so takes milliseconds. So a
killed worker accepts requests again almost at once. Only packages from elsewhere are imported here, never our own
code: a service that is restarted after an edit runs the edited code. What a program imports beyond that, it writes down
when it is ready; from its next start on it has a warm process of its own.

An order is one message on the control socket: JSON, with file descriptors beside it. The first of them is a pipe, to
which the new process writes its id, and a web server `LEAVING` when it accepts no more connections; the others are
listening sockets.
"""

import argparse
import asyncio
import gc
import importlib
import json
import os
import signal
import socket
import sys
import sysconfig
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from infra.local.prctl import die_with, set_name

COMMON = (
    "aiohttp",
    "fastapi",
    "httptools",
    "orjson",
    "psycopg",
    "psycopg_pool",
    "pydantic",
    "pydantic.v1",  # fastapi loads it when an application is put together
    "pydantic_settings",
    "starlette",
    "structlog",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
    "uvloop",
    "yaml",
)
LEAVING = b"leaving"
MAX_ORDER_BYTES = 64 * 1024
_MAX_DESCRIPTORS = 8
_ADOPTION_TIMEOUT_S = 5.0
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_common_modules: set[str] = set()


def import_all(modules: Sequence[str]) -> None:
    """Import what can be imported; a program will say by itself what it misses."""
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)


def serve(control: socket.socket) -> NoReturn:
    """Fork a process for each order until the other end of the socket is gone."""
    # What is here now is shared with all children for good: the collector need not touch, and so copy, its pages.
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MAX_ORDER_BYTES, _MAX_DESCRIPTORS)
        if not message:
            sys.exit(0)
        _fork(control, json.loads(message), descriptors)


def _fork(control: socket.socket, order: dict[str, Any], descriptors: list[int]) -> None:
    """Fork twice, so that the supervisor, which adopts orphans, becomes the new process's parent."""
    middle = os.fork()
    if middle == 0:
        if os.fork() == 0:
            control.close()
            _become(order, descriptors)
        os._exit(0)
    os.waitpid(middle, 0)
    for descriptor in descriptors:
        os.close(descriptor)


def _become(order: dict[str, Any], descriptors: list[int]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        _wait_for_adoption(order["parent"])
        die_with(order["parent"], signal.SIGKILL)
        set_name(order["name"])
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        report, *sockets = descriptors
        os.environ.update(order["env"])
        names = order["socket_names"]  # of the last sockets
        os.environ.update({name: str(fd) for name, fd in zip(names, sockets[len(sockets) - len(names) :], strict=True)})
        os.write(report, b"%d\n" % os.getpid())
        code = _RUNNERS[order["runner"]](order, sockets, report)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 - the last frame of the process: say what happened and end
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait_for_adoption(parent: int) -> None:
    deadline = time.monotonic() + _ADOPTION_TIMEOUT_S
    while os.getppid() != parent:
        if time.monotonic() > deadline:
            raise RuntimeError("the supervisor is gone")
        time.sleep(0.0005)


def _run_web(order: dict[str, Any], sockets: list[int], report: int) -> int:
    """What `uvicorn <target> --factory` does, on a socket that is listening already."""
    import uvicorn  # noqa: PLC0415 - loaded above, in the warm process

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _record_imports(Path(order["imports"]))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Closes the listening sockets before it waits for anything.
            shutting_down = asyncio.ensure_future(super().shutdown(sockets))
            await asyncio.sleep(0)
            os.write(report, LEAVING + b"\n")
            await shutting_down

    server = Server(uvicorn.Config(order["target"], factory=True, access_log=False))
    server.run(sockets=[socket.socket(fileno=sockets[0])])
    return 0 if server.started else 3


def _record_imports(path: Path) -> None:
    """Write down which installed modules the program had imported when it was ready, in order, for its next start."""
    loaded = [
        name for name, module in list(sys.modules.items()) if _is_installed(module) and name not in _common_modules
    ]
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(loaded))
    draft.replace(path)


def _is_installed(module: ModuleType) -> bool:
    return (getattr(module, "__file__", None) or "").startswith(_INSTALLED)


def _run_coroutine(order: dict[str, Any], _sockets: list[int], report: int) -> int:
    import uvloop  # noqa: PLC0415 - loaded above, in the warm process

    os.close(report)
    module, _, function = order["target"].partition(":")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(getattr(importlib.import_module(module), function)())
    return 0


def _run_forkserver(order: dict[str, Any], sockets: list[int], report: int) -> NoReturn:
    """A second, warmer process that has imported what one program needs beyond the common packages."""
    os.close(report)
    import_all(json.loads(Path(order["imports"]).read_bytes()))
    serve(socket.socket(fileno=sockets[0]))


_RUNNERS = {"web": _run_web, "coroutine": _run_coroutine, "forkserver": _run_forkserver}


def main() -> NoReturn:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="tells whose process this is")
    parser.add_argument("--control", type=int, required=True)
    arguments = parser.parse_args()
    set_name("forkserver")
    import_all(COMMON)
    _common_modules.update(sys.modules)
    serve(socket.socket(fileno=arguments.control))


if __name__ == "__main__":
    main()
