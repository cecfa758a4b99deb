"""A blog job that is retried from each of its stages."""

import json
from functools import partial
from typing import Any

import pytest

from services.blog.graph import build_graph
from services.blog.payload import BlogRequest
from services.blog.state import BlogState
from services.blog.steps import BlogSteps
from shared.content.brand import load_brand
from shared.engine.catalog import load_catalog
from shared.engine.checkpoints import run_graph
from shared.engine.errors import ReviewRejected
from tests.services.blog.honest import Checkpoint, HonestModels, Surroundings, paragraphs, review

STAGES = load_catalog().kinds["blog"].stages
DETOURS = {"resize", "revise"}
REQUEST = BlogRequest(topic="Registros de lote em implantes")


async def run(around: Surroundings, checkpoint: Checkpoint, request: BlogRequest = REQUEST) -> BlogState:
    graph = build_graph(BlogSteps(around.ports(), load_brand()))
    state: Any = await run_graph(graph, {"request": request}, checkpoint)  # pyright: ignore[reportArgumentType]
    return state


async def rejected() -> Checkpoint:
    """What a job leaves that was made longer, then revised after its review, and rejected all the same."""
    models = HonestModels(
        write_section=lambda prompt: {"paragraphs": paragraphs(prompt, 60)}, review=partial(review, score=60)
    )
    around, checkpoint = Surroundings(models), Checkpoint()
    with pytest.raises(ReviewRejected):
        await run(around, checkpoint)
    assert around.stages[:8] == ["research", "strategy", *["write", "verify"] * 2, "image", "review"]
    assert around.stages[8:] == ["write", "verify", "review"]
    return checkpoint


def test_the_catalogue_has_the_stages_of_the_pipeline():
    graph = build_graph(BlogSteps(Surroundings().ports(), load_brand()))
    assert [name for name in graph.nodes if name not in DETOURS] == list(STAGES)


@pytest.mark.parametrize("stage", STAGES[1:-1])
async def test_a_rejected_draft_is_made_again_from_any_stage(stage: str):
    checkpoint = await rejected()
    await checkpoint.save({"rewind_to": stage})
    around = Surroundings()
    state = await run(around, checkpoint, REQUEST.model_copy(update={"persona": "technical_expert"}))
    following = list(STAGES[STAGES.index(stage) :])
    if stage == "verify":  # the article is as short as it was
        following[1:1] = ["write", "verify"]
    assert around.stages == following
    assert state["draft"].author_name == "Engenharia Lifetrek Medical"
    assert [review.passed for review in state.get("reviews", [])] == [True]
    assert around.pages.fetched == []


async def test_what_is_kept_to_go_back_to_does_not_grow_with_every_round():
    checkpoint = await rejected()
    kept = checkpoint.saved["graph_history"]["states"]
    assert [state["due"] for state in kept] == [
        [name] for name in ("research", "strategy", "write", "verify", "resize", "image", "review", "revise")
    ]
    newest, history = (len(json.dumps(checkpoint.saved[key])) for key in ("graph", "graph_history"))
    assert history < 2.5 * newest
