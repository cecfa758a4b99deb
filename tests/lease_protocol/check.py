"""The whole check of one protocol: every rule in every state, and that every job ends."""

from tests.lease_protocol.explorer import Explored, explore
from tests.lease_protocol.liveness import stuck
from tests.lease_protocol.protocol import Protocol
from tests.lease_protocol.trace import told


def check(protocol: Protocol) -> tuple[Explored, str]:
    """What was explored, and the verdict: empty when all holds, else what is wrong and how it comes about.

    That every job ends is asked only of a dispatcher that keeps track of its requests (`Bounds.flights`).
    """
    found = explore(protocol)
    if found.broken:
        return found, f"broken: {found.broken}\n{told(found.counterexample(), protocol)}"
    part = stuck(found) if protocol.bounds.flights else []
    if part:
        among = f"{len(part)} states such as this last one" if len(part) > 1 else "this last one"
        return found, f"a job may never end: it stays for ever in {among}\n{told(found.trace(min(part)), protocol)}"
    return found, ""
