"""Connections to Postgres. Every connection of a service acts as `service_role`, whoever logged in."""

import asyncio
import select
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, LiteralString

import orjson
from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[Any]

_SEATS = 4
_SEAT_LIFETIME_S = 600


class Pool(AsyncConnectionPool[Connection]):
    """A pool of autocommit connections, with a short way for single statements.

    `fetch` runs one statement on one of a few connections that it keeps out of the pool and hands from task to task:
    checking a connection out costs more than a short statement does (measured: 350 µs of CPU through the pool, 150 µs
    here). `connection()`, for transactions, is the pool's own.
    """

    _seats: "deque[_Seat] | None" = None
    _closing = False

    async def fetch(self, query: LiteralString, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement, which is its own transaction. Raises `psycopg.Error`."""
        if self._seats is None:
            self._seats = deque(_Seat() for _ in range(min(_SEATS, self.max_size)))
            self._waiters: deque[asyncio.Future[_Seat]] = deque()
        seat = self._seats.pop() if self._seats else await self._next_seat()
        try:
            if not seat.is_sound():
                await self._clear(seat)
                seat.take(await self.getconn())
            cursor = seat.cursor
            await cursor.execute(query, parameters)
            return await cursor.fetchall()
        finally:
            try:
                if self._closing or not seat.is_idle():
                    await self._clear(seat)
            finally:
                self._pass_on(seat)

    async def close(self, timeout: float = 5) -> None:  # noqa: ASYNC109  the pool's signature
        """Gives the kept connections back, then closes the pool."""
        self._closing = True
        for seat in self._seats or ():
            await self._clear(seat)
        await super().close(timeout)

    async def _next_seat(self) -> "_Seat":
        waiter: asyncio.Future[_Seat] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())
            raise

    def _pass_on(self, seat: "_Seat") -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(seat)
                return
        assert self._seats is not None  # noqa: S101  set by the first fetch
        self._seats.append(seat)

    async def _clear(self, seat: "_Seat") -> None:
        connection = seat.leave()
        if connection is not None:
            await self.putconn(connection)


class _Seat:
    """A place for a connection that is kept out of the pool, with a cursor that is used again and again."""

    __slots__ = ("_connection", "_poll", "_until", "cursor")

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self.cursor: AsyncCursor[Any]

    def take(self, connection: Connection) -> None:
        self._connection = connection
        self.cursor = connection.cursor()
        self._poll = _readable(connection)
        self._until = time.monotonic() + _SEAT_LIFETIME_S

    def leave(self) -> Connection | None:
        connection, self._connection = self._connection, None
        return connection

    def is_idle(self) -> bool:
        """Whether the last statement has ended, and the connection with it has not."""
        connection = self._connection
        return connection is not None and connection.pgconn.transaction_status == TransactionStatus.IDLE

    def is_sound(self) -> bool:
        return self.is_idle() and not self._poll.poll(0) and time.monotonic() < self._until


def create_pool(database_url: str, *, max_size: int, min_size: int = 1, timeout_s: float = 10) -> Pool:
    """A closed pool; open it with `async with pool:` or `await pool.open()`.

    JSON goes through orjson. A connection that is not to be had within `timeout_s` raises `psycopg_pool.PoolTimeout`.
    Needs a session-mode or direct connection: `set role` and prepared statements do not live through a transaction
    pooler.
    """
    return Pool(
        database_url,
        connection_class=AsyncConnection[Any],
        kwargs={
            "autocommit": True,
            # A peer that vanished without a word is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 15_000,
            "connect_timeout": 5,
        },
        min_size=min(min_size, max_size),
        max_size=max_size,
        open=False,
        configure=_prepare,
        check=_check,
        timeout=timeout_s,
        max_lifetime=1800,
        reconnect_timeout=60,
    )


async def _prepare(connection: Connection) -> None:
    set_json_loads(orjson.loads, connection)
    set_json_dumps(orjson.dumps, connection)
    # A process that is frozen or gone in the middle of a transaction must not keep its rows locked for hours.
    await connection.execute("set role service_role; set idle_in_transaction_session_timeout = '15s'")


async def _check(connection: Connection) -> None:
    """Costs no round trip while all is well: a server says something on an idle connection only when it ends it."""
    if _readable(connection).poll(0):
        await AsyncConnectionPool.check_connection(connection)


def _readable(connection: Connection) -> select.poll:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return poll
