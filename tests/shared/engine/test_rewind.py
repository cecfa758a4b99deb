"""A job that is retried from a stage: its graph goes back there, with what came before."""
# LangGraph's types of nodes do not know methods with a state of their own.
# pyright: reportArgumentType=false, reportTypedDictNotRequiredAccess=false

import operator
from typing import Annotated, Any, TypedDict
from uuid import UUID

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from psycopg.types.json import Jsonb

from shared.engine.checkpoints import run_graph
from shared.engine.context import JobContext
from shared.engine.errors import JobError
from shared.engine.outcome import Done
from shared.engine.runner import AttemptEnd
from tests.shared.engine.conftest import Run
from tests.shared.engine.jobs import Jobs

STAGES = ["research", "write", "review"]


class Refused(JobError):
    code = "refused"
    retryable = False


class State(TypedDict, total=False):
    topic: str
    notes: Annotated[list[str], operator.add]
    draft: str
    reviews: int


class Pipeline:
    """research ▸ write ▸ review ⇄ revise, over the topic of the payload. `fail_at` is the place of a call in `ran`."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.ran: list[str] = []

    async def __call__(self, context: JobContext) -> Done:
        async def node(name: str, stage: str, update: State) -> State:
            async with context.stage(stage):
                self.ran.append(name)
                if len(self.ran) == self.fail_at:
                    raise Refused("no")
                return update

        async def research(state: State) -> State:
            return await node("research", "research", {"notes": [f"about {state['topic']}"]})

        async def write(state: State) -> State:
            return await node("write", "write", {"draft": f"{state['topic']} from {state['notes']}"})

        async def review(state: State) -> State:
            return await node("review", "review", {"reviews": state.get("reviews", 0) + 1})

        async def revise(state: State) -> State:
            return await node("revise", "write", {"draft": state["draft"] + ", revised", "notes": ["asked for"]})

        graph = StateGraph(State)
        for step in (research, write, review, revise):
            graph.add_node(step.__name__, step)
        graph.add_edge(START, "research")
        graph.add_edge("research", "write")
        graph.add_edge("write", "review")
        graph.add_conditional_edges("review", lambda state: "revise" if state["reviews"] == 1 else END)
        graph.add_edge("revise", "review")
        return Done(await run_graph(graph, {"topic": context.job.payload["topic"]}, context))


async def failed(jobs: Jobs, run: Run, fail_at: int) -> UUID:
    """A job about titanium that failed at its nth node."""
    await jobs.set_kind(stages=STAGES)
    job_id = await jobs.enqueue({"topic": "titanium"})
    assert await run(Pipeline(fail_at), job_id) == AttemptEnd.FAILED
    return job_id


async def retry(jobs: Jobs, job_id: UUID, from_stage: str, payload: dict[str, Any] | None = None) -> None:
    await jobs.connection.execute(
        "select public.retry_job(%s, %s, %s)", (job_id, from_stage, None if payload is None else Jsonb(payload))
    )


@pytest.mark.parametrize(
    ("fail_at", "from_stage", "runs"),
    [
        (3, "write", ["write", "review", "revise", "review"]),
        (3, "review", ["review", "revise", "review"]),
        (5, "review", ["review", "revise", "review"]),
        (5, "write", ["write", "review", "revise", "review"]),
        (5, "research", ["research", "write", "review", "revise", "review"]),
    ],
)
async def test_a_retry_from_a_stage_does_it_and_all_that_follows_again(
    run: Run, jobs: Jobs, fail_at: int, from_stage: str, runs: list[str]
) -> None:
    job_id = await failed(jobs, run, fail_at)
    await retry(jobs, job_id, from_stage)
    again = Pipeline()
    assert await run(again, job_id) == AttemptEnd.COMPLETED
    assert again.ran == runs
    assert (await jobs.row(job_id))["result"] == {
        "topic": "titanium",
        "notes": ["about titanium", "asked for"],
        "draft": "titanium from ['about titanium'], revised",
        "reviews": 2,
    }


async def test_an_edited_payload_is_what_the_stage_works_with(run: Run, jobs: Jobs) -> None:
    job_id = await failed(jobs, run, 5)
    await retry(jobs, job_id, "write", {"topic": "steel"})
    assert await run(Pipeline(), job_id) == AttemptEnd.COMPLETED
    result = (await jobs.row(job_id))["result"]
    assert (result["topic"], result["draft"]) == ("steel", "steel from ['about titanium'], revised")


async def test_an_edited_payload_alone_starts_from_the_beginning(run: Run, jobs: Jobs) -> None:
    job_id = await failed(jobs, run, 5)
    await jobs.connection.execute('select public.retry_job(%s, payload => \'{"topic": "steel"}\')', (job_id,))
    again = Pipeline()
    assert await run(again, job_id) == AttemptEnd.COMPLETED
    assert again.ran[:2] == ["research", "write"]
    assert (await jobs.row(job_id))["result"]["notes"] == ["about steel", "asked for"]


async def test_a_rewind_happens_once(run: Run, jobs: Jobs) -> None:
    job_id = await failed(jobs, run, 5)
    await retry(jobs, job_id, "write")
    assert await run(Pipeline(fail_at=1), job_id) == AttemptEnd.FAILED  # before anything was saved: still to be done
    await jobs.connection.execute("select public.retry_job(%s)", (job_id,))
    second = Pipeline(fail_at=2)
    assert await run(second, job_id) == AttemptEnd.FAILED
    assert second.ran == ["write", "review"]
    await jobs.connection.execute("select public.retry_job(%s)", (job_id,))
    third = Pipeline()
    assert await run(third, job_id) == AttemptEnd.COMPLETED
    assert third.ran == ["review", "revise", "review"]


async def test_a_job_goes_back_again_and_further(run: Run, jobs: Jobs) -> None:
    job_id = await failed(jobs, run, 5)
    await retry(jobs, job_id, "review", {"topic": "steel"})
    assert await run(Pipeline(fail_at=3), job_id) == AttemptEnd.FAILED
    await retry(jobs, job_id, "write", {"topic": "brass"})
    again = Pipeline()
    assert await run(again, job_id) == AttemptEnd.COMPLETED
    assert again.ran == ["write", "review", "revise", "review"]
    assert (await jobs.row(job_id))["result"]["draft"] == "brass from ['about titanium'], revised"


@pytest.mark.parametrize(
    "lost",
    [
        "checkpoint_data - 'graph_history'",  # saved by a version that kept none
        "jsonb_set(checkpoint_data, '{graph_history,of}', '\"another state\"')",
        "jsonb_set(checkpoint_data, '{graph_history,states}', '[{}]')",
        "jsonb_set(checkpoint_data, '{graph_history}', '7')",
        "checkpoint_data - 'graph'",
    ],
)
async def test_where_the_state_is_gone_the_graph_starts_over(
    run: Run, jobs: Jobs, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    job_id = await failed(jobs, run, 3)
    await retry(jobs, job_id, "write", {"topic": "steel"})
    await jobs.connection.execute(f"update public.jobs set checkpoint_data = {lost} where id = %s", (job_id,))  # type: ignore[arg-type]
    again = Pipeline()
    assert await run(again, job_id) == AttemptEnd.COMPLETED
    assert again.ran == ["research", "write", "review", "revise", "review"]
    row = await jobs.row(job_id)
    assert (row["result"]["notes"], row["checkpoint_data"]["rewind_to"]) == (["about steel", "asked for"], None)
    assert "no_state_to_rewind_to" in capsys.readouterr().out


async def test_a_job_under_way_survives_the_release_that_keeps_a_history(run: Run, jobs: Jobs) -> None:
    job_id = await failed(jobs, run, 3)
    await jobs.connection.execute("update public.jobs set checkpoint_data = checkpoint_data - 'graph_history'")
    await jobs.connection.execute("select public.retry_job(%s)", (job_id,))
    again = Pipeline()
    assert await run(again, job_id) == AttemptEnd.COMPLETED
    assert again.ran == ["review", "revise", "review"]


async def test_progress_forgets_what_is_done_again(run: Run, jobs: Jobs) -> None:
    job_id = await failed(jobs, run, 5)
    await retry(jobs, job_id, "write")
    saved = (await jobs.row(job_id))["checkpoint_data"]
    assert (saved["rewind_to"], saved["progress"]["stages_done"]) == ("write", ["research"])
    await run(Pipeline(), job_id)
    assert (await jobs.row(job_id))["checkpoint_data"]["progress"]["stages_done"] == ["research", "write", "review"]


async def test_all_branches_of_a_stage_run_again_and_count_once(run: Run, jobs: Jobs) -> None:
    """plan ▸ (search a ∥ search b, by `Send`) ▸ merge, which fails the first time."""
    ran: list[str] = []

    async def handler(context: JobContext) -> Done:
        async def plan(_: State) -> State:
            async with context.stage("plan"):
                return {"notes": ["planned"]}

        async def search(branch: dict[str, str]) -> State:
            async with context.stage("search"):
                ran.append(branch["name"])
                return {"notes": [branch["name"]]}

        async def merge(state: State) -> State:
            async with context.stage("merge"):
                if len(ran) == 2:
                    raise Refused("no")
                return {"draft": " ".join(sorted(state["notes"]))}

        graph = StateGraph(State)
        for step in (plan, search, merge):
            graph.add_node(step.__name__, step)
        graph.add_edge(START, "plan")
        graph.add_conditional_edges("plan", lambda _: [Send("search", {"name": name}) for name in "ab"], ["search"])
        graph.add_edge("search", "merge")
        return Done(await run_graph(graph, {"topic": "titanium"}, context))

    await jobs.set_kind(stages=["plan", "search", "merge"])
    job_id = await jobs.enqueue()
    assert await run(handler, job_id) == AttemptEnd.FAILED
    await retry(jobs, job_id, "search")
    assert await run(handler, job_id) == AttemptEnd.COMPLETED
    assert sorted(ran) == ["a", "a", "b", "b"]
    assert (await jobs.row(job_id))["result"]["draft"] == "a b planned"
