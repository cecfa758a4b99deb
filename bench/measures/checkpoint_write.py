"""What saving a pipeline's state costs, beside LangGraph's own saver for Postgres."""
# LangGraph's annotations leave type arguments open.
# pyright: reportMissingTypeStubs=false

import random
import time
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from bench.figures import Figure, Measured
from bench.fresh_jobs import FreshJobs, fresh_jobs
from bench.percentiles import describe
from bench.pipeline_state import PARTS, part, state
from bench.setting import Setting
from shared.engine.checkpoints import LeaseSaver

_DATABASE = "bench_checkpoints"
_OURS, _THEIRS = "ours", "LangGraph"

Part = list[dict[str, Any]]


class _State(TypedDict):
    part_0: Part
    part_1: Part
    part_2: Part
    part_3: Part
    part_4: Part
    part_5: Part
    part_6: Part
    part_7: Part


class _Timed(BaseCheckpointSaver[Any]):
    """Notes how many milliseconds each checkpoint took to be saved."""

    took_ms: list[float]

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        started = time.perf_counter()
        saved = await super().aput(config, checkpoint, metadata, new_versions)
        self.took_ms.append((time.perf_counter() - started) * 1000)
        return saved


class _OurSaver(_Timed, LeaseSaver):
    pass


class _TheirSaver(_Timed, AsyncPostgresSaver):
    pass


async def measure(setting: Setting) -> Measured:
    """Pipelines of eight nodes run with one saver and the other in turns; each node rewrites an eighth of the state."""
    write_ms: dict[str, dict[str, dict[str, float]]] = {}
    step_ms: dict[str, dict[str, dict[str, float]]] = {}
    async with (
        fresh_jobs(setting.stack.database_url, _DATABASE, pool_size=4) as jobs,
        # As its `from_conn_string` connects.
        await AsyncConnection[DictRow].connect(
            jobs.url, autocommit=True, prepare_threshold=0, row_factory=dict_row
        ) as connection,
    ):
        theirs = _TheirSaver(connection)
        await theirs.setup()
        for kib in setting.scale.states_kib:
            name = f"{kib:,} KiB"
            write_ms[name], step_ms[name] = await _compare(jobs, theirs, kib * 1024, setting.scale.pipelines)
    return Measured(
        figures=[
            Figure(
                f"checkpoint write p50, state of {name}",
                of_size[_OURS]["p50"],
                "ms",
                others={_THEIRS: of_size[_THEIRS]["p50"]},
            )
            for name, of_size in write_ms.items()
        ],
        raw={"write_ms": write_ms, "step_ms": step_ms},
        notes=[
            (
                "A checkpoint of ours is the whole state as JSON that people can read, with a new lease and an event."
                " LangGraph's is what has changed, here an eighth, in binary; nothing clears it away."
            )
        ],
    )


async def _compare(
    jobs: FreshJobs, theirs: _TheirSaver, size: int, pipelines: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Milliseconds of a write, and of a whole step with what LangGraph itself does, by saver."""
    graph = _graph(size)
    write_ms: dict[str, list[float]] = {_OURS: [], _THEIRS: []}
    step_ms: dict[str, list[float]] = {_OURS: [], _THEIRS: []}
    for number in range(pipelines + 1):
        context = await jobs.claim()
        savers: dict[str, _Timed] = {_OURS: _OurSaver(context), _THEIRS: theirs}
        for name, saver in savers.items():
            saver.took_ms = []
            inputs = state(size, number)
            started = time.perf_counter()
            await graph.compile(checkpointer=saver).ainvoke(
                inputs, {"configurable": {"thread_id": str(context.job.id)}}, durability="sync"
            )
            total_ms = (time.perf_counter() - started) * 1000
            if number > 0:  # the first one warms up
                write_ms[name] += saver.took_ms[-PARTS:]  # without the input's own
                step_ms[name].append(total_ms / PARTS)
        await jobs.complete(context.lease)
    return _described(write_ms), _described(step_ms)


def _described(samples: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {name: describe(values) for name, values in samples.items()}


def _graph(size: int) -> StateGraph[Any, Any, Any, Any]:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(_State)
    for number in range(PARTS):
        graph.add_node(f"node_{number}", _rewriting(number, size // PARTS))
        graph.add_edge(f"node_{number - 1}" if number else START, f"node_{number}")
    graph.add_edge(f"node_{PARTS - 1}", END)
    return graph


def _rewriting(number: int, size: int) -> Any:
    """A node that puts other quotes of the same size in place of one part."""
    source = random.Random(number)

    async def node(_: _State) -> dict[str, Part]:
        return {f"part_{number}": part(size, source)}

    return node
