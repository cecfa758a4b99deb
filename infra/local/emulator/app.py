"""The emulator as one process: the Gemini API and a Slack webhook over http, and the small local web over https.

Environment: EMULATOR_STATE_DIR holds the web's certificates, and in `slack/` the messages posted; EMULATOR_WEB_FD is a
listening socket for the web, or EMULATOR_WEB_PORT a port on 127.0.0.1. Without either there is no web, only the API.
EMULATOR_PRICES is another price table.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from infra.local.emulator.api import Emulator, create_router
from infra.local.emulator.control import create_control_router
from infra.local.emulator.faults import Faults
from infra.local.emulator.generate import warm_up
from infra.local.emulator.meter import Meter
from infra.local.emulator.prices import DEFAULT_TABLE, Prices
from infra.local.emulator.slack import create_slack_router
from infra.local.emulator.web import CertificateFiles, create_web_app, prepare


@dataclass(frozen=True)
class EmulatorSettings:
    """What the environment says."""

    state_dir: Path
    web_port: int | None
    web_fd: int | None
    prices: Path

    @classmethod
    def from_environment(cls) -> "EmulatorSettings":
        """Reads the variables named in the module's docstring."""
        port, fd = os.environ.get("EMULATOR_WEB_PORT"), os.environ.get("EMULATOR_WEB_FD")
        return cls(
            state_dir=Path(os.environ.get("EMULATOR_STATE_DIR", ".local/emulator")),
            web_port=int(port) if port else None,
            web_fd=int(fd) if fd else None,
            prices=Path(os.environ.get("EMULATOR_PRICES", DEFAULT_TABLE)),
        )


def create_app(settings: EmulatorSettings | None = None) -> FastAPI:
    """The API's app; its lifespan runs the local web beside it."""
    settings = settings or EmulatorSettings.from_environment()
    prices = Prices.load(settings.prices)
    emulator = Emulator(prices, Meter(prices), Faults())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(warm_up))
        async with _local_web(settings):
            yield
        await warming

    app = FastAPI(title="Gemini emulator", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.emulator = emulator
    # The API's own paths first: `/{version}/models` would take them.
    app.include_router(create_control_router(emulator))
    app.include_router(create_slack_router(settings.state_dir / "slack"))
    app.include_router(create_router(emulator))
    return app


class _WebServer(uvicorn.Server):
    """A server inside a server: signals belong to the outer one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _local_web(settings: EmulatorSettings) -> AsyncIterator[None]:
    if settings.web_port is None and settings.web_fd is None:
        yield
        return
    listening = _listening_socket(settings)
    prepare(settings.state_dir, listening.getsockname()[1])
    certificate = CertificateFiles(settings.state_dir).leaf
    config = uvicorn.Config(
        create_web_app(),
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    server = _WebServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _listening_socket(settings: EmulatorSettings) -> socket.socket:
    if settings.web_fd is not None:
        return socket.socket(fileno=settings.web_fd)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", settings.web_port or 0))
    listening.listen(128)
    listening.setblocking(False)
    return listening
