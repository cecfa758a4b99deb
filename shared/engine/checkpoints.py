"""LangGraph's state in `jobs.checkpoint_data["graph"]`, written under the job's lease.

`run_graph` is all that a pipeline needs. It imports LangGraph, which costs 1.8 s and 60 MiB: only services with a graph
import this module.
"""
# LangGraph's annotations leave type arguments open.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn, cast

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    writes_sort_key,
)
from langgraph.checkpoint.serde.types import ERROR
from langgraph.graph import StateGraph

from shared.engine.context import JobContext
from shared.engine.graph_history import GraphHistory
from shared.engine.state_json import StateNotReadable, StateNotSaveable, decode, encode

COALESCE_S = 0.02
_ROOT = "main"
_HISTORY = "graph_history"
_REWIND_TO = "rewind_to"
_UNREADABLE = (StateNotReadable, KeyError, TypeError, AttributeError)

_log = structlog.get_logger(__name__)


async def run_graph(graph: StateGraph[Any, Any, Any, Any], inputs: Any, context: JobContext) -> dict[str, Any]:
    """Runs the graph to its end, or on from where the last attempt left it, and returns its final state.

    `inputs` is the first state; a resumed job does not look at it. After each node (each step of parallel nodes) the
    state is saved before the next one starts; when a step of parallel nodes is cut short, those that had finished are
    not run again. A saved state that this version of the code cannot read is dropped with a warning: the pipeline
    starts over, and the call ledger replays what was paid for.

    A job that was retried from a stage (`rewind_to`) goes back to before the node of that name, where `inputs` take the
    place of what the graph began with; where that state was never reached or is gone, the pipeline starts over.
    """
    saver = LeaseSaver(context)
    saver.rewind(inputs)
    config: RunnableConfig = {"configurable": {"thread_id": str(context.job.id)}}
    return await graph.compile(checkpointer=saver).ainvoke(
        None if saver.can_resume else inputs, config, durability="sync"
    )


class LeaseSaver(BaseCheckpointSaver[int]):
    """Keeps the newest checkpoint of one job's graph, with the writes of the step that runs now, and its history.

    The JSON by namespace ("main", and one for each subgraph that runs):
    `{"checkpoint": …, "metadata": …, "writes": [{"task", "path", "index", "channel", "value"}]}`.

    Errors of nodes are not kept: a failed node runs again, and the job's row has its error. The history (see
    `graph_history`) is for `rewind` alone: LangGraph sees no checkpoint but the newest. Raises `LeaseLost` and
    `WorkerDraining` as `JobContext.checkpoint` does, and `StateNotSaveable` for a state that has no readable JSON.
    """

    def __init__(self, context: JobContext) -> None:
        super().__init__()
        self._context = context
        self._revision = 0
        self._saved_revision = 0
        self._graph: dict[str, dict[str, Any]] = dict(context.saved.get("graph") or {})
        self._history_changed = False
        try:
            for namespace, saved in self._graph.items():
                _to_tuple(namespace, saved)
            self._history = GraphHistory(context.saved.get(_HISTORY), self._graph.get(_ROOT))
        except _UNREADABLE as error:
            _log.warning("saved_state_dropped", reason=str(error))
            self._graph = {}
            self._history = GraphHistory(None, None)

    @property
    def can_resume(self) -> bool:
        """Whether there is a state to go on from: then invoke the graph with None."""
        return _ROOT in self._graph

    def rewind(self, inputs: Any) -> None:
        """Goes back to where the checkpoint says (`rewind_to`), if it does; the next save makes it last.

        Until then nothing has changed in the database, so an attempt that dies here leaves the rewind to the next one.
        """
        node = self._context.saved.get(_REWIND_TO)
        if not node:
            return
        entry: dict[str, Any] | None = None
        try:
            if self.can_resume and (entry := self._history.rewind(str(node), self._graph[_ROOT], inputs)):
                _to_tuple(_ROOT, entry)
        except _UNREADABLE as error:
            _log.warning("saved_history_dropped", reason=str(error))
            entry = None
        if entry is None:
            _log.warning("no_state_to_rewind_to", stage=node)
            self._history = GraphHistory(None, None)
        self._graph = {_ROOT: entry} if entry else {}
        self._history_changed = True

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint of the namespace, if it is the one that is asked for."""
        namespace = _namespace(config)
        saved = self._graph.get(namespace)
        asked_for = get_checkpoint_id(config)
        if saved is None or (asked_for and asked_for != saved["checkpoint"]["id"]):
            return None
        return _to_tuple(namespace, saved, str(_configurable(config)["thread_id"]))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The newest checkpoint alone: there is no history."""
        newest = await self.aget_tuple(config or {"configurable": {"thread_id": str(self._context.job.id)}})
        matches = newest and all(newest.metadata.get(key) == value for key, value in (filter or {}).items())
        if newest and matches and before is None and limit != 0:
            yield newest

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  the whole state is saved each time
    ) -> RunnableConfig:
        """Saves the checkpoint in place of the one before. A stage has ended: here a draining worker stops."""
        if "counters_since_delta_snapshot" in metadata:
            raise StateNotSaveable("The graph has a DeltaChannel, which needs the history that is not kept here.")
        namespace = _namespace(config)
        entry: dict[str, Any] = {
            "checkpoint": {
                **checkpoint,
                "channel_values": {
                    channel: encode(value, f"state.{channel}")
                    for channel, value in checkpoint["channel_values"].items()
                },
            },
            "metadata": encode(metadata, "metadata"),
            "writes": [],
        }
        if namespace == _ROOT:  # the step is over, and with it the subgraphs that ran in it
            if left := self._graph.get(_ROOT):
                self._history.pass_on(left, entry)
            self._history_changed = True
            self._graph.clear()
        self._graph[namespace] = entry
        self._revision += 1
        await self._save(ends_stage=namespace == _ROOT)
        return {
            "configurable": {
                "thread_id": _configurable(config)["thread_id"],
                "checkpoint_ns": _configurable(config).get("checkpoint_ns", ""),
                "checkpoint_id": checkpoint["id"],
            }
        }

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Saves what one node of the running step has written, in case that another node fails or the worker dies.

        When the step ends at once, which it does after a node on its own, the checkpoint that follows has it all, and
        this write is saved.
        """
        saved = self._graph.get(_namespace(config))
        kept = [(index, channel, value) for index, (channel, value) in enumerate(writes) if channel != ERROR]
        if saved is None or saved["checkpoint"]["id"] != get_checkpoint_id(config) or not kept:
            return
        by_place = {(write["task"], write["index"]): write for write in saved["writes"]}
        for index, channel, value in kept:
            place = (task_id, WRITES_IDX_MAP.get(channel, index))
            by_place[place] = {
                "task": task_id,
                "path": task_path,
                "index": place[1],
                "channel": channel,
                "value": encode(value, f"state.{channel}"),
            }
        saved["writes"] = sorted(
            by_place.values(), key=lambda write: writes_sort_key(write["path"], write["task"], write["index"])
        )
        self._revision += 1
        revision = self._revision
        await asyncio.sleep(COALESCE_S)
        if self._saved_revision < revision:
            await self._save(ends_stage=False)

    async def _save(self, *, ends_stage: bool) -> None:
        self._saved_revision = self._revision
        data: dict[str, Any] = {"graph": dict(self._graph)}
        if self._history_changed:
            data[_HISTORY] = self._history.as_json(self._graph[_ROOT])
            self._history_changed = False
        if self._context.saved.get(_REWIND_TO):
            data[_REWIND_TO] = None
        await (self._context.checkpoint(data) if ends_stage else self._context.save(data))

    def with_allowlist(self, extra_allowlist: Any) -> "LeaseSaver":  # noqa: ARG002
        """Itself: nothing here is pickled or msgpacked."""
        return self

    async def adelete_thread(self, thread_id: str) -> None:
        """Refused: a job's checkpoint lives and goes with its row."""
        _refuse(f"deleting {thread_id}")

    def get_tuple(self, config: RunnableConfig) -> NoReturn:  # noqa: ARG002
        """Refused: the engine is asynchronous, invoke the graph with `ainvoke`."""
        _refuse("a synchronous graph")

    def list(self, *_: Any, **__: Any) -> NoReturn:
        """Refused, as `get_tuple`."""
        _refuse("a synchronous graph")

    def put(self, *_: Any, **__: Any) -> NoReturn:
        """Refused, as `get_tuple`."""
        _refuse("a synchronous graph")

    def put_writes(self, *_: Any, **__: Any) -> NoReturn:
        """Refused, as `get_tuple`."""
        _refuse("a synchronous graph")


def _refuse(what: str) -> NoReturn:
    raise NotImplementedError(f"LeaseSaver does not do {what}: use run_graph, or ainvoke with a lease's context.")


def _configurable(config: RunnableConfig) -> dict[str, Any]:
    return config.get("configurable", {})


def _namespace(config: RunnableConfig) -> str:
    return _configurable(config).get("checkpoint_ns") or _ROOT


def _to_tuple(namespace: str, saved: dict[str, Any], thread_id: str = "") -> CheckpointTuple:
    checkpoint: dict[str, Any] = saved["checkpoint"]
    return CheckpointTuple(
        config={
            "configurable": {
                "thread_id": thread_id,
                "checkpoint_ns": "" if namespace == _ROOT else namespace,
                "checkpoint_id": checkpoint["id"],
            }
        },
        checkpoint=cast(
            "Checkpoint",
            {
                **checkpoint,
                "channel_values": {key: decode(value) for key, value in checkpoint["channel_values"].items()},
                "channel_versions": dict(checkpoint["channel_versions"]),
                "versions_seen": {node: dict(seen) for node, seen in checkpoint["versions_seen"].items()},
            },
        ),
        metadata=cast("CheckpointMetadata", decode(saved["metadata"])),
        pending_writes=[(write["task"], write["channel"], decode(write["value"])) for write in saved["writes"]],
    )
