"""pg_net's stand-in: sends what is in `net.http_request_queue`, each request once.

Like the original it takes a request out of the queue before it sends it, so a relay that dies has lost what it held;
it never tries again; and it writes what came back to `net._http_response`.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from psycopg import AsyncConnection, OperationalError, sql
from psycopg.types.json import Jsonb

from shared.logs import configure_logging

CHANNEL = "net_http_request"
BATCH = 200
_POLL_S = 0.5
_RECONNECT_S = 0.1
_CLEANUP_S = 600.0
_ERROR_LIMIT = 500

_TAKE = """
delete from net.http_request_queue where ctid = any (
  array (select ctid from net.http_request_queue order by id limit %s for update skip locked)
) returning id, method, url, headers, body, timeout_milliseconds
"""
_RECORD = """
insert into net._http_response (id, status_code, content_type, headers, content, timed_out, error_msg)
values (%s, %s, %s, %s, %s, %s, %s)
"""
_FORGET = "delete from net._http_response where created < now() - interval '6 hours'"

log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    """A row of `net._http_response`: what came back, or why nothing did."""

    request_id: int
    status_code: int | None = None
    content_type: str | None = None
    headers: dict[str, str] | None = None
    content: str | None = None
    timed_out: bool = False
    error: str | None = None

    def row(self) -> tuple[Any, ...]:
        headers = None if self.headers is None else {_storable(k): _storable(v) for k, v in self.headers.items()}
        return (
            self.request_id,
            self.status_code,
            self.content_type and _storable(self.content_type),
            headers and Jsonb(headers),
            self.content and _storable(self.content),
            self.timed_out,
            self.error and _storable(self.error),
        )


def _storable(text: str) -> str:
    """Without what a stranger may send and Postgres refuses: the null character, and bytes that are no text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


class Relay:
    """Two connections: one listens and takes, the other records, so that a slow answer never holds up the next."""

    def __init__(self, database_url: str, client: aiohttp.ClientSession) -> None:
        self._database_url = database_url
        self._client = client
        self._sending: set[asyncio.Task[None]] = set()
        self._answers: asyncio.Queue[Answer] = asyncio.Queue()

    async def run(self) -> None:
        """Work until cancelled; when Postgres goes away, connect again as soon as it is back."""
        while True:
            try:
                async with (
                    await AsyncConnection.connect(self._database_url, autocommit=True) as taking,
                    await AsyncConnection.connect(self._database_url, autocommit=True) as recording,
                    asyncio.TaskGroup() as tasks,
                ):
                    log.info("relay connected")
                    tasks.create_task(self._take(taking))
                    tasks.create_task(self._record(recording))
            except* OperationalError as errors:
                log.warning("relay lost the database", error=str(errors.exceptions[0]).strip())
                await asyncio.sleep(_RECONNECT_S)

    async def _take(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))
        while True:
            rows = await (await connection.execute(_TAKE, (BATCH,))).fetchall()
            for row in rows:
                task = asyncio.create_task(self._send(*row))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            if len(rows) < BATCH:
                # The poll is for requests whose notification was lost with a connection.
                async for _ in connection.notifies(timeout=_POLL_S, stop_after=1):
                    pass

    async def _send(
        self, request_id: int, method: str, url: str, given: dict[str, Any] | None, body: bytes, timeout_ms: int
    ) -> None:
        timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        headers = {name: str(value) for name, value in (given or {}).items() if value is not None}
        try:
            async with self._client.request(
                method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                answer = Answer(
                    request_id,
                    response.status,
                    response.headers.get("content-type"),
                    dict(response.headers),
                    await response.text(errors="replace"),
                )
        except TimeoutError:
            answer = Answer(request_id, timed_out=True, error=f"Timeout of {timeout_ms} ms reached")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            answer = Answer(request_id, error=f"{type(error).__name__}: {error}"[:_ERROR_LIMIT])
        if answer.error:
            log.warning("request failed", request_id=request_id, error=answer.error)
        self._answers.put_nowait(answer)

    async def _record(self, connection: AsyncConnection[Any]) -> None:
        clock = asyncio.get_running_loop().time
        cleaned = 0.0
        while True:
            answers = [await self._answers.get()]
            while not self._answers.empty() and len(answers) < BATCH:
                answers.append(self._answers.get_nowait())
            async with connection.cursor() as cursor:
                await cursor.executemany(_RECORD, [answer.row() for answer in answers])
            if clock() - cleaned > _CLEANUP_S:
                cleaned = clock()
                await connection.execute(_FORGET)


async def main() -> None:
    """Run until SIGTERM, with `DATABASE_URL` from the environment."""
    configure_logging("relay", level=os.environ.get("LOG_LEVEL", "INFO"))
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    # No limit: a slow receiver must not hold up another. No cookies: a request is what its row says.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        try:
            await Relay(os.environ["DATABASE_URL"], client).run()
        except asyncio.CancelledError:
            log.info("relay stopped")
