"""A job under way and the books about its calls, as the tests see them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from shared.engine.job import Lease
from shared.engine.store import JobStore

Connection = AsyncConnection[Any]


@dataclass(frozen=True)
class Jobs:
    """Makes jobs of the kind `echo` and claims them."""

    connection: Connection
    store: JobStore
    user_id: UUID

    async def claimed(self) -> Lease:
        cursor = await self.connection.execute(
            "insert into jobs (user_id, job_type, payload, status) values (%s, 'echo', '{}', 'queued') returning id",
            (self.user_id,),
        )
        row = await cursor.fetchone()
        assert row is not None
        return await self.claim(row[0])

    async def claim(self, job_id: UUID) -> Lease:
        claimed = await self.store.claim(job_id, "test", ["echo"])
        assert claimed is not None
        return claimed[1]

    async def taken_over(self, lease: Lease) -> Lease:
        """The lease of the attempt that follows when this one's has run out."""
        await self.connection.execute(
            "update jobs set lease_expires_at = clock_timestamp() - interval '1 s' where id = %s", (lease.job_id,)
        )
        return await self.claim(lease.job_id)


@dataclass(frozen=True)
class Books:
    """What the ledger and its counters say."""

    connection: Connection

    async def rows(self) -> list[dict[str, Any]]:
        cursor = await self.connection.cursor(row_factory=dict_row).execute("select * from model_calls order by id")
        return await cursor.fetchall()

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.rows()]

    async def cost_usd(self) -> Decimal:
        return sum((row["cost_usd"] for row in await self.rows()), Decimal(0))

    async def reserved_usd(self) -> Decimal:
        """The most that any counter holds as reserved."""
        return await self._one("select coalesce(max(reserved_usd), 0) from engine.spend_counters")

    async def spent_usd(self) -> Decimal:
        """What the counter of everything says."""
        return await self._one("select coalesce(sum(spent_usd), 0) from engine.spend_counters where scope = 'overall'")

    async def limit(self, scope: str, usd: str) -> None:
        await self.connection.execute(
            "insert into spend_limits (scope, usd) values (%s, %s)"
            " on conflict (scope, scope_key) do update set usd = excluded.usd",
            (scope, usd),
        )

    async def _one(self, query: Any) -> Decimal:
        row = await (await self.connection.execute(query)).fetchone()
        assert row is not None
        return row[0]
