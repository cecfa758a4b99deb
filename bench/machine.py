"""Where and with what it was measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from psycopg import AsyncConnection

from bench.stack import ROOT

_PACKAGES = ("procrastinate", "dbos", "psycopg", "fastapi", "uvicorn", "uvloop", "aiohttp")
_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers")


async def describe_machine(database_url: str) -> dict[str, Any]:
    """Processor, memory, versions, and the server settings that all engines were measured under."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
        "system": platform.platform(),
        "load_average_before": os.getloadavg(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "postgres": await _server_settings(database_url),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str | None:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return done.stdout.strip() or None


async def _server_settings(database_url: str) -> dict[str, str]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        rows = await (
            await connection.execute(
                "select name, setting from pg_catalog.pg_settings where name = any (%s)", (list(_SETTINGS),)
            )
        ).fetchall()
    return dict(rows)
