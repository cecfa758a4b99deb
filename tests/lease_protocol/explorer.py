"""Breadth-first through every state that the protocol can reach."""

from dataclasses import dataclass, field

from tests.lease_protocol.protocol import Happening, Protocol, State
from tests.lease_protocol.rules import rule_broken_in

NOBODY = ""
FAULT = "fault"


@dataclass
class Explored:
    """The states by number, in the order of their discovery, and what happens between them unless it is a fault.

    `edges[n]` has (whose turn it is, number of the next state); the turn is `NOBODY` for what need never happen.
    """

    protocol: Protocol
    states: list[State] = field(default_factory=list)
    found_from: list[int] = field(default_factory=list)
    edges: list[tuple[tuple[str, int], ...]] = field(default_factory=list)
    transitions: int = 0
    depth: int = 0
    broken: str = ""
    offence: tuple[int, Happening] | None = None

    def trace(self, number: int) -> list[Happening]:
        """What happened on a shortest way to the state of that number."""
        way = [number]
        while self.found_from[way[-1]] >= 0:
            way.append(self.found_from[way[-1]])
        return [self.between(before, after) for before, after in zip(way[:0:-1], way[-2::-1], strict=True)]

    def between(self, before: int, after: int) -> Happening:
        """What leads from one state to the next."""
        happenings = self.protocol.happenings(self.states[before])
        return next(happening for happening in happenings if happening[2] == self.states[after])

    def counterexample(self) -> list[Happening]:
        """How the rule in `broken` came to be broken."""
        assert self.offence is not None
        number, last = self.offence
        return [*self.trace(number), last]


def explore(protocol: Protocol) -> Explored:
    """Every reachable state, or those up to the first that breaks a rule."""
    found = Explored(protocol)
    numbers: dict[State, int] = {}

    def number_of(state: State, found_from: int) -> int:
        number = numbers.setdefault(state, len(numbers))
        if number == len(found.states):
            found.states.append(state)
            found.found_from.append(found_from)
        return number

    for state in protocol.beginnings():
        number_of(state, -1)
    number, level = 0, len(found.states)
    while number < len(found.states):
        if number == level:
            found.depth, level = found.depth + 1, len(found.states)
        turns: list[tuple[str, int]] = []
        for happening in protocol.happenings(found.states[number]):
            who, step, after = happening
            known = len(found.states)
            to = number_of(after, number)
            found.transitions += 1
            found.broken = step.broken or (
                rule_broken_in(protocol.world(after), protocol.bounds) if to == known else ""
            )
            if found.broken:
                found.offence = number, happening
                return found
            if step.fairness != FAULT:
                turns.append((f"{who}'s {step.fairness}" if step.fairness else NOBODY, to))
        found.edges.append(tuple(turns))
        number += 1
    return found
