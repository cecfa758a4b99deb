"""What a claim costs when the table holds a million finished jobs, beside an empty one."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from bench.engines.engine import MeasurementFailed
from bench.figures import Figure, Measured, at_most
from bench.fresh_jobs import add_user, prepared_database
from bench.percentiles import describe
from bench.setting import Setting

_MOST_TIMES_EMPTY = 1.2
_WARM_UP_CLAIMS = 20

# Finished jobs as the engine leaves them, with their events, over the past half year. Without triggers, which would
# announce each job.
_FINISHED_JOBS = """
insert into public.jobs (user_id, job_type, kind, status, payload, result, created_at, started_at, completed_at,
                         updated_at, scheduled_for, attempts, worker, trace_id)
select %s, 'echo', 'echo', 'completed', '{"steps": 1}', '{"steps": [{"attempt": 1}]}', at, at, at, at, at, 1, 'bench',
       replace(gen_random_uuid()::text, '-', '')
from (select now() - make_interval(secs => number * 15.0) as at from generate_series(1, %s) number) made
"""
_THEIR_EVENTS = """
insert into public.job_events (job_id, at, kind, actor, attempt)
select j.id, j.created_at, event.kind, 'bench', event.attempt
from public.jobs j
cross join (values ('queued', 0), ('claimed', 1), ('checkpoint', 1), ('completed', 1)) event (kind, attempt)
"""
_QUEUE = """
insert into public.jobs (user_id, job_type, payload, status)
select %s, 'echo', '{"steps": 1}', 'queued' from generate_series(1, %s) returning id
"""
_CLAIM = "select * from public.claim_job(%s, 'bench', array['echo'])"


@dataclass
class _Table:
    """A database with its queued jobs, and how long claims took there, in milliseconds."""

    connection: AsyncConnection[Any]
    queued: list[UUID]
    with_commit_ms: list[float] = field(default_factory=list[float])
    statement_ms: list[float] = field(default_factory=list[float])

    async def claim_one(self) -> float:
        """The time of one claim; in a transaction that is open it is that of the statement alone."""
        started = time.perf_counter()
        claimed = await (await self.connection.execute(_CLAIM, (self.queued.pop(),))).fetchall()
        took_ms = (time.perf_counter() - started) * 1000
        if len(claimed) != 1:
            raise MeasurementFailed("a queued job was not claimed")
        return took_ms


async def measure(setting: Setting) -> Measured:
    """The two tables are claimed from in turns, so that whatever else the machine does hits both."""
    claims, finished_jobs = setting.scale.claims, setting.scale.finished_jobs
    async with AsyncExitStack() as connections:
        started = time.perf_counter()
        tables = {
            name: await _table(connections, setting, name, count, 2 * claims + _WARM_UP_CLAIMS)
            for name, count in (("empty", 0), ("full", finished_jobs))
        }
        made_in_s = time.perf_counter() - started
        for table in tables.values():
            for _ in range(_WARM_UP_CLAIMS):
                await table.claim_one()
        for _ in range(claims):
            for table in tables.values():
                table.with_commit_ms.append(await table.claim_one())
                async with table.connection.transaction():
                    table.statement_ms.append(await table.claim_one())
    with_commit_ms = {name: describe(table.with_commit_ms) for name, table in tables.items()}
    statement_ms = {name: describe(table.statement_ms) for name, table in tables.items()}
    return Measured(
        figures=[
            *(
                Figure(
                    f"claim p50, {finished_jobs:,} finished jobs ÷ empty table, {what}",
                    each["full"]["p50"] / each["empty"]["p50"],
                    "times",
                    at_most(_MOST_TIMES_EMPTY),
                )
                for what, each in (("statement", statement_ms), ("with commit", with_commit_ms))
            ),
            Figure(f"claim with commit, {finished_jobs:,} finished jobs, p50", with_commit_ms["full"]["p50"], "ms"),
        ],
        raw={
            "with_commit_ms": with_commit_ms,
            "statement_ms": statement_ms,
            "finished_jobs": finished_jobs,
            "events": 4 * finished_jobs,
            "made_in_s": made_in_s,
        },
    )


async def _table(connections: AsyncExitStack, setting: Setting, name: str, finished: int, queued: int) -> _Table:
    """A migrated database with that many finished and queued jobs, and a connection that may claim."""
    url = await prepared_database(setting.stack.database_url, f"bench_claims_{name}")
    connection: AsyncConnection[Any] = await AsyncConnection.connect(url, autocommit=True)
    connections.push_async_exit(connection)
    user_id = await add_user(connection, "claims@bench.test")
    if finished:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(_FINISHED_JOBS, (user_id, finished))
        await connection.execute(_THEIR_EVENTS)
        await connection.execute("set session_replication_role = origin")
    rows = await (await connection.execute(_QUEUE, (user_id, queued))).fetchall()
    await connection.execute("vacuum analyze")
    await connection.execute("checkpoint")
    await connection.execute("set role service_role")
    return _Table(connection, _ids(rows))


def _ids(rows: Sequence[tuple[UUID]]) -> list[UUID]:
    return [row[0] for row in rows]
