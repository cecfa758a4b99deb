"""Postgres clusters that live as long as a block of code: for tests and benchmarks."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from infra.local.errors import PostgresError
from infra.local.ports import free_port
from infra.local.postgres import COMMON, VERSION, Cluster

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 15.0

# Nothing survives a crash of the machine, and nobody minds.
THROWAWAY: Mapping[str, str] = COMMON | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "logical",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "autovacuum_naptime": "10min",
}


@contextmanager
def running(cluster: Cluster, log: Path) -> Iterator[Cluster]:
    """Create if need be, start, and stop the cluster around a block. For tests and benchmarks.

    Raises PostgresError when it does not start within 30 s.
    """
    cluster.initialise()
    with log.open("ab") as log_file:
        server = cluster.start(log_file.fileno())
    deadline = monotonic() + _START_TIMEOUT_S
    while not cluster.accepts(server.pid):
        if server.poll() is not None or monotonic() > deadline:
            server.kill()
            message = f"Postgres did not start: {log.read_text()[-2000:]}"
            raise PostgresError(message)
        sleep(0.02)
    try:
        yield cluster
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait()


@contextmanager
def throwaway(directory: Path, password: str, version: int = VERSION) -> Iterator[Cluster]:
    """A cluster without durability on a free port, with its data under `directory`, for as long as the block."""
    cluster = Cluster(directory / "data", free_port(), password, THROWAWAY, version)
    with running(cluster, directory / "postgres.log"):
        yield cluster
