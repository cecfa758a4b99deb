"""`python -m bench`: starts a stack of its own, takes the measurements, prints a table and writes the raw numbers.

A missed target is shown as missed and is no failure: the exit code is 1 only when a measurement could not be taken.
"""

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from bench import report
from bench.figures import Measured
from bench.machine import describe_machine
from bench.measures import (
    asset_scale,
    asset_search,
    call_ledger,
    checkpoint_write,
    claim_time,
    cold_start,
    four_workers,
    idle_memory,
    legibility,
    memory_growth,
    recovery,
    start_latency,
    throughput,
)
from bench.scale import FULL, QUICK
from bench.setting import OTHERS, Setting
from bench.stack import StackFailed, running_stack

Measurement = Callable[[Setting], Awaitable[Measured]]

# In this order: memory first, while nothing has run yet.
MEASUREMENTS: dict[str, Measurement] = {
    "idle_memory": idle_memory.measure,
    "cold_start": cold_start.measure,
    "start_latency": start_latency.measure,
    "throughput": throughput.measure,
    "four_workers": four_workers.measure,
    "claim_time": claim_time.measure,
    "checkpoint_write": checkpoint_write.measure,
    "call_ledger": call_ledger.measure,
    "memory_growth": memory_growth.measure,
    "recovery": recovery.measure,
    "asset_search": asset_search.measure,
    "asset_scale": asset_scale.measure,
    "legibility": legibility.measure,
}
OUT = Path("out/bench.json")


async def run(setting: Setting, names: Sequence[str], json_path: Path) -> bool:
    """Takes the measurements and reports them. True when each of them could be taken."""
    machine = await describe_machine(setting.stack.database_url)
    measured: dict[str, Measured] = {}
    failed: dict[str, str] = {}
    for name in names:
        _say(f"{name} …")
        started = time.monotonic()
        try:
            measured[name] = await MEASUREMENTS[name](setting)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other measurements are still wanted
            failed[name] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        _say(f"{name}: {time.monotonic() - started:.0f} s")
    report.write_json(json_path, machine, measured, failed)
    print(f"\n{machine['cpu']}, {machine['cores']} cores; Postgres {machine['postgres']['server_version']}\n")
    print(report.table([figure for outcome in measured.values() for figure in outcome.figures]))
    for outcome in measured.values():
        for text in (*outcome.tables, *outcome.notes):
            print(f"\n{text}")
    for name, reason in failed.items():
        print(f"\nFAILED: {name}: {reason}")
    print(f"\nraw numbers: {json_path}")
    return not failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when the stack did not start or a measurement could not be taken."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", metavar="NAME,…", help=f"of {', '.join(MEASUREMENTS)}")
    parser.add_argument(
        "--beside",
        metavar="NAME,…",
        default=",".join(OTHERS),
        help="engines to measure beside ours; default: %(default)s",
    )
    parser.add_argument("--quick", action="store_true", help="a small run: shows that it works, not how fast it is")
    parser.add_argument("--json", type=Path, default=OUT, metavar="PATH")
    options = parser.parse_args(arguments)
    names = _chosen(parser, options.only or ",".join(MEASUREMENTS), MEASUREMENTS)
    beside = _chosen(parser, options.beside, OTHERS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the stack is stopped as well
    try:
        with running_stack() as stack:
            setting = Setting(stack, QUICK if options.quick else FULL, beside)
            return 0 if asyncio.run(run(setting, names, options.json)) else 1
    except StackFailed as error:
        print(f"the stack did not start: {error}", file=sys.stderr)
        return 1


def _chosen(parser: argparse.ArgumentParser, text: str, known: Collection[str]) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"there is no {', '.join(unknown)}, only {', '.join(known)}")
    return names


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
