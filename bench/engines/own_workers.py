"""This system with as many workers as a measurement wants: whole processes, on a database of their own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import cycle
from uuid import UUID  # noqa: TC003  kept plain for readers: it costs nothing

from psycopg import AsyncConnection

from bench.engines.ours import INSERT_MANY, KIND, ONE_STEP, Ours
from bench.fresh_jobs import prepared_database
from bench.service_process import started
from bench.stack import Stack
from infra.local.identity import token_url
from shared.db import create_pool
from shared.engine.catalog import load_catalog
from shared.engine.delivery import HttpDelivery
from shared.engine.store import JobStore

_SERVICE = "template"
_USER = "insert into auth.users (id, email) values (%s, 'workers@bench.test')"


class OwnWorkers(Ours):
    """Jobs are dealt out to the workers in turns, by the dispatcher's own delivery, which runs in this process.

    A load balancer does that in the cloud; the stack has one instance of a service and nothing to balance.
    """

    def __init__(self, stack: Stack, workers: int) -> None:
        super().__init__(stack)
        self._workers = workers
        self.database_url = f"{stack.database_url.rpartition('/')[0]}/bench_workers_{workers}"
        self._inserted: asyncio.Queue[list[UUID]] = asyncio.Queue()

    async def prepare(self) -> None:
        await prepared_database(self._stack.database_url, self.database_url.rpartition("/")[2])
        async with await AsyncConnection.connect(self.database_url) as connection:
            await connection.execute(_USER, (self._user_id,))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[dict[str, int]]:
        """Ids of the worker processes, `worker 1` and so on, and of this one, which delivers."""
        async with AsyncExitStack() as stack:
            starting = [
                stack.enter_async_context(started(_SERVICE, self._stack, {"DATABASE_URL": self.database_url}))
                for _ in range(self._workers)
            ]
            processes = {f"worker {number}": await each for number, each in enumerate(starting, start=1)}
            delivering = asyncio.create_task(self._deliver({name: each.url for name, each in processes.items()}))
            try:
                yield {name: each.pid for name, each in processes.items()} | {"delivery": os.getpid()}
            finally:
                delivering.cancel()
                await asyncio.wait({delivering})

    async def enqueue_burst(self, count: int) -> None:
        async with await AsyncConnection.connect(self.database_url) as connection:
            await self._act_as_user(connection)
            cursor = await connection.execute(INSERT_MANY + "returning id", (self._user_id, KIND, ONE_STEP, count))
            ids = [row[0] for row in await cursor.fetchall()]
        self._inserted.put_nowait(ids)

    async def _deliver(self, urls: dict[str, str]) -> None:
        """Until it is cancelled: what is inserted is due, and is sent to a worker."""
        concurrency = dict.fromkeys(urls, load_catalog().services[_SERVICE].concurrency)
        delivery = HttpDelivery(urls, concurrency, token_url(self._stack.description["supabase_url"]))
        turns = cycle(urls)
        async with create_pool(self.database_url, max_size=2) as pool, delivery.running():
            store = JobStore(pool)
            while True:
                for job in await store.due(await self._inserted.get()):
                    await delivery.deliver(replace(job, service=next(turns)))
