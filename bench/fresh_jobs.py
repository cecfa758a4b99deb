"""Jobs in a database of a measurement's own, claimed as a worker claims them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

from bench.engines.engine import MeasurementFailed, fresh_database
from infra.local.migrate import prepare
from shared.db import Pool, create_pool
from shared.engine.attempt import Attempt
from shared.engine.context import JobContext
from shared.engine.draining import Drain
from shared.engine.job import Lease
from shared.engine.store import JobStore

_KIND = "echo"
_LONG_LEASE = "update public.job_kinds set lease_s = 600 where name = %s"
_USER = "insert into auth.users (id, email) values (gen_random_uuid(), %s) returning id"
_QUEUE = "insert into public.jobs (user_id, job_type, payload, status) values (%s, %s, %s, 'queued') returning id"


async def prepared_database(admin_url: str, name: str) -> str:
    """An empty database with baseline, migrations and catalogue, in place of one of that name. Returns its URL."""
    url = await fresh_database(admin_url, name)
    await asyncio.to_thread(prepare, url)
    return url


async def add_user(connection: AsyncConnection[Any], email: str) -> Any:
    """Id of a new person without any role."""
    row = await (await connection.execute(_USER, (email,))).fetchone()
    assert row is not None
    return row[0]


class FreshJobs:
    """Makes jobs and claims them. `pool` is that of a service. Leases are so long that nothing has to renew them."""

    def __init__(self, url: str, owner: AsyncConnection[Any], user_id: Any, pool: Pool) -> None:
        self.url = url
        self.pool = pool
        self._owner = owner
        self._user_id = user_id
        self._store = JobStore(pool)

    async def claim(self) -> JobContext:
        """A new job in the hands of its handler."""
        row = await (await self._owner.execute(_QUEUE, (self._user_id, _KIND, json.dumps({"steps": 1})))).fetchone()
        assert row is not None
        claimed = await self._store.claim(row[0], "bench", [_KIND])
        if claimed is None:
            raise MeasurementFailed("a queued job was not claimed")
        job, lease = claimed
        return JobContext(job, Attempt(lease, Drain(), time.monotonic()), self._store)

    async def complete(self, lease: Lease) -> None:
        """Ends a job."""
        await self._store.complete(lease, {})


@asynccontextmanager
async def fresh_jobs(admin_url: str, name: str, *, pool_size: int) -> AsyncIterator[FreshJobs]:
    """Jobs of a new database `name`, which is left behind."""
    url = await prepared_database(admin_url, name)
    async with (
        await AsyncConnection.connect(url, autocommit=True) as owner,
        create_pool(url, max_size=pool_size) as pool,
    ):
        await owner.execute(_LONG_LEASE, (_KIND,))
        yield FreshJobs(url, owner, await add_user(owner, f"{name}@bench.test"), pool)
