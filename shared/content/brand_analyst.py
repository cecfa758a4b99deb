"""The brand analyst: judges a draft against a rubric, criterion by criterion. It never passes by default."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, Field

from shared.engine.errors import ModelOutputInvalid
from shared.model.prompts import RenderedPrompt, load_prompt

if TYPE_CHECKING:
    from shared.model.calls import ReferenceImage

PASSING_SCORE = 70
LEAST_IN_EACH = 50
_PACKAGE = Path(__file__).parent

T = TypeVar("T", bound=BaseModel)


class CriterionScore(BaseModel):
    """The score of one criterion."""

    criterion: str = Field(description="Name of the criterion, exactly as given")
    score: int = Field(ge=0, le=100, description="0 to 100; 70 and more is good, below 70 must be revised")
    reason: str = Field(min_length=1, description="1 or 2 sentences that quote the words of the draft they are about")


class RequestedChange(BaseModel):
    """Something that has to change before the draft is good."""

    part: str = Field(description="Name of the part to change, exactly as given in the list of parts")
    change: str = Field(min_length=1, description="What is wrong there and what to do; one or two sentences")


class ReviewAnswer(BaseModel):
    """Answer to `review`."""

    scores: list[CriterionScore] = Field(min_length=1, description="One score for each criterion, in the same order")
    changes: list[RequestedChange] = Field(
        description="At most 6 changes, the most important first; empty when all is well"
    )
    summary: str = Field(min_length=1, description="2 sentences for the marketing lead: what is good, what to look at")


class Criterion(BaseModel):
    """One line of a rubric. `asks`: what a perfect draft does; `weight`: its share of the whole."""

    name: str
    asks: str
    weight: int


class Check(BaseModel):
    """One limit, measured by a program."""

    name: str
    ok: bool
    detail: str


class ScoredCriterion(CriterionScore):
    """A score with its weight."""

    weight: int


class Review(BaseModel):
    """A review. `score`: weighted mean of the criteria, 0 to 100; `passed`: at least 70, and no criterion below 50."""

    score: float
    passed: bool
    criteria: list[ScoredCriterion]
    checks: list[Check]
    changes: list[RequestedChange]
    summary: str


class ReviewModel(Protocol):
    """The call that a review makes; `shared.model.gateway.JobModels` has it."""

    async def text(self, prompt: RenderedPrompt, schema: type[T], *, variant: int = 0) -> T:
        """An answer that fits the schema."""
        ...


class SeeingModel(Protocol):
    """The call that a review of pictures makes; `shared.model.gateway.JobModels` has it."""

    async def text(
        self,
        prompt: RenderedPrompt,
        schema: type[T],
        *,
        variant: int = 0,
        images: Sequence["ReferenceImage"] = (),
    ) -> T:
        """An answer that fits the schema, from a model that sees `images`."""
        ...


async def review_draft(
    models: ReviewModel, rubric: Sequence[Criterion], checks: Sequence[Check], inputs: dict[str, Any], *, round_: int
) -> Review:
    """Reviews a draft. `inputs`: what, brief, draft, evidence, parts, voice and language of the prompt.

    Measured checks count as one more criterion of weight 10, scored by arithmetic. An answer that leaves a criterion
    out is asked for once more; then, as after any failure of the call itself, there is no review.

    Raises:
        ModelError: there is no review, and so the draft does not pass.
    """
    prompt = _prompt("review", rubric, checks, inputs)
    return await _scored(
        lambda variant: models.text(prompt, ReviewAnswer, variant=variant), rubric, checks, round_=round_
    )


async def review_piece(
    models: SeeingModel,
    rubric: Sequence[Criterion],
    checks: Sequence[Check],
    inputs: dict[str, Any],
    pictures: Sequence["ReferenceImage"],
    *,
    round_: int,
) -> Review:
    """As `review_draft`, for slides: the model reads the copy and sees the pictures, in the order of the slides.

    Raises:
        ModelError: there is no review, and so the piece does not pass.
    """
    prompt = _prompt("review_piece", rubric, checks, inputs)
    return await _scored(
        lambda variant: models.text(prompt, ReviewAnswer, variant=variant, images=pictures),
        rubric,
        checks,
        round_=round_,
    )


def reasons_against(review: Review) -> str:
    """Why a review did not pass, in words for the marketing lead."""
    low = [item for item in review.criteria if item.score < PASSING_SCORE]
    return " ".join(f"{item.criterion} {item.score}: {item.reason}" for item in low) or review.summary


def _prompt(name: str, rubric: Sequence[Criterion], checks: Sequence[Check], inputs: dict[str, Any]) -> RenderedPrompt:
    return load_prompt(_PACKAGE, name).render(
        **inputs,
        checks=[check.model_dump() for check in checks],
        criteria=[{"criterion": item.name, "asks": item.asks} for item in rubric],
    )


async def _scored(
    ask: Callable[[int], Awaitable[ReviewAnswer]], rubric: Sequence[Criterion], checks: Sequence[Check], *, round_: int
) -> Review:
    for variant in (2 * round_, 2 * round_ + 1):
        answer = await ask(variant)
        scored = _in_order_of(rubric, answer.scores)
        if scored is not None:
            return _review(scored, checks, answer)
    raise ModelOutputInvalid("The review did not score every criterion, so the draft cannot pass.")


def _in_order_of(rubric: Sequence[Criterion], scores: Sequence[CriterionScore]) -> list[ScoredCriterion] | None:
    by_name = {score.criterion.strip().casefold(): score for score in scores}
    if len(by_name) != len(scores) or not all(item.name.casefold() in by_name for item in rubric):
        return None
    return [
        ScoredCriterion(
            criterion=item.name,
            score=by_name[item.name.casefold()].score,
            reason=by_name[item.name.casefold()].reason,
            weight=item.weight,
        )
        for item in rubric
    ]


def _review(scored: list[ScoredCriterion], checks: Sequence[Check], answer: ReviewAnswer) -> Review:
    criteria = [*scored, *([_measured(checks)] if checks else [])]
    weights = sum(item.weight for item in criteria)
    score = round(sum(item.score * item.weight for item in criteria) / weights, 1)
    return Review(
        score=score,
        passed=score >= PASSING_SCORE and all(item.score >= LEAST_IN_EACH for item in criteria),
        criteria=criteria,
        checks=list(checks),
        changes=answer.changes,
        summary=answer.summary,
    )


def _measured(checks: Sequence[Check]) -> ScoredCriterion:
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
    return ScoredCriterion(
        criterion="limits",
        score=round(100 * (len(checks) - len(failed)) / len(checks)),
        reason="; ".join(failed) or "All limits are kept.",
        weight=10,
    )
