"""Which photograph of the company a slide's picture rests on, if there is one that fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from shared.concurrently import concurrently
from shared.content.brand import Language
from shared.content.pictures import as_reference
from shared.content.piece import AssetUse, SlideIntent
from shared.content.ports import AssetFinder, AssetHit, Pictures, PictureUnavailable

if TYPE_CHECKING:
    from shared.model.calls import ReferenceImage

LEAST_RELEVANCE = 70
_PHOTOGRAPHS = ("product", "facility", "team", "equipment")
_LOGO_QUERY = "logotipo LM azul"
_LIMIT = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a slide rests on, with the photograph itself when it is a real one."""

    use: AssetUse
    photograph: "ReferenceImage | None" = None


async def choose_assets(
    slides: Sequence[SlideIntent], finder: AssetFinder, pictures: Pictures, language: Language
) -> list[Chosen]:
    """For each slide the most relevant photograph above the bar that no earlier slide has; else none, and why."""
    found = await concurrently(
        finder.find(slide.asset_query, language=language, kinds=_PHOTOGRAPHS, limit=_LIMIT) for slide in slides
    )
    taken: set[str] = set()
    uses: list[AssetUse] = []
    for hits in found:
        use = _use_of(hits, taken)
        if use.url is not None:  # one photograph may be several assets
            taken.add(use.url)
        uses.append(use)
    chosen = await concurrently(with_photograph(use, pictures) for use in uses)
    for number, choice in enumerate(chosen, start=1):
        _log_choice(number, choice.use)
    return chosen


async def with_photograph(use: AssetUse, pictures: Pictures) -> Chosen:
    """The use with its photograph; as generated when the photograph cannot be read."""
    if use.url is None:
        return Chosen(use)
    try:
        return Chosen(use, as_reference(await pictures.load(use.url)))
    except PictureUnavailable as error:
        reason = f'the photograph of "{use.title}" could not be read: {error}'
        return Chosen(AssetUse(origin="generated", reason=reason, relevance=use.relevance))


async def load_logo(finder: AssetFinder, pictures: Pictures, language: Language) -> "ReferenceImage | None":
    """The company's logo; None when there is none, or none that can be read."""
    for hit in await finder.find(_LOGO_QUERY, language=language, kinds=("logo",), limit=1):
        if hit.url:
            try:
                return as_reference(await pictures.load(hit.url))
            except PictureUnavailable as error:
                _log.warning("logo_not_read", url=hit.url, reason=str(error))
    return None


def _use_of(hits: Sequence[AssetHit], taken: set[str]) -> AssetUse:
    fitting = [hit for hit in hits if hit.url and hit.relevance > LEAST_RELEVANCE]
    if not fitting:
        best = max((hit.relevance for hit in hits), default=None)
        reason = (
            "no asset was found"
            if best is None
            else f"the best asset has relevance {best:.0f}, not above {LEAST_RELEVANCE}"
        )
        return AssetUse(origin="generated", reason=reason, relevance=best)
    free = [hit for hit in fitting if hit.url not in taken]
    if not free:
        return AssetUse(
            origin="generated", reason="its best asset is on another slide already", relevance=fitting[0].relevance
        )
    hit = max(free, key=lambda hit: hit.relevance)
    return AssetUse(
        origin="real",
        reason=f"relevance {hit.relevance:.0f} is above {LEAST_RELEVANCE}",
        asset_id=str(hit.asset_id),
        source=hit.source,
        title=hit.title,
        url=hit.url,
        relevance=hit.relevance,
    )


def _log_choice(number: int, use: AssetUse) -> None:
    event = "Using real asset" if use.origin == "real" else "Generating AI"
    _log.info(event, slide=number, reason=use.reason, asset=use.title, source=use.source, relevance=use.relevance)
