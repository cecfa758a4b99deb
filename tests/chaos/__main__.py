"""`python -m tests.chaos --seed N --duration-s N [--state DIR]`: exit code 0 only when everything holds."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from tests.chaos.report import Report
from tests.chaos.run import run_chaos, verdict
from tests.running_stack import RunningStack


def main() -> int:
    """Runs, prints the verdict last, and keeps the state directory when something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the schedule and the load (1)")
    parser.add_argument("--duration-s", type=float, default=600.0, help="how long things go wrong (600)")
    parser.add_argument("--state", type=Path, help="a fresh directory for the stack; kept (a temporary one)")
    arguments = parser.parse_args()

    state = arguments.state or Path(tempfile.mkdtemp(prefix="chaos-")) / "stack"
    stack = RunningStack(state.absolute())
    report = Report()
    try:
        asyncio.run(run_chaos(stack, arguments.seed, arguments.duration_s, report))
    except Exception as error:  # noqa: BLE001  whatever it is, the verdict is the last line
        report.find(f"the run broke off: {error!r}", traceback.format_exc().splitlines())
    finally:
        stack.run("down", check=False)
        print(verdict(report, arguments.seed, stack), flush=True)  # noqa: T201  the result of a command
    if report.findings:
        return 1
    if arguments.state is None:
        shutil.rmtree(state.parent, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
