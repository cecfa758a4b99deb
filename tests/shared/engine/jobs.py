"""Jobs as the tests see them: put in like the front end does, looked at like an auditor does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb


class Jobs:
    """The superuser's view of one database."""

    def __init__(self, connection: AsyncConnection[Any], user_id: UUID) -> None:
        self.connection = connection
        self.user_id = user_id

    async def enqueue(
        self, payload: dict[str, Any] | None = None, *, kind: str = "echo", scheduled_for: datetime | None = None
    ) -> UUID:
        cursor = await self.connection.execute(
            "select id from public.enqueue_job(%s, %s, %s, %s)",
            (kind, Jsonb(payload or {}), self.user_id, scheduled_for),
        )
        row = await cursor.fetchone()
        assert row is not None
        return row[0]

    async def enqueue_many(self, count: int) -> list[UUID]:
        cursor = await self.connection.execute(
            "insert into public.jobs (user_id, job_type, payload) select %s, 'echo', '{}' from generate_series(1, %s)"
            " returning id",
            (self.user_id, count),
        )
        return [row[0] for row in await cursor.fetchall()]

    async def row(self, job_id: UUID) -> dict[str, Any]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute("select * from public.jobs where id = %s", (job_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    async def status(self, job_id: UUID) -> str:
        return (await self.row(job_id))["status"]

    async def count(self, status: str) -> int:
        cursor = await self.connection.execute("select count(*) from public.jobs where status = %s", (status,))
        row = await cursor.fetchone()
        assert row is not None
        return row[0]

    async def events(self, job_id: UUID) -> list[str]:
        cursor = await self.connection.execute(
            "select kind from public.job_events where job_id = %s order by id", (job_id,)
        )
        return [row[0] for row in await cursor.fetchall()]

    async def snapshot(self, job_id: UUID) -> Any:
        """Everything that a write could have changed."""
        return await self.row(job_id), await self.events(job_id)

    async def set_kind(self, kind: str = "echo", **columns: Any) -> None:
        for column, value in columns.items():
            await self.connection.execute(
                f"update public.job_kinds set {column} = %s where name = %s",  # type: ignore[arg-type]
                (value, kind),
            )

    async def expire_lease(self, job_id: UUID) -> None:
        await self.connection.execute(
            "update public.jobs set lease_expires_at = now() - interval '1 second' where id = %s", (job_id,)
        )

    async def make_due(self, job_id: UUID) -> None:
        await self.connection.execute(
            "update public.jobs set scheduled_for = clock_timestamp() where id = %s and status = 'queued'", (job_id,)
        )

    async def cancel(self, job_id: UUID) -> None:
        await self.connection.execute("select public.cancel_job(%s)", (job_id,))

    async def cut_off(self) -> None:
        """Ends every connection but this one, as a restart of the server does."""
        await self.connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


async def eventually(condition: Callable[[], Awaitable[Any] | Any], within_s: float = 10) -> Any:
    """The first true value of `condition`, asked again and again until a deadline."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {within_s} s: {condition}"
        await asyncio.sleep(0.01)
