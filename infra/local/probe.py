"""Asks a process over HTTP whether it is ready."""

import asyncio
from contextlib import suppress

from infra.local.ports import LOOPBACK

_PAUSE_S = 0.02
_ANSWER_TIMEOUT_S = 5.0


async def until_ready(port: int, path: str) -> None:
    """Return once `GET path` is answered with 200. There is no time limit here: the caller sets one."""
    while await _status(port, path) != 200:  # noqa: ASYNC110 - nothing tells us but asking
        await asyncio.sleep(_PAUSE_S)


async def _status(port: int, path: str) -> int | None:
    # A few bytes by hand: a client library would take longer to import than the stack to answer. The connection waits
    # in the listening socket's queue until the process accepts it.
    with suppress(OSError, asyncio.IncompleteReadError, ValueError, IndexError, TimeoutError):
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                line = await reader.readline()
            return int(line.split()[1])
        finally:
            writer.close()
    return None
