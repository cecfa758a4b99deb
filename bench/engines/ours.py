"""This system: a row in `jobs`, worked off by the running stack through trigger, relay, dispatcher and worker."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from bench.engines.engine import Engine, EnqueueOne
from bench.stack import Stack

KIND = "echo"
ONE_STEP = json.dumps({"steps": 1})
_CONNECTIONS = 4

# What PostgREST does before a request's statement, in one round trip.
_ACT_AS = "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true)"
_INSERT = "insert into public.jobs (user_id, job_type, payload, status) values (%s, %s, %s, 'queued')"
INSERT_MANY = """
insert into public.jobs (user_id, job_type, payload, status)
select %s, %s, %s, 'queued' from generate_series(1, %s)
"""


class Ours(Engine):
    """Jobs of the type `echo`, inserted by the marketing user under row level security."""

    name = "ours"
    completed_since = """
        select count(*), max(completed_at) from public.jobs
        where created_at >= %(since)s and kind = 'echo' and status = 'completed'
    """
    start_latencies_since = """
        select extract(epoch from claimed.at - j.created_at) * 1000 from public.jobs j
        cross join lateral (
            select min(e.at) as at from public.job_events e where e.job_id = j.id and e.kind = 'claimed'
        ) claimed
        where j.created_at >= %(since)s and j.kind = 'echo' and claimed.at is not null
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.database_url)
        self._stack = stack
        self._user_id = stack.user("marketing")["id"]

    async def prepare(self) -> None:
        """The stack has done so."""

    @asynccontextmanager
    async def working(self) -> AsyncIterator[dict[str, int]]:
        yield {name: self._stack.pid(name) for name in ("relay", "dispatcher", "template")}

    async def enqueue_burst(self, count: int) -> None:
        async with await AsyncConnection.connect(self.database_url) as connection:
            await self._act_as_user(connection)
            await connection.execute(INSERT_MANY, (self._user_id, KIND, ONE_STEP, count))

    @asynccontextmanager
    async def enqueuing(self) -> AsyncIterator[EnqueueOne]:
        pool = AsyncConnectionPool(self.database_url, min_size=_CONNECTIONS, max_size=_CONNECTIONS, open=False)
        async with pool:
            await pool.wait()

            async def enqueue_one() -> None:
                async with pool.connection() as connection:
                    await self._act_as_user(connection)
                    await connection.execute(_INSERT, (self._user_id, KIND, ONE_STEP))

            yield enqueue_one

    async def _act_as_user(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute(_ACT_AS, (self._stack.claims("marketing"),))
