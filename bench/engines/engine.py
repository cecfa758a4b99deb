"""What every measured engine can do, so that each measurement treats them alike."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, ClassVar, LiteralString

from psycopg import AsyncConnection, sql

POLL_S = 0.2
TIMEOUT_S = 300.0

EnqueueOne = Callable[[], Awaitable[None]]


class MeasurementFailed(Exception):
    """The figure could not be taken; the message says why."""


class Engine(ABC):
    """One engine with its own database. All times are the database server's clock."""

    name: ClassVar[str]
    completed_since: ClassVar[LiteralString]
    """Query: number of completed jobs among those made since %(since)s, and when the last of them ended."""
    start_latencies_since: ClassVar[LiteralString]
    """Query: milliseconds from a job's creation to its first start, for the jobs made since %(since)s."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    @abstractmethod
    async def prepare(self) -> None:
        """Makes the database ready."""

    @abstractmethod
    def working(self) -> AbstractAsyncContextManager[dict[str, int]]:
        """While in the block, jobs are worked off, by processes of their own: their ids by name."""

    @abstractmethod
    async def enqueue_burst(self, count: int) -> None:
        """Inserts that many one-step jobs in one transaction and commits it."""

    @abstractmethod
    def enqueuing(self) -> AbstractAsyncContextManager[EnqueueOne]:
        """A function that inserts one job in a transaction of its own, over a warm connection."""

    async def burst(self, count: int) -> float:
        """Inserts `count` jobs and waits for all. Returns the seconds from the commit to the end of the last one."""
        async with await AsyncConnection.connect(self.database_url, autocommit=True) as watch:
            since = await clock(watch)
            await self.enqueue_burst(count)
            committed_at = await clock(watch)
            last = await self._all_completed(watch, since, count)
            return (last - committed_at).total_seconds()

    async def start_latencies(self, since: datetime, count: int) -> list[float]:
        """Waits until the `count` jobs made since then are completed. Returns their start latencies in milliseconds."""
        async with await AsyncConnection.connect(self.database_url, autocommit=True) as watch:
            await self._all_completed(watch, since, count)
            cursor = await watch.execute(self.start_latencies_since, {"since": since})
            latencies = [float(row[0]) for row in await cursor.fetchall()]
        if len(latencies) != count:
            raise MeasurementFailed(f"{self.name} started {len(latencies)} of {count} jobs")
        return latencies

    async def _all_completed(self, watch: AsyncConnection[Any], since: datetime, count: int) -> datetime:
        deadline = time.monotonic() + TIMEOUT_S
        completed = 0
        while time.monotonic() < deadline:
            row = await (await watch.execute(self.completed_since, {"since": since})).fetchone()
            assert row is not None
            completed, last = row
            if completed >= count:
                return last
            await asyncio.sleep(POLL_S)
        raise MeasurementFailed(f"{self.name} completed {completed} of {count} jobs in {TIMEOUT_S:.0f} s")


async def clock(connection: AsyncConnection[Any]) -> datetime:
    """The database server's time."""
    row = await (await connection.execute("select clock_timestamp()")).fetchone()
    assert row is not None
    return row[0]


async def fresh_database(admin_url: str, name: str) -> str:
    """Makes an empty database on the server, in place of one of that name. Returns its URL."""
    async with await AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        await connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return f"{admin_url.rpartition('/')[0]}/{name}"
