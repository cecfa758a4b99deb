"""Whether a worker's memory grows with the jobs that it has done."""

import asyncio
import json
import time
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from bench.engines.engine import POLL_S, TIMEOUT_S, MeasurementFailed, clock
from bench.engines.own_workers import OwnWorkers
from bench.figures import Figure, Measured, at_most
from bench.measures.idle_memory import memory_mib
from bench.setting import Setting

_CHUNKS = 10
_MOST_GROWTH = 5.0
_BLOG = "blog"
_BLOG_PAYLOAD = json.dumps({"topic": "Traceability of orthopedic implants", "language": "en", "research_level": "none"})
_INSERT = """
insert into public.jobs (user_id, job_type, payload, status) select %s, %s, %s, 'queued' from generate_series(1, %s)
"""
_ENDED = """
select count(*) filter (where status = 'completed'), count(*) filter (where status in ('failed', 'cancelled'))
from public.jobs where kind = %s and created_at >= %s
"""

Sizes = list[tuple[int, float]]
"""Jobs done, and the resident set in MiB after them."""


async def measure(setting: Setting) -> Measured:
    """A worker of its own for echo jobs, the stack's for articles; a tenth of the jobs warms up."""
    sizes = {"template": await _after_echo_jobs(setting)}
    if _BLOG in setting.stack.services:
        sizes[_BLOG] = await _after_articles(setting)
    figures: list[Figure] = []
    for service, of_service in sizes.items():
        (_, before), (jobs, after) = of_service[0], of_service[-1]
        name = f"{service}: memory (RSS) after {jobs:,} jobs"
        figures += [
            Figure(name, after, "MiB"),
            Figure(f"{name}, growth since {of_service[0][0]:,}", after - before, "MiB"),
            Figure(f"{name}, growth", (after / before - 1) * 100, "%", at_most(_MOST_GROWTH)),
        ]
    return Measured(figures, {"jobs_and_rss_mib": sizes})


async def _after_echo_jobs(setting: Setting) -> Sizes:
    engine = OwnWorkers(setting.stack, 1)
    await engine.prepare()
    sizes: Sizes = []
    async with engine.working() as pids:
        for done, count in _chunks(setting.scale.echo_jobs):
            await engine.burst(count)
            sizes.append((done, memory_mib(pids["worker 1"])["rss"]))
    return sizes


async def _after_articles(setting: Setting) -> Sizes:
    stack = setting.stack
    pid = stack.pid(_BLOG)
    sizes: Sizes = []
    async with await AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        for done, count in _chunks(setting.scale.articles):
            since = await clock(connection)
            await connection.execute(_INSERT, (stack.user("marketing")["id"], _BLOG, _BLOG_PAYLOAD, count))
            await _until_completed(connection, since, count)
            sizes.append((done, memory_mib(pid)["rss"]))
    if stack.pid(_BLOG) != pid:
        raise MeasurementFailed("the worker was started again in between")
    return sizes


def _chunks(jobs: int) -> list[tuple[int, int]]:
    """For each part: how many jobs are done after it, and how many it has."""
    size = max(jobs // _CHUNKS, 1)
    return [(done, size) for done in range(size, jobs + 1, size)]


async def _until_completed(connection: AsyncConnection[Any], since: datetime, count: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        row = await (await connection.execute(_ENDED, (_BLOG, since))).fetchone()
        assert row is not None
        completed, failed = row
        if failed:
            raise MeasurementFailed(f"{failed} of {count} articles failed")
        if completed >= count:
            return
        await asyncio.sleep(POLL_S)
    raise MeasurementFailed(f"{count} articles were not written in {TIMEOUT_S:.0f} s")
