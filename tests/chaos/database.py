"""The suite's own way into a database that comes and goes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

Row = dict[str, Any]
T = TypeVar("T")


class Database:
    """Statements of the superuser, each on a connection of its own, again and again while Postgres is away."""

    def __init__(self, url: str, patience_s: float = 60.0) -> None:
        self._url = url
        self._patience_s = patience_s

    async def rows(self, query: LiteralString, *parameters: Any) -> list[Row]:
        """Rows of one statement; none when it returns none."""

        async def ask(connection: AsyncConnection[Row]) -> list[Row]:
            return await rows_of(connection, query, parameters)

        return await self.work(ask)

    async def work(self, work: Callable[[AsyncConnection[Row]], Awaitable[T]]) -> T:
        """What `work` returns. It may run twice when the database goes away between its end and the news of it."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                connect = AsyncConnection[Row].connect(
                    self._url, autocommit=True, row_factory=dict_row, connect_timeout=5
                )
                async with await connect as connection:
                    return await work(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)


async def rows_of(connection: AsyncConnection[Row], query: LiteralString, parameters: Sequence[Any] = ()) -> list[Row]:
    """Rows of a statement on an open connection; none when it returns none."""
    cursor = await connection.execute(query, parameters)
    return await cursor.fetchall() if cursor.description else []
