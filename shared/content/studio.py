"""The stages that every platform's pieces go through: strategy ▸ copy ▸ design ▸ review, and back where a review says.

A service uses them as the nodes of its graph. Each takes the state, does one thing with the ports, and returns what
it adds to the state. Nothing depends on the time or on chance: a stage that runs again asks the models exactly the
same and is answered from the ledger.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal, NotRequired, TypedDict

from shared.concurrently import concurrently
from shared.content.brand import Brand
from shared.content.brand_analyst import LEAST_IN_EACH, PASSING_SCORE, Review, reasons_against, review_piece
from shared.content.brief import Brief
from shared.content.copy_rules import known_texts
from shared.content.copywriter import Copywriter
from shared.content.designer import Designer
from shared.content.finished import FinishedPiece
from shared.content.pictures import for_review
from shared.content.piece import Copy, Plan, Visual
from shared.content.piece_rubric import PIECE_RUBRIC, measured, piece_inputs, wishes_of
from shared.content.platforms.base import Platform
from shared.content.ports import PictureUnavailable, StudioPorts
from shared.content.strategist import plan_piece
from shared.engine.errors import ReviewRejected, StorageUnavailable
from shared.model.calls import ReferenceImage

MOST_REGENERATIONS = 2


class StudioState(TypedDict):
    """Each key is there once its stage is done; those that a stage looks for before are marked.

    `evidence`: further facts that may be stated. `redraw`: numbers of the slides that a revision has changed, none
    once they are drawn. `reviews`: all of them, the last one decides. `flagged`: below the bar, delivered all the same.
    `regenerations`: slides and captions that reviews sent back. `milliseconds`: time by stage, over all attempts.
    """

    brief: Brief
    evidence: NotRequired[list[str]]
    plan: Plan
    text: Copy
    visuals: list[Visual]
    redraw: NotRequired[list[int]]
    reviews: NotRequired[list[Review]]
    flagged: NotRequired[bool]
    regenerations: NotRequired[int]
    milliseconds: NotRequired[dict[str, int]]


Update = dict[str, Any]
"""What a stage returns: the keys of `StudioState` that it sets."""


class Studio:
    """The stages of one job, bound to its ports and its platform."""

    def __init__(self, ports: StudioPorts, platform: Platform, brand: Brand) -> None:
        self._ports = ports
        self._platform = platform
        self._brand = brand

    async def strategy(self, state: StudioState) -> Update:
        """Hook, narrative and slides."""
        async with self._timed("strategy", state) as times:
            await self._ports.report("Planning the slides…", None, None)
            evidence = state.get("evidence", [])
            plan = await plan_piece(self._ports.models, state["brief"], self._platform, self._brand, evidence)
        return {"plan": plan, "milliseconds": times}

    async def copy(self, state: StudioState) -> Update:
        """The words on the slides and around them. Raises CopyRejected."""
        async with self._timed("copy", state) as times:
            await self._ports.report("Writing headlines, texts and caption…", None, None)
            text = await self._copywriter(state).write()
        return {"text": text, "milliseconds": times}

    async def design(self, state: StudioState) -> Update:
        """The pictures; after a revision those alone that it changed. Raises JobError with the slide's index."""
        plan, text, reviews = state["plan"], state["text"], state.get("reviews", [])
        designer = Designer(self._ports, state["brief"], self._platform, self._brand)
        async with self._timed("design", state) as times:
            await self._ports.report("Drawing slides…", 0, len(plan.slides))
            if reviews:
                wishes = wishes_of(reviews[-1], text)
                visuals = await designer.redesign(
                    plan, text, state["visuals"], state.get("redraw", []), wishes, round_=len(reviews)
                )
            else:
                visuals = await designer.design(plan, text)
        return {"visuals": visuals, "redraw": [], "milliseconds": times}

    async def review(self, state: StudioState) -> Update:
        """The brand analyst's scores for copy and pictures.

        Raises ReviewRejected when the piece stays below the bar after its last regeneration, unless the brief wants it
        delivered all the same: then it is flagged.
        """
        brief, text, visuals, earlier = state["brief"], state["text"], state["visuals"], state.get("reviews", [])
        async with self._timed("review", state) as times:
            await self._ports.report("Reviewing copy and pictures…", None, None)
            known = known_texts(brief, state.get("evidence", []), self._brand)
            review = await review_piece(
                self._ports.models,
                PIECE_RUBRIC,
                measured(self._platform, brief, text, visuals),
                piece_inputs(brief, self._platform, state["plan"], text, visuals, known, self._brand),
                await concurrently(self._seen(visual) for visual in visuals),
                round_=len(earlier),
            )
            is_last = len(earlier) >= MOST_REGENERATIONS
            if not review.passed and is_last and not brief.deliver_below_threshold:
                raise _rejected([*earlier, review])
        return {"reviews": [*earlier, review], "flagged": is_last and not review.passed, "milliseconds": times}

    async def revise(self, state: StudioState) -> Update:
        """The words that the last review sends back, written again; and which slides have to be drawn for it."""
        text, reviews = state["text"], state.get("reviews", [])
        async with self._timed("copy", state) as times:
            wishes = wishes_of(reviews[-1], text)
            for_copy = [wish for wish in wishes if wish.target == "copy"]
            revised = text
            if for_copy:
                await self._ports.report("Rewriting after the review…", None, None)
                revised = await self._copywriter(state).revise(text, for_copy, round_=len(reviews))
        named = {wish.slide for wish in wishes if wish.slide}
        changed = {
            number
            for number, (old, new) in enumerate(zip(text.slides, revised.slides, strict=True), start=1)
            if old.on_picture != new.on_picture
        }
        return {
            "text": revised,
            "redraw": sorted(named | changed),
            "regenerations": state.get("regenerations", 0) + len({wish.slide for wish in wishes}),
            "milliseconds": times,
        }

    def finished(self, state: StudioState) -> FinishedPiece:
        """The piece, for the platform's formatter."""
        return FinishedPiece(
            platform=self._platform.name,
            brief=state["brief"],
            format=self._platform.format_of(state["brief"]),
            plan=state["plan"],
            text=state["text"],
            visuals=state["visuals"],
            reviews=state.get("reviews", []),
            flagged=state.get("flagged", False),
            regeneration_count=state.get("regenerations", 0),
            milliseconds=state.get("milliseconds", {}),
        )

    def _copywriter(self, state: StudioState) -> Copywriter:
        return Copywriter(
            self._ports.models, state["brief"], state["plan"], self._platform, self._brand, state.get("evidence", [])
        )

    async def _seen(self, visual: Visual) -> ReferenceImage:
        try:
            return for_review(await self._ports.pictures.load(visual.url))
        except PictureUnavailable as error:
            raise StorageUnavailable(
                f"Slide {visual.slide} could not be read back for its review: {error}", slide_index=visual.slide - 1
            ) from error

    @asynccontextmanager
    async def _timed(self, stage: str, state: StudioState) -> AsyncGenerator[dict[str, int]]:
        """Opens the stage; yields the milliseconds of all stages, with this one's added when it ends."""
        times = dict(state.get("milliseconds", {}))
        began = time.monotonic()
        async with self._ports.stage(stage):
            yield times
        times[stage] = times.get(stage, 0) + round(1000 * (time.monotonic() - began))


def after_review(state: StudioState) -> Literal["revise", "done"]:
    """Where a graph goes from `review`: back with what the review wants changed, or on."""
    return "done" if state.get("reviews", [])[-1].passed or state.get("flagged", False) else "revise"


def _rejected(reviews: list[Review]) -> ReviewRejected:
    scores = ", ".join(f"{review.score:g}" for review in reviews)
    return ReviewRejected(
        f"The piece scored {scores} of 100, the last time after {MOST_REGENERATIONS} regenerations; {PASSING_SCORE} "
        f"are needed, and no criterion below {LEAST_IN_EACH}. {reasons_against(reviews[-1])}"
    )
