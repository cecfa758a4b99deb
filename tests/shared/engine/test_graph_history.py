"""States of a graph are found again by the node that was due in them, whatever happened in between."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.engine.graph_history import GraphHistory

NODES = ["research", "write", "review", "revise"]
values = st.dictionaries(st.sampled_from(["topic", "notes", "draft"]), st.integers(0, 2) | st.lists(st.integers(0, 2)))
due = st.lists(st.sampled_from(NODES), max_size=2, unique=True)


def entry(number: int, kept: dict[str, Any], due_by_edge: list[str], sent_to: list[str]) -> dict[str, Any]:
    """The state after `number` steps, as `LeaseSaver` keeps it."""
    channels = kept | {f"branch:to:{node}": None for node in due_by_edge}
    if sent_to:
        channels["__pregel_tasks"] = [{"$send": node, "arg": {}} for node in sent_to]
    checkpoint = {"id": str(number), "channel_values": channels, "channel_versions": {"topic": number}}
    return {"checkpoint": checkpoint, "metadata": {"step": number}, "writes": []}


@st.composite
def journeys(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The states that a graph goes through; in the first, the graph has its input and no node is due."""
    states = [entry(0, draw(values), [], [])]
    steps = draw(st.integers(1, 8))
    return states + [entry(number + 1, draw(values), draw(due), draw(due)) for number in range(steps)]


def told(journey: list[dict[str, Any]]) -> GraphHistory:
    """The history of a journey, saved and loaded again after each step, as by an attempt of its own."""
    history = GraphHistory(None, None)
    for left, newest in pairwise(journey):
        history.pass_on(left, newest)
        history = GraphHistory(json.loads(json.dumps(history.as_json(newest))), newest)
    return history


def due_in(state: dict[str, Any]) -> set[str]:
    channels = state["checkpoint"]["channel_values"]
    by_edge = {channel.removeprefix("branch:to:") for channel in channels if channel.startswith("branch:to:")}
    return by_edge | {task["$send"] for task in channels.get("__pregel_tasks", [])}


@given(journeys(), st.sampled_from(NODES))
def test_a_rewind_finds_the_very_state_in_which_a_node_was_due_first(journey: list[dict[str, Any]], node: str) -> None:
    first = next((state for state in journey if node in due_in(state)), None)
    assert told(journey).rewind(node, journey[-1], {}) == first


@given(journeys(), st.sampled_from(NODES), st.sampled_from(NODES))
def test_after_a_rewind_earlier_states_are_still_found(journey: list[dict[str, Any]], node: str, other: str) -> None:
    history = told(journey)
    rewound = history.rewind(node, journey[-1], {})
    if rewound is None:
        return
    until_then = journey[: journey.index(rewound) + 1]
    expected = next((state for state in until_then if other in due_in(state)), None)
    assert history.rewind(other, rewound, {}) == expected


@given(journeys())
def test_there_is_one_state_for_each_node_at_most(journey: list[dict[str, Any]]) -> None:
    assert len(told(journey).as_json(journey[-1])["states"]) <= len(NODES)


@given(journeys(), st.sampled_from(NODES))
def test_a_history_of_another_state_is_of_no_use(journey: list[dict[str, Any]], node: str) -> None:
    saved = told(journey).as_json(journey[-1])
    elsewhere = entry(99, {}, [], [])
    assert GraphHistory(saved, elsewhere).rewind(node, elsewhere, {}) is None


def test_new_inputs_replace_the_old_ones_but_not_what_a_node_has_written_since() -> None:
    journey = [
        entry(0, {}, [], []),
        entry(1, {"topic": "titanium", "notes": []}, ["research"], []),
        entry(2, {"topic": "titanium", "notes": ["found"]}, ["write"], []),
        entry(3, {"topic": "titanium", "notes": ["found"], "draft": "text"}, ["review"], []),
    ]
    rewound = told(journey).rewind("write", journey[-1], {"topic": "steel", "notes": ["mine"], "angle": "price"})
    assert rewound is not None
    kept = rewound["checkpoint"]["channel_values"]
    assert kept == {"topic": "steel", "notes": ["found"], "angle": "price", "branch:to:write": None}
