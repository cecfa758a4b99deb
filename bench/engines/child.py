"""A worker of another engine as a process of its own."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from bench.engines.engine import MeasurementFailed

READY = b"ready"
_READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 15.0


@asynccontextmanager
async def worker_processes(module: str, database_url: str, *, count: int) -> AsyncIterator[dict[str, int]]:
    """Runs `python -m module DATABASE_URL NAME` that many times until the block is left. Yields the ids by name.

    One is ready before the next one starts: the first may have tables to make.
    """
    async with AsyncExitStack() as stack:
        names = [f"worker {number}" for number in range(1, count + 1)]
        yield {name: await stack.enter_async_context(_worker_process(module, database_url, name)) for name in names}


@asynccontextmanager
async def _worker_process(module: str, *arguments: str) -> AsyncIterator[int]:
    """Runs `python -m module` until the block is left; it says "ready" on a line of its own. Yields its id."""
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(_READY_TIMEOUT_S):
                while (line := await process.stdout.readline()) and line.strip() != READY:
                    pass
            if not line:
                log.seek(0)
                raise MeasurementFailed(f"{module} ended at its start: {log.read().decode(errors='replace')[-2000:]}")
            yield process.pid
        finally:
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
