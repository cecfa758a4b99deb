"""A review is arithmetic over a model's scores, and no review is no pass."""

from typing import Any

import pytest

from shared.content.brand_analyst import Check, Criterion, Review, review_draft
from shared.engine.errors import ModelOutputInvalid, ModelRefused
from tests.shared.research.scripted import Answer, ScriptedModels, input_of

RUBRIC = (Criterion(name="use", asks="Useful.", weight=60), Criterion(name="voice", asks="Calm.", weight=30))
INPUTS = {"what": "w", "brief": "b", "draft": "d", "evidence": [], "parts": "p", "voice": "v", "language": "en"}


def scores(**by_name: int) -> dict[str, Any]:
    given = [{"criterion": name, "score": score, "reason": "r"} for name, score in by_name.items()]
    return {"scores": given, "changes": [], "summary": "s"}


async def review(answer: Answer, *checks: Check) -> tuple[Review, ScriptedModels]:
    models = ScriptedModels({"review": answer})
    return await review_draft(models, RUBRIC, checks, INPUTS, round_=0), models


async def test_the_score_is_the_weighted_mean():
    result, _ = await review(scores(use=90, voice=60))
    assert (result.score, result.passed) == (80.0, True)


async def test_measured_limits_count_as_a_criterion():
    kept, broken = Check(name="a", ok=True, detail="1"), Check(name="b", ok=False, detail="9; 1 to 5 wanted")
    result, models = await review(scores(use=90, voice=90), kept, broken)
    assert result.score == 86.0
    assert result.criteria[-1].reason == "b: 9; 1 to 5 wanted"
    assert "1 to 5 wanted" in input_of(models.prompts[0], "checks")


@pytest.mark.parametrize(
    ("use", "voice", "passed"), [(70, 70, True), (69, 71, False), (100, 49, False), (65, 90, True)]
)
async def test_seventy_passes_and_no_criterion_may_fail(use: int, voice: int, passed: bool):
    result, _ = await review(scores(use=use, voice=voice))
    assert result.passed is passed


@pytest.mark.parametrize(
    "answer",
    [scores(use=90), scores(use=90, tone=90), {**scores(use=90, voice=90), "scores": scores(use=9)["scores"] * 3}],
)
async def test_scores_that_are_not_for_the_rubric_are_no_review(answer: dict[str, Any]):
    with pytest.raises(ModelOutputInvalid, match="cannot pass"):
        await review(answer)


async def test_an_incomplete_answer_is_asked_for_once_more():
    answers = iter([scores(use=90), scores(use=80, voice=80)])
    result, models = await review(lambda _: next(answers))
    assert (result.score, len(models.made)) == (80.0, 2)


async def test_a_refused_review_is_an_error():
    with pytest.raises(ModelRefused):
        await review(ModelRefused("blocked"))
