"""DBOS: durable workflows on Postgres. Its workflow records the result of its one step, as ours does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy
from dbos import EnqueueOptions

from bench.engines.child import worker_processes
from bench.engines.dbos_app import QUEUE, WORKFLOW, as_sqlalchemy, create_client
from bench.engines.engine import Engine, EnqueueOne, fresh_database

_DATABASE = "bench_dbos"
_OPTIONS = EnqueueOptions(workflow_name=WORKFLOW, queue_name=QUEUE, app_version="1")


class Dbos(Engine):
    """Times are those of its status table: written by its processes, on the same machine as the server."""

    name = "dbos"
    completed_since = """
        select count(*), to_timestamp(max(completed_at) / 1000.0) from dbos.workflow_status
        where created_at >= extract(epoch from %(since)s::timestamptz) * 1000 and status = 'SUCCESS'
    """
    start_latencies_since = """
        select started_at_epoch_ms - created_at from dbos.workflow_status
        where created_at >= extract(epoch from %(since)s::timestamptz) * 1000 and started_at_epoch_ms is not null
    """

    def __init__(self, admin_url: str, workers: int) -> None:
        super().__init__(f"{admin_url.rpartition('/')[0]}/{_DATABASE}")
        self._admin_url = admin_url
        self._workers = workers

    async def prepare(self) -> None:
        await fresh_database(self._admin_url, _DATABASE)  # its first worker makes the tables

    @asynccontextmanager
    async def working(self) -> AsyncIterator[dict[str, int]]:
        async with worker_processes("bench.engines.dbos_app", self.database_url, count=self._workers) as pids:
            yield pids

    async def enqueue_burst(self, count: int) -> None:
        await asyncio.to_thread(self._enqueue_in_one_transaction, count)

    def _enqueue_in_one_transaction(self, count: int) -> None:
        client = create_client(self.database_url)
        engine = sqlalchemy.create_engine(as_sqlalchemy(self.database_url))
        try:
            with engine.begin() as connection:
                for _ in range(count):
                    client.enqueue_in_transaction(connection, _OPTIONS)
        finally:
            engine.dispose()
            client.destroy()

    @asynccontextmanager
    async def enqueuing(self) -> AsyncIterator[EnqueueOne]:
        client = create_client(self.database_url)

        async def enqueue_one() -> None:
            await client.enqueue_async(_OPTIONS)

        try:
            yield enqueue_one
        finally:
            client.destroy()
