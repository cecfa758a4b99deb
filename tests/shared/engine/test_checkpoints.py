"""A graph's state in `checkpoint_data`, through crashes and back."""
# LangGraph's types of nodes know neither parameters named `_` nor nodes with an input of their own.
# pyright: reportArgumentType=false, reportTypedDictNotRequiredAccess=false

import asyncio
import math
import operator
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel

from shared.engine.checkpoints import LeaseSaver, run_graph
from shared.engine.draining import Drain
from shared.engine.outcome import Done, Outcome
from shared.engine.runner import AttemptEnd, JobContext, run_attempt
from shared.engine.state_json import StateNotReadable, StateNotSaveable, decode, encode
from shared.engine.store import JobStore
from shared.model.answers import GroundedSource
from tests.shared.engine.jobs import Jobs


class Crash(Exception):
    pass


class State(TypedDict, total=False):
    topic: str
    notes: Annotated[list[str], operator.add]
    draft: str
    kept: Any


class Pipeline:
    """research ▸ write ▸ review, with a log of which node ran, and a place to crash at."""

    def __init__(self, crash_at: str | None = None) -> None:
        self.ran: list[str] = []
        self.crash_at = crash_at

    def node(self, name: str, update: Callable[[State], State]) -> Any:
        async def run(state: State) -> State:
            self.ran.append(name)
            if self.crash_at == name:
                raise Crash
            return update(state)

        return run

    def graph(self) -> StateGraph[Any, Any, Any, Any]:
        graph = StateGraph(State)
        graph.add_node("research", self.node("research", lambda state: {"notes": [f"about {state['topic']}"]}))
        graph.add_node("write", self.node("write", lambda state: {"draft": f"written from {len(state['notes'])}"}))
        graph.add_node("review", self.node("review", lambda state: {"draft": state["draft"] + ", reviewed"}))
        graph.add_edge(START, "research")
        graph.add_edge("research", "write")
        graph.add_edge("write", "review")
        graph.add_edge("review", END)
        return graph

    async def __call__(self, context: JobContext) -> Outcome:
        return Done(await run_graph(self.graph(), {"topic": "titanium"}, context))


RESULT = {"topic": "titanium", "notes": ["about titanium"], "draft": "written from 1, reviewed"}


async def attempt(store: JobStore, handler: Any, jobs: Jobs, job_id: Any, drain: Drain | None = None) -> AttemptEnd:
    await jobs.make_due(job_id)
    return await run_attempt(store, {"echo": handler}, job_id, "w", drain)


async def test_a_graph_runs_to_its_end_and_its_state_is_readable(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    assert await attempt(store, Pipeline(), jobs, job_id) == AttemptEnd.COMPLETED
    row = await jobs.row(job_id)
    assert row["result"] == RESULT
    assert row["checkpoint_data"]["graph"]["main"]["checkpoint"]["channel_values"]["draft"] == RESULT["draft"]


@pytest.mark.parametrize(
    ("crash_at", "left"),
    [
        ("research", ["research", "write", "review"]),
        ("write", ["write", "review"]),
        ("review", ["review"]),
    ],
)
async def test_a_crash_at_any_node_resumes_there(store: JobStore, jobs: Jobs, crash_at: str, left: list[str]) -> None:
    job_id = await jobs.enqueue()
    assert await attempt(store, Pipeline(crash_at), jobs, job_id) == AttemptEnd.RETRY_SCHEDULED
    second = Pipeline()
    assert await attempt(store, second, jobs, job_id) == AttemptEnd.COMPLETED
    assert second.ran == left
    assert (await jobs.row(job_id))["result"] == RESULT


async def test_a_linear_graph_is_saved_once_a_node(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    await attempt(store, Pipeline(), jobs, job_id)
    assert (await jobs.events(job_id)).count("checkpoint") == 4 + 1  # the input, three nodes; the start's own step


class Fan:
    """plan ▸ (search a ∥ search b ∥ search c) ▸ merge, by edges or by Send."""

    def __init__(self, fail: str | None = None, *, by_send: bool = False) -> None:
        self.ran: list[str] = []
        self.fail = fail
        self.by_send = by_send
        self.others_done = asyncio.Event()

    async def search(self, state: dict[str, Any]) -> State:
        name = state["name"]
        self.ran.append(name)
        if name == self.fail:
            await self.others_done.wait()
            await asyncio.sleep(0.1)  # the others' writes are under way to the database
            raise Crash
        if len(self.ran) == 3:
            self.others_done.set()
        return {"notes": [name]}

    def search_for(self, name: str) -> Any:
        async def search(_: State) -> State:
            return await self.search({"name": name})

        return search

    def graph(self) -> StateGraph[Any, Any, Any, Any]:
        async def plan(_: State) -> State:
            self.ran.append("plan")
            return {}

        async def merge(state: State) -> State:
            self.ran.append("merge")
            return {"draft": " ".join(sorted(state["notes"]))}

        graph = StateGraph(State)
        graph.add_node("plan", plan)
        graph.add_node("merge", merge)
        graph.add_edge(START, "plan")
        if self.by_send:
            graph.add_node("search", self.search)
            graph.add_conditional_edges(
                "plan", lambda _: [Send("search", {"name": name}) for name in "abc"], ["search"]
            )
            graph.add_edge("search", "merge")
        else:
            for name in "abc":
                graph.add_node(name, self.search_for(name))
                graph.add_edge("plan", name)
                graph.add_edge(name, "merge")
        graph.add_edge("merge", END)
        return graph

    async def __call__(self, context: JobContext) -> Outcome:
        return Done(await run_graph(self.graph(), {"topic": "t"}, context))


@pytest.mark.parametrize("by_send", [False, True])
async def test_parallel_nodes_that_had_finished_do_not_run_again(store: JobStore, jobs: Jobs, by_send: bool) -> None:
    job_id = await jobs.enqueue()
    first = Fan(fail="c", by_send=by_send)
    assert await attempt(store, first, jobs, job_id) == AttemptEnd.RETRY_SCHEDULED
    assert sorted(first.ran) == ["a", "b", "c", "plan"]
    second = Fan(by_send=by_send)
    assert await attempt(store, second, jobs, job_id) == AttemptEnd.COMPLETED
    assert second.ran == ["c", "merge"]
    assert (await jobs.row(job_id))["result"]["draft"] == "a b c"


async def test_pydantic_models_come_back_as_what_they_were(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    source = GroundedSource(uri="https://example.test/a", title="A")
    seen: list[Any] = []

    def handler(crash: bool) -> Any:
        async def collect(_: State) -> State:
            return {"kept": [source]}

        async def use(state: State) -> State:
            if crash:
                raise Crash
            seen.append(state["kept"])
            return {}

        graph = StateGraph(State)
        graph.add_node("collect", collect)
        graph.add_node("use", use)
        graph.add_edge(START, "collect")
        graph.add_edge("collect", "use")

        async def run(context: JobContext) -> Outcome:
            await run_graph(graph, {}, context)
            return Done({})

        return run

    await attempt(store, handler(crash=True), jobs, job_id)
    assert await attempt(store, handler(crash=False), jobs, job_id) == AttemptEnd.COMPLETED
    assert seen == [[source]]


async def test_a_draining_worker_stops_between_two_nodes(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    drain = Drain(grace_s=30)
    first = Pipeline()
    write = first.node

    def begin_to_drain_in_write(name: str, update: Callable[[State], State]) -> Any:
        async def run(state: State) -> State:
            if name == "write":
                drain.begin()
            return await write(name, update)(state)

        return run

    first.node = begin_to_drain_in_write  # type: ignore[method-assign]
    assert await attempt(store, first, jobs, job_id, drain) == AttemptEnd.RELEASED
    second = Pipeline()
    assert await attempt(store, second, jobs, job_id) == AttemptEnd.COMPLETED
    assert (first.ran, second.ran) == (["research", "write"], ["review"])


async def test_a_graph_whose_lease_is_lost_stops(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    pipeline = Pipeline()

    async def lose(state: State) -> State:
        await jobs.expire_lease(job_id)
        assert await store.claim(job_id, "successor", ["echo"]) is not None
        return {"notes": ["late"]}

    async def handler(context: JobContext) -> Outcome:
        graph = StateGraph(State)
        graph.add_node("lose", lose)
        graph.add_node("write", pipeline.node("write", lambda _: {}))
        graph.add_edge(START, "lose")
        graph.add_edge("lose", "write")
        return Done(await run_graph(graph, {"topic": "t"}, context))

    assert await attempt(store, handler, jobs, job_id) == AttemptEnd.LEASE_LOST
    assert pipeline.ran == []
    assert (await jobs.row(job_id))["worker"] == "successor"


async def test_a_state_that_is_no_json_is_refused_with_its_place(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    messages: list[str] = []

    async def handler(context: JobContext) -> Outcome:
        async def node(_: State) -> State:
            return {"kept": {"at": [datetime.now(UTC)]}}

        graph = StateGraph(State)
        graph.add_node("node", node)
        graph.add_edge(START, "node")
        try:
            await run_graph(graph, {}, context)
        except StateNotSaveable as error:
            messages.append(str(error))
        return Done({})

    await attempt(store, handler, jobs, job_id)
    assert messages[0].startswith("state.kept.at[0] is a datetime, which has no readable JSON.")


async def test_a_state_of_another_version_is_dropped_and_the_graph_starts_over(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    await attempt(store, Pipeline("review"), jobs, job_id)
    await jobs.connection.execute(
        "update public.jobs set checkpoint_data = jsonb_set(checkpoint_data,"
        """ '{graph,main,checkpoint,channel_values,draft}', '{"$model": "services.blog.gone:Draft"}') where id = %s""",
        (job_id,),
    )
    second = Pipeline()
    assert await attempt(store, second, jobs, job_id) == AttemptEnd.COMPLETED
    assert second.ran == ["research", "write", "review"]


async def test_the_synchronous_methods_say_what_to_use(store: JobStore, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()

    async def handler(context: JobContext) -> Outcome:
        with pytest.raises(NotImplementedError, match="ainvoke"):
            Pipeline().graph().compile(checkpointer=LeaseSaver(context)).invoke(
                {"topic": "t"}, {"configurable": {"thread_id": "t"}}
            )
        return Done({})

    assert await attempt(store, handler, jobs, job_id) == AttemptEnd.COMPLETED


class Local(BaseModel):
    text: str


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({1, 2}, "state is a set"),
        (b"bytes", "state is a bytes"),
        ({"a": math.nan}, "state.a is nan"),
        (["\x00"], r"state\[0\] holds a NUL"),
        ("\ud800", "surrogate"),
        ({1: "a"}, "key 1"),
        ({"$model": "x"}, "key '\\$model'"),
        (Local(text="a"), "Only pydantic models"),
    ],
)
def test_what_has_no_readable_json_is_named(value: Any, complaint: str) -> None:
    with pytest.raises(StateNotSaveable, match=complaint):
        encode(value, "state")


def test_only_our_own_models_are_brought_back() -> None:
    with pytest.raises(StateNotReadable):
        decode({"$model": "subprocess:Popen", "args": ["true"]})
    with pytest.raises(StateNotReadable):
        decode({"$model": "shared.engine.job:Job"})


def test_a_worker_without_a_graph_does_not_pay_for_langgraph() -> None:
    code = "import sys, shared.engine.worker, services.template.app; print('langgraph' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
