"""States that a graph has left behind, so that a retry can start from one of its nodes again.

One state for each node: the one in which it was due for the first time. A state is kept as the difference to the one
after it, so that what never changes is there once. The JSON, oldest first, lies beside the newest state:

`{"of": id of the newest state, "states": [{"due": ["write"], "checkpoint": {… without channel_values},
"metadata": …, "values": {… that differ in the state after}, "absent": [… that only the state after has]}]}`
"""

from collections.abc import Mapping
from typing import Any, cast

from shared.engine.state_json import encode

Entry = dict[str, Any]
"""A state with its metadata and writes, as `LeaseSaver` keeps the newest one."""

# LangGraph's own names: what wakes the node that an edge leads to, and the tasks that `Send` makes.
_EDGE_TO = "branch:to:"
_SENT = "__pregel_tasks"


class GraphHistory:
    """The history of one job's graph. `saved` is its JSON; of another state than `newest` it is of no use."""

    def __init__(self, saved: Mapping[str, Any] | None, newest: Entry | None) -> None:
        fits = saved and newest and saved.get("of") == newest["checkpoint"]["id"]
        self._states: list[dict[str, Any]] = list(saved["states"]) if saved and fits else []

    def as_json(self, newest: Entry) -> dict[str, Any]:
        """What to save with the state `newest`."""
        return {"of": newest["checkpoint"]["id"], "states": list(self._states)}

    def pass_on(self, left: Entry, newest: Entry) -> None:
        """The graph has gone from the state `left` to the state `newest`."""
        state = _difference(left, newest)
        known = {node for earlier in self._states for node in earlier["due"]}
        if not known.issuperset(state["due"]):
            self._states.append(state)
        elif self._states:  # nobody goes back to `left`: the state before it takes over what has changed since
            self._states[-1] = _joined(self._states[-1], state)

    def rewind(self, node: str, newest: Entry, inputs: Any) -> Entry | None:
        """The state in which `node` was due for the first time, with all later ones dropped; None when there is none.

        `inputs` (a mapping) take the place of those that the graph began with, in the channels that no node has
        written since.
        """
        entries = [newest]  # oldest first
        for state in reversed(self._states):
            entries.insert(0, _before(entries[0], state))
        place = next((place for place, entry in enumerate(entries) if node in _due(entry)), None)
        if place is None:
            return None
        del self._states[place:]
        return _begun_with(inputs, entries[place], began=entries[0])


def _values(entry: Entry) -> dict[str, Any]:
    return entry["checkpoint"]["channel_values"]


def _due(entry: Entry) -> list[str]:
    """The nodes that run next in this state."""
    values = _values(entry)
    by_edge = {channel.removeprefix(_EDGE_TO) for channel in values if channel.startswith(_EDGE_TO)}
    return sorted(by_edge | {task["$send"] for task in values.get(_SENT) or ()})


def _difference(left: Entry, newest: Entry) -> dict[str, Any]:
    before, after = _values(left), _values(newest)
    return {
        "due": _due(left),
        "checkpoint": {key: value for key, value in left["checkpoint"].items() if key != "channel_values"},
        "metadata": left["metadata"],
        "values": {key: value for key, value in before.items() if key not in after or after[key] != value},
        "absent": sorted(after.keys() - before.keys()),
    }


def _joined(state: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """`state` as the difference to the state after `later`."""
    values, absent = state["values"], set(state["absent"])
    return {
        **state,
        "values": {key: value for key, value in later["values"].items() if key not in absent} | values,
        "absent": sorted(absent | (set(later["absent"]) - values.keys())),
    }


def _before(after: Entry, state: dict[str, Any]) -> Entry:
    """The whole state that `state` describes, from the one after it."""
    kept = {key: value for key, value in _values(after).items() if key not in state["absent"]}
    return {
        "checkpoint": {**state["checkpoint"], "channel_values": kept | state["values"]},
        "metadata": state["metadata"],
        "writes": [],
    }


def _begun_with(inputs: Any, entry: Entry, began: Entry) -> Entry:
    """`entry` with these inputs; `began` is the state in which the first node was due."""
    values, first = _values(entry), _values(began)
    given = cast("Mapping[str, Any]", inputs if isinstance(inputs, Mapping) else {})
    changed = {
        channel: encode(value, f"state.{channel}")
        for channel, value in given.items()
        if values.get(channel) == first.get(channel)
    }
    return {
        "checkpoint": {**entry["checkpoint"], "channel_values": values | changed},
        "metadata": entry["metadata"],
        "writes": [],
    }
