"""The pipeline of a piece, and a job that is retried from each of its stages."""

from typing import Any

import pytest

from shared.content.brand import load_brand
from shared.content.platforms.linkedin import LINKEDIN
from shared.content.studio import Studio
from shared.engine.catalog import load_catalog
from shared.engine.checkpoints import run_graph
from shared.engine.errors import ReviewRejected
from shared.pieces.graph import build_graph
from tests.services.blog.honest import Checkpoint
from tests.shared.content.pieces import Log, ScriptedStudio, Shelf, brief, copy, plan, ports, review

STAGES = load_catalog().kinds["carousel"].stages
DETOURS = {"revise"}


def studio(score: int = 86, log: Log | None = None, shelf: Shelf | None = None) -> Studio:
    changes = [] if score >= 70 else [("slide 2 picture", "Mostre a peça de perto.")]
    answers: dict[str, Any] = {
        "plan_piece": plan().model_dump(),
        "write_copy": copy().model_dump(),
        "review_piece": review(score, *changes),
    }
    return Studio(ports(ScriptedStudio(answers), shelf, log=log), LINKEDIN, load_brand())


@pytest.mark.parametrize("kind", ["carousel", "instagram"])
def test_the_catalogue_has_the_stages_of_the_pipeline(kind: str):
    names = [name for name in build_graph(studio()).nodes if name not in DETOURS]
    assert names == list(load_catalog().kinds[kind].stages)


@pytest.mark.parametrize("stage", STAGES[1:])
async def test_a_rejected_piece_is_made_again_from_any_stage(stage: str):
    checkpoint: Any = Checkpoint()
    shelf = Shelf()
    with pytest.raises(ReviewRejected):
        await run_graph(build_graph(studio(60, shelf=shelf)), {"brief": brief()}, checkpoint)
    await checkpoint.save({"rewind_to": stage})
    log = Log()
    state = await run_graph(
        build_graph(studio(log=log, shelf=shelf)), {"brief": brief(persona="salesperson")}, checkpoint
    )
    following = list(STAGES[STAGES.index(stage) :])
    assert log.stages == following
    assert state["brief"].voice == "salesperson"
    assert state["reviews"][-1].passed
