"""How long a service takes from its start as a whole process until it is ready, as in a new container."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from bench.cpu import process_seconds
from bench.engines.engine import MeasurementFailed
from bench.figures import Figure, Measured, at_most
from bench.percentiles import describe, median
from bench.setting import Setting
from bench.stack import ROOT, Stack
from infra.local.identity import worker_settings
from infra.local.ports import LOOPBACK, free_port

_DISPATCHER = "dispatcher"
_TIMEOUT_S = 60.0
_POLL_S = 0.01


async def measure(setting: Setting) -> Measured:
    """The command of the image, `uvicorn services.<folder>.app:create_app --factory`; the exec to 200 from /readyz.

    The first start of each service compiles its modules, as the build of an image does, and does not count.
    """
    stack = setting.stack
    compiled = stack.state / "compiled"
    figures: list[Figure] = []
    raw: dict[str, dict[str, dict[str, float]]] = {}
    for service in stack.services:
        async with started(service, stack, compiled):
            pass
        seconds: list[float] = []
        cpu_s: list[float] = []
        for _ in range(setting.scale.cold_starts):
            async with started(service, stack, compiled) as (pid, ready_after_s):
                seconds.append(ready_after_s)
                cpu_s.append(process_seconds(pid))
        raw[service] = {"seconds": describe(seconds), "cpu_s": describe(cpu_s)}
        figures += [
            Figure(f"{service}: process start to ready, p50", median(seconds), "s", at_most(_limit_s(service))),
            Figure(f"{service}: processor time until then, p50", median(cpu_s), "s"),
        ]
    return Measured(figures, raw)


def _limit_s(service: str) -> float:
    return 1.5 if service == _DISPATCHER else 4.0


@asynccontextmanager
async def started(service: str, stack: Stack, compiled: Path) -> AsyncIterator[tuple[int, float]]:
    """A service as a process of its own: its id, and how many seconds it took to be ready. `compiled`: for bytecode."""
    port = free_port()
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", f"services.{service}.app:create_app", "--factory"),
        *("--host", LOOPBACK, "--port", str(port), "--no-access-log"),
        cwd=ROOT,
        env=_environment(service, stack, compiled),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_ready(process, f"http://{LOOPBACK}:{port}/readyz", service)
        yield process.pid, time.perf_counter() - began
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


def _environment(service: str, stack: Stack, compiled: Path) -> dict[str, str]:
    """What the service finds in the cloud. It works beside the stack's own instance, so nothing of it may stand out."""
    description = stack.description
    workers = {name: f"http://{LOOPBACK}:{stack.port(name)}" for name in stack.services if name != _DISPATCHER}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return environment | {
        "PYTHONPYCACHEPREFIX": str(compiled),
        "SERVICE_NAME": service,
        "DATABASE_URL": description["database_url"],
        "SUPABASE_URL": description["supabase_url"],
        "SUPABASE_SERVICE_KEY": description["service_key"],
        "MODEL_BASE_URL": description["model_url"],
        "GEMINI_API_KEY": "emulator",
        "WEBHOOK_SECRET": description["webhook_secret"],
        "WORKER_URLS": json.dumps(workers),
        "DELIVERY": "http",
        **worker_settings(description["supabase_url"], f"http://{LOOPBACK}"),
    }
