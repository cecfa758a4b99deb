"""`python -m tests.lease_protocol`: a larger world than `make test` has time for; exit code 0 when every rule holds."""

import argparse
import sys
import time

from tests.lease_protocol.check import check
from tests.lease_protocol.database import Database
from tests.lease_protocol.mutants import protocol
from tests.lease_protocol.state import Bounds


def main() -> int:
    """Prints how much was explored, then the verdict, with a counterexample when there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.lease_protocol", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="how many there are (2)")
    parser.add_argument("--max-attempts", type=int, default=2, help="of the job (2)")
    parser.add_argument("--lease-ticks", type=int, default=1, help="how long a lease is (1)")
    parser.add_argument("--checkpoints", type=int, default=1, help="how many the job writes (1)")
    arguments = parser.parse_args()

    bounds = Bounds(arguments.max_attempts, arguments.lease_ticks, checkpoints=arguments.checkpoints)
    started = time.monotonic()
    found, wrong = check(protocol(Database, bounds, arguments.workers))
    print(  # noqa: T201  the result of a command
        f"{len(found.states):,} states, {found.transitions:,} transitions, depth {found.depth},"
        f" {time.monotonic() - started:.0f} s\n{wrong or 'every rule holds in every state, and every job ends'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
