"""procrastinate: a task queue on Postgres with LISTEN/NOTIFY. Its job has no checkpoint, so it does less than ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.engines.child import worker_processes
from bench.engines.engine import Engine, EnqueueOne, fresh_database
from bench.engines.procrastinate_app import create_app

_DATABASE = "bench_procrastinate"
_TASK = "one_step"


class Procrastinate(Engine):
    """Times are those of its own event log."""

    name = "procrastinate"
    completed_since = """
        select count(*), max(ended.at) from procrastinate_events made
        join procrastinate_events ended on ended.job_id = made.job_id and ended.type = 'succeeded'
        where made.type = 'deferred' and made.at >= %(since)s
    """
    start_latencies_since = """
        select extract(epoch from min(started.at) - made.at) * 1000 from procrastinate_events made
        join procrastinate_events started on started.job_id = made.job_id and started.type = 'started'
        where made.type = 'deferred' and made.at >= %(since)s
        group by made.job_id, made.at
    """

    def __init__(self, admin_url: str, workers: int) -> None:
        super().__init__(f"{admin_url.rpartition('/')[0]}/{_DATABASE}")
        self._admin_url = admin_url
        self._workers = workers

    async def prepare(self) -> None:
        await fresh_database(self._admin_url, _DATABASE)
        app = create_app(self.database_url)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[dict[str, int]]:
        async with worker_processes("bench.engines.procrastinate_app", self.database_url, count=self._workers) as pids:
            yield pids

    async def enqueue_burst(self, count: int) -> None:
        app = create_app(self.database_url)
        async with app.open_async():
            await app.configure_task(_TASK).batch_defer_async(*({} for _ in range(count)))

    @asynccontextmanager
    async def enqueuing(self) -> AsyncIterator[EnqueueOne]:
        app = create_app(self.database_url)
        async with app.open_async():

            async def enqueue_one() -> None:
                await app.configure_task(_TASK).defer_async()

            yield enqueue_one
