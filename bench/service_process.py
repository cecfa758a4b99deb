"""A service as a whole process of its own, beside the stack's instances: `uvicorn services.<folder>.app:create_app`."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp

from bench.engines.engine import MeasurementFailed
from bench.stack import ROOT, Stack
from infra.local.identity import worker_settings
from infra.local.ports import LOOPBACK, free_port

DISPATCHER = "dispatcher"
_TIMEOUT_S = 60.0
_POLL_S = 0.01


@dataclass(frozen=True)
class ServiceProcess:
    """Where it is, and how many seconds it took from its start until it was ready."""

    pid: int
    url: str
    ready_after_s: float


@asynccontextmanager
async def started(
    service: str, stack: Stack, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ServiceProcess]:
    """Runs the service until the block is left; `environment` goes before what it finds in that of the stack.

    Bytecode is kept in the stack's directory, for the next start. Raises `MeasurementFailed`.
    """
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", f"services.{service}.app:create_app", "--factory"),
        *("--host", LOOPBACK, "--port", str(port), "--no-access-log"),
        cwd=ROOT,
        env={**_environment(service, stack, url), **(environment or {})},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_ready(process, f"{url}/readyz", service)
        yield ServiceProcess(process.pid, url, time.perf_counter() - began)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, url: str, service: str) -> None:
    deadline = time.perf_counter() + _TIMEOUT_S
    async with aiohttp.ClientSession() as http:
        while time.perf_counter() < deadline:
            if process.returncode is not None:
                raise MeasurementFailed(f"{service} ended with code {process.returncode} instead of becoming ready")
            with suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(_POLL_S)
    raise MeasurementFailed(f"{service} was not ready after {_TIMEOUT_S:.0f} s")


def _environment(service: str, stack: Stack, url: str) -> dict[str, str]:
    """What the service finds in the cloud. It works beside the stack's own instance, so nothing of it may stand out."""
    description = stack.description
    workers = {name: f"http://{LOOPBACK}:{stack.port(name)}" for name in stack.services if name != DISPATCHER}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return environment | {
        "PYTHONPYCACHEPREFIX": str(stack.state / "compiled"),
        "SERVICE_NAME": service,
        "DATABASE_URL": description["database_url"],
        "SUPABASE_URL": description["supabase_url"],
        "SUPABASE_SERVICE_KEY": description["service_key"],
        "MODEL_BASE_URL": description["model_url"],
        "GEMINI_API_KEY": "emulator",
        "WEBHOOK_SECRET": description["webhook_secret"],
        "WORKER_URLS": json.dumps(workers),
        "DELIVERY": "http",
        **worker_settings(description["supabase_url"], url),
    }
