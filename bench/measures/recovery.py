"""How soon a job runs again when its worker was killed, and when its worker was asked to stop."""

import asyncio
import json
import os
import signal
import time
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from bench.engines.engine import MeasurementFailed, clock
from bench.engines.ours import KIND
from bench.figures import Figure, Measured, at_most
from bench.percentiles import median
from bench.setting import Setting
from bench.stack import Stack

_WORKER = "template"
_SWEEP_AND_START_S = 3.0
_RELEASED_S = 1.0
# Each step renews the lease: whenever the worker is killed, nearly the whole lease is still to run.
_SHORT_STEPS = json.dumps({"steps": 1000, "sleep_ms": 300})
# A step that uses up the whole grace which a worker gives to what runs when it is told to stop.
_LONG_STEP = json.dumps({"steps": 1, "sleep_ms": 60_000})
_POLL_S = 0.05
_TIMEOUT_S = 90.0

_INSERT = """
insert into public.jobs (user_id, job_type, payload, status)
select %s, %s, payload::jsonb, 'queued' from unnest(%s::text[]) payload returning id
"""
_RUNNING = """
select count(*) from public.jobs
where id = any (%s) and status = 'processing'
  and (checkpoint_data is not null or started_at < clock_timestamp() - interval '1 s')
"""
_CLAIMED_AFTER = """
select job_id, extract(epoch from min(at) - %s)::float8 from public.job_events
where job_id = any (%s) and kind = 'claimed' and at > %s group by job_id
"""
_CLAIMED_AFTER_RELEASE = """
select released.job_id, extract(epoch from min(claimed.at) - released.at)::float8
from public.job_events released
join public.job_events claimed
  on claimed.job_id = released.job_id and claimed.kind = 'claimed' and claimed.at > released.at
where released.job_id = any (%s) and released.kind = 'released' and released.at > %s
group by released.job_id, released.at
"""
_CANCEL = "select public.cancel_job(id) from public.jobs where id = any (%s) and status in ('queued', 'processing')"
_LEASE = "select lease_s from public.job_kinds where name = %s"


async def measure(setting: Setting) -> Measured:
    """Several jobs at a time, in the middle of which the worker's process is killed, or told to stop."""
    stack, scale = setting.stack, setting.scale
    short_steps = [_SHORT_STEPS] * scale.jobs_at_once
    async with await AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        row = await (await connection.execute(_LEASE, (KIND,))).fetchone()
        assert row is not None
        lease_s = float(row[0])

        async def repeated(times: int, sent: signal.Signals, payloads: list[str]) -> list[float]:
            return [seconds for _ in range(times) for seconds in await _interrupted(connection, stack, sent, payloads)]

        killed_s = await repeated(scale.kills, signal.SIGKILL, short_steps)
        released_s = await repeated(scale.terminations, signal.SIGTERM, short_steps)
        beside_a_long_step_s = await repeated(1, signal.SIGTERM, [*short_steps, _LONG_STEP])
    return Measured(
        figures=[
            Figure("claimed again after kill -9, longest", max(killed_s), "s", at_most(lease_s + _SWEEP_AND_START_S)),
            Figure("claimed again after kill -9, p50", median(killed_s), "s"),
            Figure("claimed again after its release (SIGTERM), longest", max(released_s), "s", at_most(_RELEASED_S)),
            Figure("claimed again after its release, p50", median(released_s), "s"),
            Figure(
                "claimed again after its release beside a long step, longest",
                max(beside_a_long_step_s),
                "s",
                at_most(_RELEASED_S),
            ),
        ],
        raw={
            "after_kill_s": killed_s,
            "after_release_s": released_s,
            "after_release_beside_a_long_step_s": beside_a_long_step_s,
            "lease_s": lease_s,
        },
        notes=[f"A job's lease is {lease_s:g} s. Those of a killed worker had been renewed within the last 0.3 s."],
    )


async def _interrupted(
    connection: AsyncConnection[Any], stack: Stack, sent: signal.Signals, payloads: list[str]
) -> list[float]:
    """Seconds that each of the jobs waited for its next claim."""
    user_id = stack.user("marketing")["id"]
    rows = await (await connection.execute(_INSERT, (user_id, KIND, payloads))).fetchall()
    ids: list[UUID] = [row[0] for row in rows]
    try:
        await _until_all_run(connection, ids)
        pid = stack.pid(_WORKER)
        at = await clock(connection)
        os.kill(pid, sent)
        waits = await _waits(connection, ids, at, sent)
        await _until_replaced(stack, pid)
        return waits
    finally:
        await connection.execute(_CANCEL, (ids,))


async def _until_all_run(connection: AsyncConnection[Any], ids: list[UUID]) -> None:
    """Each job is in the middle of a step."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        row = await (await connection.execute(_RUNNING, (ids,))).fetchone()
        if row is not None and row[0] == len(ids):
            return
        await asyncio.sleep(_POLL_S)
    raise MeasurementFailed("the jobs to interrupt did not start")


async def _waits(connection: AsyncConnection[Any], ids: list[UUID], at: datetime, sent: signal.Signals) -> list[float]:
    deadline = time.monotonic() + _TIMEOUT_S
    rows: list[tuple[UUID, float]] = []
    while time.monotonic() < deadline:
        if sent == signal.SIGKILL:
            cursor = await connection.execute(_CLAIMED_AFTER, (at, ids, at))
        else:
            cursor = await connection.execute(_CLAIMED_AFTER_RELEASE, (ids, at))
        rows = await cursor.fetchall()
        if len(rows) == len(ids):
            return [row[1] for row in rows]
        await asyncio.sleep(_POLL_S)
    raise MeasurementFailed(f"after {sent.name} only {len(rows)} of {len(ids)} jobs were claimed again")


async def _until_replaced(stack: Stack, pid: int) -> None:
    """The supervisor has written down the new process."""
    deadline = time.monotonic() + _TIMEOUT_S
    while stack.pid(_WORKER) == pid:
        if time.monotonic() > deadline:
            raise MeasurementFailed("the worker was not started again")
        await asyncio.sleep(_POLL_S)
