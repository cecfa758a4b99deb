"""The engine's SQL functions as workers and people call them, and the means to look behind them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Connection = AsyncConnection[Any]

LEASE_LOST = "PT409"
NO_TOKEN = UUID("00000000-0000-4000-8000-000000000000")


def claims(user_id: UUID, role: str | None = None) -> str:
    """What PostgREST puts into `request.jwt.claims` for a signed-in person with that role."""
    app_metadata = {"role": role} if role else {}
    return json.dumps({"sub": str(user_id), "role": "authenticated", "app_metadata": app_metadata})


async def connect(url: str, role: str, user_id: UUID | None = None, app_role: str | None = None) -> Connection:
    """An autocommit connection that acts as a database role, and for a person when one is given."""
    connection = await AsyncConnection.connect(url, autocommit=True)
    await connection.execute("select set_config('role', %s, false)", (role,))
    if user_id is not None:
        await connection.execute(
            "select set_config('request.jwt.claims', %s, false)",
            (claims(user_id, app_role),),
        )
    return connection


async def rows(connection: Connection, query: str, *parameters: Any) -> list[Any]:
    return await (await connection.execute(query, parameters)).fetchall()  # pyright: ignore[reportArgumentType]


async def value(connection: Connection, query: str, *parameters: Any) -> Any:
    """The first column of the first row."""
    found = await rows(connection, query, *parameters)
    return found[0][0]


async def refusal(connection: Connection, query: str, *parameters: Any) -> psycopg.Error:
    """The error that a statement ends with; AssertionError when it is accepted."""
    try:
        await connection.execute(query, parameters)  # pyright: ignore[reportArgumentType]
    except psycopg.Error as error:
        return error
    raise AssertionError(f"accepted: {query} {parameters}")


@dataclass(frozen=True)
class Claim:
    """One attempt's right to write."""

    job_id: UUID
    token: UUID
    attempt: int
    row: dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """One database: `root` is the superuser and may change time and rows, `worker` acts as service_role."""

    url: str
    root: Connection
    worker: Connection
    user_id: UUID

    async def insert(self, kind: str = "echo", payload: Any = None, user_id: UUID | None = None) -> UUID:
        return await value(
            self.root,
            "insert into jobs (user_id, job_type, payload, status) values (%s, %s, %s, 'queued') returning id",
            *(user_id or self.user_id, kind, Jsonb(payload if payload is not None else {})),
        )

    async def insert_many(self, count: int, kind: str = "echo") -> list[UUID]:
        found = await rows(
            self.root,
            "insert into jobs (user_id, job_type) select %s, %s from generate_series(1, %s) returning id",
            *(self.user_id, kind, count),
        )
        return [row[0] for row in found]

    async def claim(self, job_id: UUID, worker: str = "w1", connection: Connection | None = None) -> Claim | None:
        async with (connection or self.worker).cursor(row_factory=dict_row) as cursor:
            await cursor.execute("select * from claim_job(%s, %s)", (job_id, worker))
            row = await cursor.fetchone()
        return None if row is None else Claim(row["id"], row["lease_token"], row["attempt"], row)

    async def claimed(self, kind: str = "echo", worker: str = "w1") -> Claim:
        """A new job, claimed."""
        claim = await self.claim(await self.insert(kind), worker)
        assert claim is not None
        return claim

    async def claimed_many(self, count: int) -> list[Claim]:
        claims = [await self.claim(job_id) for job_id in await self.insert_many(count)]
        return [claim for claim in claims if claim is not None]

    async def expire(self, *job_ids: UUID) -> None:
        """As if the workers had been silent for longer than their leases."""
        await self.root.execute(
            "update jobs set lease_expires_at = clock_timestamp() - interval '1 ms'"
            " where id = any(%s) and status = 'processing'",
            (list(job_ids),),
        )

    async def pass_time(self, job_id: UUID) -> None:
        """As if the pause of a waiting job were over."""
        await self.root.execute(
            "update jobs set scheduled_for = clock_timestamp() where id = %s and status = 'queued'", (job_id,)
        )

    async def job(self, job_id: UUID) -> dict[str, Any]:
        async with self.root.cursor(row_factory=dict_row) as cursor:
            await cursor.execute("select * from jobs where id = %s", (job_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    async def status(self, job_id: UUID) -> str:
        return (await self.job(job_id))["status"]

    async def events(self, job_id: UUID) -> list[str]:
        found = await rows(self.root, "select kind from job_events where job_id = %s order by id", job_id)
        return [row[0] for row in found]

    async def last_event(self, job_id: UUID) -> dict[str, Any]:
        async with self.root.cursor(row_factory=dict_row) as cursor:
            await cursor.execute("select * from job_events where job_id = %s order by id desc limit 1", (job_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    async def reserve(
        self, claim: Claim, key: str = "k", usd: str = "0.10", connection: Connection | None = None
    ) -> Any:
        """One row (call_id, replayed, response, blob, blob_mime_type)."""
        found = await rows(
            connection or self.worker,
            "select * from reserve_call(%s, %s, %s, 'research', 'text', 'gemini', 'plan@1', %s)",
            *(claim.job_id, claim.token, key, Decimal(usd)),
        )
        return found[0]

    async def settle(self, claim: Claim, call_id: int, usd: str = "0.04", response: Any = None) -> bool:
        usage = {"input_tokens": 10, "output_tokens": 5, "thought_tokens": 2, "model_version": "emulator"}
        return await value(
            self.worker,
            "select settle_call(%s, %s, %s, %s, %s)",
            *(call_id, claim.token, Decimal(usd), Jsonb(usage), Jsonb(response or {"text": "ok"})),
        )

    async def fail_call(self, claim: Claim, call_id: int, usd: str = "0") -> bool:
        return await value(
            self.worker,
            "select fail_call(%s, %s, %s, '{}', %s)",
            *(call_id, claim.token, Decimal(usd), Jsonb({"code": "model_unavailable"})),
        )

    async def limit(self, scope: str, usd: str | None, key: str = "*") -> None:
        await self.root.execute("delete from spend_limits where scope = %s and scope_key = %s", (scope, key))
        if usd is not None:
            await self.root.execute("insert into spend_limits values (%s, %s, %s)", (scope, key, Decimal(usd)))

    async def snapshot(self) -> dict[str, list[str]]:
        """Every row of every table of this product as text."""
        tables = await rows(
            self.root,
            "select format('%%I.%%I', schemaname, tablename) from pg_tables"
            " where schemaname in ('public', 'engine', 'net', 'auth') order by 1",
        )
        return {
            table: [row[0] for row in await rows(self.root, f"select t::text from {table} t order by 1")]
            for (table,) in tables
        }

    @asynccontextmanager
    async def crowd(self, count: int, role: str = "service_role") -> AsyncIterator[Sequence[Connection]]:
        """Connections of their own for callers that act at the same moment."""
        async with AsyncExitStack() as stack:
            connections = await asyncio.gather(*(connect(self.url, role) for _ in range(count)))
            for connection in connections:
                await stack.enter_async_context(connection)
            yield connections

    @asynccontextmanager
    async def person(self, user_id: UUID, role: str | None = None) -> AsyncIterator[Connection]:
        """A connection with the rights of a signed-in person."""
        async with await connect(self.url, "authenticated", user_id, role) as connection:
            yield connection
