"""A person, the emulator's levers and the ledger, for tests that run jobs on the embedded stack."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import httpx
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from infra.local.migrate import sync_catalog
from tests.running_stack import RunningStack

Row = dict[str, Any]
ENDED = {"completed", "failed", "cancelled"}


async def until(condition: Callable[[], Awaitable[Any]], timeout_s: float = 30.0, every_s: float = 0.02) -> Any:
    """Whatever `condition` returns, once that is true. Fails after the time limit."""
    deadline = time.monotonic() + timeout_s
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        await asyncio.sleep(every_s)
    return found


@dataclass
class Office:
    """The marketing user at work on a stack: asks for jobs through row level security, and looks what came of them."""

    stack: RunningStack
    connection: AsyncConnection[Row]
    http: httpx.AsyncClient

    @property
    def user(self) -> Row:
        return next(user for user in self.stack["users"] if user["role"] == "marketing")

    async def rows(self, query: LiteralString, *parameters: Any) -> list[Row]:
        """Rows as the superuser sees them."""
        return await (await self.connection.execute(query, parameters)).fetchall()

    async def ask(self, job_type: str, payload: Row, times: int = 1) -> list[UUID]:
        """Inserts `times` jobs in one statement, as the signed-in marketing user."""
        claims = {"sub": self.user["id"], "role": "authenticated", "app_metadata": {"role": "marketing"}}
        async with self.connection.transaction():
            await self.connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
            await self.connection.execute("set local role authenticated")
            inserted = await self.rows(
                "insert into public.jobs (user_id, job_type, payload, status)"
                " select %s, %s, %s, 'queued' from generate_series(1, %s) returning id",
                self.user["id"], job_type, Jsonb(payload), times,
            )  # fmt: skip
        return [row["id"] for row in inserted]

    async def job(self, job_id: UUID) -> Row:
        return (await self.rows("select * from public.jobs where id = %s", job_id))[0]

    async def events(self, job_id: UUID) -> list[Row]:
        return await self.rows("select * from public.job_events where job_id = %s order by id", job_id)

    async def ended(self, job_id: UUID, timeout_s: float = 60.0) -> Row:
        """The job, once it has ended."""

        async def has_ended() -> Row | None:
            job = await self.job(job_id)
            return job if job["status"] in ENDED else None

        return await until(has_ended, timeout_s)

    async def all_ended(self, ids: Iterable[UUID], timeout_s: float = 60.0) -> dict[str, int]:
        """How many ended as what, once all have ended."""
        chosen = list(ids)

        async def have_ended() -> dict[str, int] | None:
            counted = await self.rows(
                "select status, count(*) from public.jobs where id = any(%s) group by status", chosen
            )
            counts = {row["status"]: row["count"] for row in counted}
            return counts if set(counts) <= ENDED else None

        return await until(have_ended, timeout_s, every_s=0.1)

    async def faults(self, **plan: Any) -> None:
        """Tells the emulator what to do wrong; nothing clears it."""
        answer = await self.http.post(f"{self.stack['model_url']}/__emulator/faults", json=plan)
        answer.raise_for_status()

    async def meter(self) -> Row:
        return (await self.http.get(f"{self.stack['model_url']}/__emulator/meter")).json()["totals"]

    async def reset_meter(self) -> None:
        (await self.http.post(f"{self.stack['model_url']}/__emulator/meter/reset")).raise_for_status()

    async def set_lease(self, kind: str, lease_s: float, max_attempts: int = 20) -> None:
        """Shortens a kind's lease, so that a test of recovery does not wait a minute."""
        await self.connection.execute(
            "update public.job_kinds set lease_s = %s, max_attempts = %s where name = %s", (lease_s, max_attempts, kind)
        )


@asynccontextmanager
async def office_on(stack: RunningStack) -> AsyncIterator[Office]:
    """Opens an office on a running stack."""
    connect = AsyncConnection[Row].connect(stack["database_url"], autocommit=True, row_factory=dict_row)
    async with await connect as connection, httpx.AsyncClient(timeout=30) as http:
        yield Office(stack, connection, http)


@pytest.fixture
async def office(stack: RunningStack) -> AsyncIterator[Office]:
    """On the stack that the session shares; leaves the emulator well-behaved and the catalogue as it was."""
    async with office_on(stack) as office:
        yield office
        await office.faults()
        await asyncio.to_thread(sync_catalog, stack["database_url"])
