"""The copywriter: the words on the slides and around them, within the platform's limits and the brand's rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.content.brand import Brand
from shared.content.brief import Brief
from shared.content.copy_rules import claim_problems, known_texts
from shared.content.piece import Copy, CopyProblem, Plan, Role, SlideCopy, SlideWish, slide_part
from shared.content.platforms.base import Platform
from shared.content.ports import StudioModels
from shared.content.strategist import NONE, brief_inputs
from shared.engine.errors import CopyRejected
from shared.model.prompts import load_prompt
from shared.plain import one_line

_PACKAGE = Path(__file__).parent
_NO_LETTER = re.compile(r"\W")


@dataclass(frozen=True)
class Copywriter:
    """Writes for one brief and one plan. `evidence`: further facts that may be stated."""

    models: StudioModels
    brief: Brief
    plan: Plan
    platform: Platform
    brand: Brand
    evidence: Sequence[str] = ()

    async def write(self) -> Copy:
        """The copy, checked. Raises CopyRejected when it breaks a rule, and again after its repair."""
        return await self._checked(None, {}, round_=0)

    async def revise(self, copy: Copy, wishes: Sequence[SlideWish], *, round_: int) -> Copy:
        """The copy with the parts that `wishes` are about written again; all others stay as they are."""
        by_part: dict[str, list[str]] = {}
        for wish in wishes:
            by_part.setdefault(slide_part(wish.slide) if wish.slide else "caption", []).append(wish.wish)
        return await self._checked(copy, by_part, round_=round_)

    def problems(self, copy: Copy) -> list[CopyProblem]:
        """Each rule that the copy breaks: the platform's limits, and claims that nothing supports."""
        roles: list[Role] = [intent.role for intent in self.plan.slides]
        known = known_texts(self.brief, self.evidence, self.brand)
        return [*self.platform.problems(copy, roles), *claim_problems(copy, known, self.brand)]

    async def _checked(self, before: Copy | None, wishes: Mapping[str, list[str]], *, round_: int) -> Copy:
        copy = _merged(before, await self._asked(before, wishes, variant=2 * round_), set(wishes))
        if not (problems := self.problems(copy)):
            return copy
        broken: dict[str, list[str]] = {}
        for problem in problems:
            broken.setdefault(problem.part, []).append(problem.problem)
        repaired = _merged(copy, await self._asked(copy, broken, variant=2 * round_ + 1), set(broken))
        if not (left := self.problems(repaired)):
            return repaired
        said = "; ".join(f"{problem.part}: {problem.problem}" for problem in left)
        raise CopyRejected(f"The text still breaks rules after its repair. {said}", slide_index=_slide_of(left[0]))

    async def _asked(self, before: Copy | None, wishes: Mapping[str, list[str]], *, variant: int) -> Copy:
        changes = [{"part": part, "change": wish} for part, all_wishes in wishes.items() for wish in all_wishes]
        prompt = load_prompt(_PACKAGE, "write_copy").render(
            **brief_inputs(self.brief, self.brand, self.evidence),
            platform=self.platform.title,
            tone=self.platform.tone,
            style=self.brief.style,
            hook=self.plan.hook,
            narrative=self.plan.narrative,
            slides=self._slides_wanted(),
            caption_limits=(
                f"{self.platform.caption_sentences} sentences; {self.platform.caption_chars} characters at most with "
                f"{self.platform.hashtags} hashtags. {self.platform.caption_style}"
            ),
            previous=NONE if before is None else before.model_dump_json(),
            changes=changes,
        )
        return _tidy(await self.models.text(prompt, Copy, variant=variant), self.platform.hashtags.most)

    def _slides_wanted(self) -> list[dict[str, Any]]:
        return [
            {
                "part": slide_part(number),
                "role": intent.role,
                "purpose": intent.purpose,
                "picture": intent.picture,
                "headline_characters": self.platform.limits[intent.role].headline,
                "body_characters": self.platform.limits[intent.role].body,
            }
            for number, intent in enumerate(self.plan.slides, start=1)
        ]


def _merged(before: Copy | None, answer: Copy, parts: set[str]) -> Copy:
    """`before` with the named parts from the answer; all of the answer when it is the first or has other slides."""
    if before is None or len(answer.slides) != len(before.slides) or "slides" in parts:
        return answer
    slides = [
        new if slide_part(number) in parts else old
        for number, (old, new) in enumerate(zip(before.slides, answer.slides, strict=True), start=1)
    ]
    return Copy(
        slides=slides,
        caption=answer.caption if "caption" in parts else before.caption,
        hashtags=answer.hashtags if {"caption", "hashtags"} & parts else before.hashtags,
    )


def _tidy(copy: Copy, most_hashtags: int) -> Copy:
    """Plain texts; hashtags as one word each, no more of them than the platform takes."""
    words = [word for tag in copy.hashtags if (word := _NO_LETTER.sub("", tag))]
    tags = {word.casefold(): f"#{word}" for word in reversed(words)}  # of two spellings the first
    return Copy(
        slides=[
            SlideCopy(headline=one_line(slide.headline), body=one_line(slide.body), alt_text=one_line(slide.alt_text))
            for slide in copy.slides
        ],
        caption="\n".join(one_line(line) for line in copy.caption.strip().splitlines()),
        hashtags=list(reversed(tags.values()))[:most_hashtags],
    )


def _slide_of(problem: CopyProblem) -> int | None:
    """The index of the slide that a problem is about, from 0."""
    number = problem.part.removeprefix("slide ")
    return int(number) - 1 if number.isdecimal() else None
