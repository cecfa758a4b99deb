import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from psycopg import AsyncConnection

from shared.db import create_pool
from shared.engine.store import JobStore
from tests.identity_issuer import Issuer
from tests.shared.engine.jobs import Jobs, eventually


@dataclass
class Process:
    """A worker as it runs anywhere: `uvicorn … --factory`, on a socket that somebody else holds.

    `headers` hold an identity token.
    """

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    headers: dict[str, str]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it logged, but for uvicorn's own lines."""
        return [orjson.loads(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]

    async def ready(self) -> None:
        async with httpx.AsyncClient() as client:

            async def answers() -> bool:
                try:
                    return (await client.get(f"{self.url}/readyz", timeout=1)).status_code == 200
                except httpx.HTTPError:
                    return False

            await eventually(answers, within_s=30)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()


Start = Callable[..., Process]


@pytest.fixture
def start(database_url: str, tmp_path: Path, issuer: Issuer) -> Iterator[Start]:
    """`start()` starts a template worker; `start(DRAIN_GRACE_S="1")` with that in its environment."""
    started: list[Process] = []

    def start(**environment: str) -> Process:
        log = tmp_path / f"worker-{len(started)}.log"
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
            port = listening.getsockname()[1]
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "services.template.app:create_app", "--factory"),
                    *("--fd", str(listening.fileno())),
                ],
                env=os.environ | {"DATABASE_URL": database_url} | issuer.environment() | environment,
                stdout=output,
                stderr=output,
                pass_fds=[listening.fileno()],
            )
        started.append(Process(process, f"http://127.0.0.1:{port}", log, issuer.headers()))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[JobStore]:
    async with create_pool(database_url, max_size=2) as pool:
        yield JobStore(pool)


@pytest.fixture
async def jobs(connection: AsyncConnection[Any], create_user: Callable[..., Any]) -> Jobs:
    return Jobs(connection, await create_user("marketing"))
