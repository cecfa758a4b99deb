"""Many one-step jobs at once for four workers, beside one, and beside the other engines with four."""

import os

from bench.engines.own_workers import OwnWorkers
from bench.figures import Figure, Measured
from bench.measures.throughput import Round, take_round
from bench.percentiles import median
from bench.setting import OTHERS, Setting

_WORKERS = 4
_ONE, _FOUR = "1 worker of ours", "4 workers of ours"


async def measure(setting: Setting) -> Measured:
    """Jobs per second, as `throughput` measures them, in turns; medians over the rounds."""
    url = setting.stack.database_url
    engines = {_FOUR: OwnWorkers(setting.stack, _WORKERS), _ONE: OwnWorkers(setting.stack, 1)}
    engines |= {name: OTHERS[name](url, _WORKERS) for name in setting.beside}
    for engine in engines.values():
        await engine.prepare()
    rounds: dict[str, list[Round]] = {name: [] for name in engines}
    for _ in range(setting.scale.worker_rounds):
        for name, engine in engines.items():
            rounds[name].append(await take_round(engine, setting))
    speeds = {name: median([each["jobs_per_s"] for each in of_engine]) for name, of_engine in rounds.items()}
    ours = speeds.pop(_FOUR)
    jobs = f"{setting.scale.burst_jobs:,} one-step jobs at once"
    return Measured(
        figures=[Figure(f"{jobs}, {_WORKERS} workers", ours, "jobs/s", others=speeds)],
        raw={"rounds": rounds},
        notes=[_note(rounds)],
    )


def _note(rounds: dict[str, list[Round]]) -> str:
    busy = {name: median([each["busy"] for each in of_engine]) for name, of_engine in rounds.items()}
    cores = os.cpu_count()
    return (
        f"{_WORKERS} workers, Postgres and whoever hands out the jobs share {cores} cores here, {busy[_FOUR]:.0%} busy"
        f" ({busy[_ONE]:.0%} with one worker): more workers than cores show what they cost each other, no more."
    )
