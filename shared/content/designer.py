"""The designer: one picture a slide with its words in it, on a real photograph where there is one, readable always."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from shared.concurrently import concurrently
from shared.content.asset_choice import Chosen, choose_assets, load_logo, with_photograph
from shared.content.brand import Brand
from shared.content.brief import Brief
from shared.content.pictures import exactly
from shared.content.piece import Copy, Plan, Reading, SlideCopy, SlideIntent, SlideWish, Visual
from shared.content.platforms.base import PageSize, Platform
from shared.content.ports import StudioPorts
from shared.engine.errors import BudgetExceeded, JobError
from shared.model.prompts import RenderedPrompt, load_prompt

if TYPE_CHECKING:
    from shared.model.calls import ReferenceImage

MOST_DRAWINGS = 3
_PACKAGE = Path(__file__).parent
_MODEL_SIZE = "2K"
_NONE = "none"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One slide on the drawing board. `number` counts from 1; `round_`: how often a review has sent the piece back."""

    number: int
    of: int
    intent: SlideIntent
    text: SlideCopy
    chosen: Chosen
    wishes: list[str]
    before: Visual | None
    round_: int


@dataclass(frozen=True, slots=True)
class Designer:
    """Draws for one brief. Slides are made side by side, at most `ports.slides_at_once` at a time."""

    ports: StudioPorts
    brief: Brief
    platform: Platform
    brand: Brand
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", asyncio.Semaphore(self.ports.slides_at_once))

    async def design(self, plan: Plan, text: Copy) -> list[Visual]:
        """A picture for each slide. Raises JobError with the index of the slide, from 0."""
        assets, pictures, language = self.ports.assets, self.ports.pictures, self.brief.language
        logo, chosen = await asyncio.gather(
            load_logo(assets, pictures, language), choose_assets(plan.slides, assets, pictures, language)
        )
        sheets = [
            _Sheet(number, len(plan.slides), intent, slide, choice, [], None, 0)
            for number, (intent, slide, choice) in enumerate(
                zip(plan.slides, text.slides, chosen, strict=True), start=1
            )
        ]
        return await self._all(sheets, logo)

    async def redesign(
        self,
        plan: Plan,
        text: Copy,
        visuals: Sequence[Visual],
        redraw: Sequence[int],
        wishes: Sequence[SlideWish],
        *,
        round_: int,
    ) -> list[Visual]:
        """The slides numbered in `redraw` drawn anew, on the same photographs; the others as they are."""
        assets, pictures, language = self.ports.assets, self.ports.pictures, self.brief.language
        before = {visual.slide: visual for visual in visuals}
        logo = await load_logo(assets, pictures, language) if redraw else None
        chosen = await concurrently(with_photograph(before[number].asset, pictures) for number in redraw)
        sheets = [
            _Sheet(
                number,
                len(plan.slides),
                plan.slides[number - 1],
                text.slides[number - 1],
                choice,
                [wish.wish for wish in wishes if wish.slide == number],
                before[number],
                round_,
            )
            for number, choice in zip(redraw, chosen, strict=True)
        ]
        new = {visual.slide: visual for visual in await self._all(sheets, logo)}
        return [new.get(visual.slide, visual) for visual in visuals]

    async def _all(self, sheets: Sequence[_Sheet], logo: "ReferenceImage | None") -> list[Visual]:
        done = 0

        async def one(sheet: _Sheet) -> Visual:
            nonlocal done
            async with self._turns:
                try:
                    visual = await self._slide(sheet, logo)
                except JobError as error:
                    error.slide_index = sheet.number - 1
                    raise
            done += 1
            await self.ports.report(f"Drawing slides… {done} of {len(sheets)}", done, len(sheets))
            return visual

        return await concurrently(one(sheet) for sheet in sheets)

    async def _slide(self, sheet: _Sheet, logo: "ReferenceImage | None") -> Visual:
        """Drawn until it can be read, at most three times; then the words are set over the last picture."""
        page, picture = self.platform.page_of(self.brief), b""
        report: Reading | None = None
        drawn = 0
        while drawn < MOST_DRAWINGS and (report is None or not report.passed):
            try:
                picture = await self._drawn(sheet, page, logo, report, drawn)
            except BudgetExceeded:
                if report is None:
                    raise
                break  # a picture is there: setting its words costs nothing
            drawn += 1
            report = await self.ports.legibility.check(picture, sheet.text, page.pixels)
        first_time = drawn == 1 and report is not None and report.passed
        by_model = report is not None and report.passed
        if report is None or not by_model:
            picture, report = await self.ports.typesetter.set(picture, sheet.text, page.pixels)
        path = f"{self.ports.folder}/slide-{sheet.number}{f'-v{sheet.round_ + 1}' if sheet.round_ else ''}.png"
        url = await self.ports.pictures.save(path, picture)
        before = sheet.before
        visual = Visual(
            slide=sheet.number,
            url=url,
            path=path,
            width=page.width,
            height=page.height,
            asset=sheet.chosen.use,
            text_rendering="model" if by_model else "typeset",
            drawn=drawn + (before.drawn if before else 0),
            right_at_once=first_time and (before is None or before.right_at_once),
            reading=report,
        )
        _log.info(
            "slide drawn", slide=sheet.number, drawn=drawn, text_rendering=visual.text_rendering, readable=report.passed
        )
        return visual

    async def _drawn(
        self,
        sheet: _Sheet,
        page: PageSize,
        logo: "ReferenceImage | None",
        report: Reading | None,
        drawn: int,
    ) -> bytes:
        references = [reference for reference in (sheet.chosen.photograph, logo) if reference is not None]
        answer = await self.ports.models.image(
            self._prompt(sheet, page, logo is not None, list(report.findings) if report else []),
            aspect_ratio=page.aspect_ratio,
            size=_MODEL_SIZE,
            references=references,
            variant=sheet.round_ * MOST_DRAWINGS + drawn,
        )
        return await asyncio.to_thread(exactly, answer.data, page.pixels)

    def _prompt(self, sheet: _Sheet, page: PageSize, has_logo: bool, findings: list[str]) -> RenderedPrompt:
        return load_prompt(_PACKAGE, "draw_slide").render(
            headline=sheet.text.headline,
            body=sheet.text.body or _NONE,
            scene=sheet.intent.picture,
            references=_references(sheet.chosen, has_logo),
            palette=_palette(self.brand, self.brief),
            typeface=f"{self.brand.fonts['family']}, headline extra bold, text regular",
            photographs=self.brand.photographs,
            aesthetic=self.platform.aesthetic,
            style=self.brief.style,
            place=f"Slide {sheet.number} of {sheet.of}, role {sheet.intent.role}; {page.width} × {page.height} pixels",
            series=self.brief.topic,
            wishes="\n".join(sheet.wishes) or _NONE,
            unreadable="\n".join(findings) or _NONE,
        )


def _references(chosen: Chosen, has_logo: bool) -> str:
    lines: list[str] = []
    if chosen.photograph is not None:
        lines.append(f"photograph: {chosen.use.title or 'a photograph of the company'}")
    if has_logo:
        lines.append("logo: the company's monogram")
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1)) or _NONE


def _palette(brand: Brand, brief: Brief) -> str:
    leads = brand.personas[brief.voice].leads
    colours = brand.colours
    return (
        f"{leads.replace('_', ' ')} {colours[leads]} leads, on white and light greys; sparingly innovation green "
        f"{colours['innovation_green']} and, as a single accent, energy orange {colours['energy_orange']}"
    )
