"""Many one-step jobs at once, engine after engine in turns, and where the processors' time goes."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from bench.cpu import Meter, family_seconds, process_seconds
from bench.engines.engine import Engine
from bench.engines.ours import Ours
from bench.figures import Figure, Measured, at_least
from bench.percentiles import median
from bench.setting import Setting
from bench.text_table import render

_TARGET_JOBS_PER_S = 300
_TRANSACTIONS = """
select xact_commit + xact_rollback as transactions, tup_inserted + tup_updated + tup_deleted as rows_written
from pg_catalog.pg_stat_database where datname = current_database()
"""
_LOG_POSITION = "select pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn"

Round = dict[str, Any]


async def measure(setting: Setting) -> Measured:
    """Jobs per second from the commit of the insert to the end of the last job; medians over the rounds."""
    engines = setting.engines()
    for engine in engines:
        await engine.prepare()
    before = {engine.name: await _counters(engine) for engine in engines}
    rounds: dict[str, list[Round]] = {engine.name: [] for engine in engines}
    for _ in range(setting.scale.rounds):
        for engine in engines:
            rounds[engine.name].append(await take_round(engine, setting))
    await asyncio.sleep(setting.scale.counters_s)
    jobs = (setting.scale.burst_jobs + setting.scale.warm_up_jobs) * setting.scale.rounds
    per_job = {
        engine.name: {
            name: (count - before[engine.name][name]) / jobs for name, count in (await _counters(engine)).items()
        }
        for engine in engines
    }
    speeds = {name: median([each["jobs_per_s"] for each in of_engine]) for name, of_engine in rounds.items()}
    ours = speeds.pop(Ours.name)
    name = f"{setting.scale.burst_jobs:,} one-step jobs at once"
    return Measured(
        figures=[Figure(name, ours, "jobs/s", at_least(_TARGET_JOBS_PER_S), speeds)],
        raw={"rounds": rounds, "per_job": per_job},
        tables=[_cost_table(rounds, per_job)],
        notes=["procrastinate keeps no checkpoints; our job and that of DBOS record what their step returned."],
    )


async def take_round(engine: Engine, setting: Setting) -> Round:
    """One burst after a warm-up: `jobs_per_s`, and what it cost. Workers are started for it, and stopped."""
    postgres = setting.stack.pid("postgres")
    async with engine.working() as pids, await AsyncConnection.connect(engine.database_url, autocommit=True) as watch:
        await engine.burst(setting.scale.warm_up_jobs)
        # So that nobody's table is in a worse state than another's for what earlier rounds left in it.
        await watch.execute("vacuum analyze")
        log_before = await _value(watch, _LOG_POSITION)
        readers = {"postgres": lambda: family_seconds(postgres)}
        readers |= {name: lambda pid=pid: process_seconds(pid) for name, pid in pids.items()}
        meter = Meter(readers)
        seconds = await engine.burst(setting.scale.burst_jobs)
        spent = meter.spent()
        log_bytes = await _value(watch, _LOG_POSITION) - log_before
    jobs = setting.scale.burst_jobs
    return {
        "jobs_per_s": jobs / seconds,
        "seconds": seconds,
        "busy": sum(spent.values()) / seconds / (os.cpu_count() or 1),
        "cpu_ms_per_job": {name: value * 1000 / jobs for name, value in spent.items()},
        "log_kib_per_job": float(log_bytes) / 1024 / jobs,
    }


async def _counters(engine: Engine) -> dict[str, int]:
    async with await AsyncConnection.connect(engine.database_url, autocommit=True) as connection:
        row = await (await connection.execute(_TRANSACTIONS)).fetchone()
        assert row is not None
        return {"transactions": row[0], "rows_written": row[1]}


async def _value(connection: AsyncConnection[Any], query: str) -> Any:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return row[0]


def _cost_table(rounds: Mapping[str, Sequence[Round]], per_job: Mapping[str, Mapping[str, float]]) -> str:
    """What one job costs: milliseconds of processor time by process, transactions, rows, write-ahead log.

    `busy` is the share of all processors' time that these processes used; the rest they waited, or others had it.
    """
    lines = [_cost_line(name, of_engine, per_job[name]) for name, of_engine in rounds.items()]
    header = ["a job costs", "jobs/s", "busy", "CPU ms", "of which", "transactions", "rows written", "log KiB"]
    return render(header, lines)


def _cost_line(name: str, of_engine: Sequence[Round], counters: Mapping[str, float]) -> list[str]:
    cpu_ms = {
        process: median([each["cpu_ms_per_job"][process] for each in of_engine])
        for process in of_engine[0]["cpu_ms_per_job"]
    }
    speeds = [each["jobs_per_s"] for each in of_engine]
    return [
        name,
        f"{min(speeds):.0f}-{max(speeds):.0f}",
        f"{median([each['busy'] for each in of_engine]):.0%}",
        f"{sum(cpu_ms.values()):.2f}",
        ", ".join(f"{process} {value:.2f}" for process, value in cpu_ms.items()),
        f"{counters['transactions']:.1f}",
        f"{counters['rows_written']:.1f}",
        f"{median([each['log_kib_per_job'] for each in of_engine]):.1f}",
    ]
