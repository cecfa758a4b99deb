"""Counterexamples that can be read."""

from collections.abc import Iterable, Iterator

from tests.lease_protocol.protocol import Happening, Protocol
from tests.lease_protocol.state import World


def told(happenings: Iterable[Happening], protocol: Protocol) -> str:
    """One line for each thing that happens, with how the job stands after it."""
    lines: list[str] = []
    for number, (who, step, state) in enumerate(happenings, 1):
        what = f"{who}: {step.name}" if who.startswith("worker") else step.name
        lines.append(f"{number:3}. {what:<70} {', '.join(_facts(protocol.world(state)))}")
    return "\n".join(lines)


def _facts(world: World) -> Iterator[str]:
    row = world.shared.row
    yield f"{row.status} (attempts {row.attempts}, saved {row.saved})"
    if row.has_token:
        holders = [str(place) for place, worker in enumerate(world.workers, 1) if worker.holds]
        yield f"lease {row.lease} of {'worker ' + ' and '.join(holders) if holders else 'nobody'}"
    if row.due_in:
        yield f"due in {row.due_in}"
    if world.shared.stopped:
        yield "kill switch engaged"
    if world.shared.stray:
        yield f"left behind: {world.shared.stray[0]}"
