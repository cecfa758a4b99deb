"""Every job ends, once faults have ended.

Faults (crashes, lost answers, lost and spurious deliveries, an engaged kill switch, people) happen finitely often, so
after the last one the world goes round in the rest of the graph for ever. It may not do so with the job still open: in
every strongly connected part of that graph in which the job has not ended, somebody must have a turn in every state and
take it in none, which is unfair (weak fairness: a turn that stays open is taken). And no state with an open job may be
one where nothing more happens. Lost wake-ups would show as either.
"""

from collections.abc import Iterator, Sequence

from tests.lease_protocol.explorer import NOBODY, Explored
from tests.lease_protocol.state import ENDED

Edges = Sequence[Sequence[tuple[str, int]]]


def stuck(found: Explored) -> list[int]:
    """States among which the world may stay for ever though the job has not ended; empty when every job ends."""
    is_open = [found.protocol.world(state).shared.row.status not in ENDED for state in found.states]
    for part in strongly_connected(found.edges):
        if is_open[part[0]] and stays_for_ever(part, found.edges):
            return part
    return []


def stays_for_ever(part: Sequence[int], edges: Edges) -> bool:
    """Whether the world can be fair and never leave the part."""
    inside = frozenset(part)
    if len(part) == 1 and edges[part[0]] and not any(to in inside for _, to in edges[part[0]]):
        return False  # passed through
    taken = {turn for number in part for turn, to in edges[number] if to in inside}
    always_open = set.intersection(*({turn for turn, _ in edges[number]} for number in part))
    return always_open - {NOBODY} <= taken


def strongly_connected(edges: Edges) -> Iterator[list[int]]:
    """The strongly connected components (Tarjan's algorithm, with a stack of its own in place of recursion)."""
    order, lowest = [-1] * len(edges), [0] * len(edges)
    path: list[int] = []
    on_path = bytearray(len(edges))
    counter = 0
    for root in range(len(edges)):
        if order[root] >= 0:
            continue
        calls = [(root, iter(edges[root]))]
        order[root] = lowest[root] = counter
        counter += 1
        path.append(root)
        on_path[root] = 1
        while calls:
            number, rest = calls[-1]
            for _, to in rest:
                if order[to] < 0:
                    order[to] = lowest[to] = counter
                    counter += 1
                    path.append(to)
                    on_path[to] = 1
                    calls.append((to, iter(edges[to])))
                    break
                if on_path[to]:
                    lowest[number] = min(lowest[number], order[to])
            else:
                calls.pop()
                if calls:
                    above = calls[-1][0]
                    lowest[above] = min(lowest[above], lowest[number])
                if lowest[number] == order[number]:
                    part: list[int] = []
                    while not part or part[-1] != number:
                        part.append(path.pop())
                        on_path[part[-1]] = 0
                    yield part
