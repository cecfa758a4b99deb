"""The stages as a graph, against the emulator over HTTP and the real ledger."""

# pyright: reportUnknownMemberType=false
import io
from collections import Counter
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from PIL import Image

from shared.content.brand import load_brand
from shared.content.finished import FinishedPiece, generation_metadata
from shared.content.platforms.base import Platform
from shared.content.platforms.instagram import INSTAGRAM, instagram_post
from shared.content.platforms.linkedin import LINKEDIN, linkedin_post
from shared.content.studio import Studio, StudioState, after_review
from shared.engine.errors import ReviewRejected
from shared.engine.job import Lease
from shared.engine.state_json import decode, encode
from shared.model.gateway import JobModels
from tests.shared.content.pieces import Gate, Hit, Log, Shelf, brief, png, ports
from tests.shared.content.platform_x import X, weighted
from tests.shared.model.books import Books, Jobs
from tests.shared.model.examples import assert_books_are_true
from tests.shared.model.provider import Provider

GOOD_PLAN_AND_COPY = ["ok", "ok"]


def graph_of(studio: Studio) -> Any:
    graph = StateGraph(StudioState)
    for name in ("strategy", "copy", "design", "review", "revise"):
        graph.add_node(name, getattr(studio, name))
    graph.add_edge(START, "strategy")
    graph.add_edge("strategy", "copy")
    graph.add_edge("copy", "design")
    graph.add_edge("design", "review")
    graph.add_conditional_edges("review", after_review, {"revise": "revise", "done": END})
    graph.add_edge("revise", "design")
    return graph.compile()


async def made(
    models: JobModels,
    *,
    platform: Platform = LINKEDIN,
    shelf: Shelf | None = None,
    log: Log | None = None,
    **given: Any,
) -> tuple[FinishedPiece, Shelf]:
    shelf = shelf or Shelf()
    studio = Studio(ports(models, shelf, Gate(), log), platform, load_brand())
    state = await graph_of(studio).ainvoke({"brief": brief(**given)})
    assert decode(encode(state, "state")) == state
    return studio.finished(state), shelf


async def script(provider: Provider, *faults: str) -> None:
    """Faults of the next text requests."""
    steps = [{"fault": fault, "match": {"kind": "text"}} for fault in [*GOOD_PLAN_AND_COPY, *faults]]
    await provider._plan({"script": steps})


@pytest.mark.parametrize("language", ["pt-BR", "en"])
async def test_a_carousel_from_brief_to_row(models: JobModels, provider: Provider, books: Books, language: str):
    log = Log()
    topic = {"pt-BR": "Rastreabilidade de lote em placas TPLO", "en": "What a supplier audit should ask first"}[
        language
    ]
    piece, shelf = await made(models, log=log, topic=topic, language=language, style="text-heavy")
    assert log.stages == ["strategy", "copy", "design", "review"]
    assert 5 <= len(piece.visuals) <= 7
    assert piece.quality_score >= 75
    for visual in piece.visuals:
        with Image.open(io.BytesIO(shelf.files[visual.url])) as picture:
            assert picture.size == (1080, 1350)
    row = linkedin_post(piece)
    assert row.image_urls == [visual.url for visual in piece.visuals]
    assert row.caption.endswith(" ".join(piece.text.hashtags))
    assert [slide["role"] for slide in row.slides][:: len(row.slides) - 1] == ["hook", "cta"]
    told = generation_metadata(piece)
    assert told["assets_used_count"] == 0
    assert told["regeneration_count"] == 0
    assert told["readable_count"] == told["right_at_once_count"] == told["slide_count"] == len(piece.visuals)
    assert all(told[f"{stage}_time_ms"] >= 0 for stage in ("strategy", "copywriting", "design", "review"))
    assert Counter(row["call_kind"] for row in await books.rows()) == {"text": 3, "image": len(piece.visuals)}
    await assert_books_are_true(books, provider)


async def test_the_same_studio_makes_an_instagram_post(models: JobModels):
    piece, _ = await made(models, platform=INSTAGRAM, topic="Sala limpa por dentro", size="square")
    row = instagram_post(piece)
    assert (row.format, len(row.items), row.items[0].width, row.items[0].height) == ("single-image", 1, 1080, 1080)
    assert row.image_url == row.items[0].url
    assert row.caption.endswith(" ".join(row.hashtags))
    assert 3 <= len(row.hashtags) <= 5
    assert row.alt_text


async def test_a_platform_that_no_agent_knows_goes_through_the_same_studio(models: JobModels):
    piece, _ = await made(models, platform=X, topic="Sala limpa por dentro", format="carousel")
    assert (piece.platform, piece.format) == ("x", "carousel")
    assert 2 <= len(piece.visuals) <= 4
    assert weighted(X.post_text(piece.text)) <= 280
    assert {(visual.width, visual.height) for visual in piece.visuals} == {(1080, 1080)}


async def test_a_real_photograph_is_told_of(models: JobModels):
    shelf = Shelf(files={"https://assets.test/parafuso.png": png((900, 700), "red")})
    hit = Hit("6f9619ff-8b86-d011-b42d-00c04fc964ff", 88)

    class Everywhere(Shelf):
        async def find(self, query: str, **_: Any) -> list[Hit]:
            return [hit] if "parafuso" in query else []

    piece, _ = await made(models, shelf=Everywhere(files=shelf.files), topic="Parafusos pediculares")
    assert linkedin_post(piece).assets_used == [hit.url]
    assert generation_metadata(piece)["assets_used_count"] == 1
    assert linkedin_post(piece).slides[piece.visuals.index(_real(piece))]["asset"]["relevance"] == 88


def _real(piece: FinishedPiece) -> Any:
    return next(visual for visual in piece.visuals if visual.asset.origin == "real")


async def test_a_review_below_the_bar_regenerates_what_it_names(models: JobModels, provider: Provider):
    await script(provider, "low_rating")
    log = Log()
    piece, _ = await made(models, log=log, topic="Metrologia de implantes")
    assert log.stages[:4] == ["strategy", "copy", "design", "review"]
    assert log.stages[-2:] == ["design", "review"]
    assert [review.passed for review in piece.reviews] == [False, True]
    named = {change.part.split()[1] for change in piece.reviews[0].changes}
    redrawn = {str(visual.slide) for visual in piece.visuals if visual.path.endswith("-v2.png")}
    assert redrawn == named
    assert 1 <= piece.regeneration_count == len(named) < len(piece.visuals)


async def test_a_piece_that_stays_below_the_bar_is_rejected_with_reasons(models: JobModels, provider: Provider):
    await provider.rates(low_rating=1)
    with pytest.raises(ReviewRejected, match=r"scored [\d.]+, [\d.]+, [\d.]+ of 100.*2 regenerations.*hook \d\d"):
        await made(models, topic="Metrologia de implantes")


async def test_or_delivered_flagged_when_the_brief_wants_it(models: JobModels, provider: Provider):
    await provider.rates(low_rating=1)
    piece, _ = await made(models, topic="Metrologia de implantes", deliverBelowThreshold=True)
    assert piece.flagged
    assert piece.quality_score < 70
    assert len(piece.reviews) == 3
    assert generation_metadata(piece)["below_threshold"] is True


async def test_a_job_that_starts_again_pays_for_nothing_twice(provider: Provider, lease: Lease, jobs: Jobs):
    await script(provider, "low_rating")
    first, _ = await made(provider.models(lease), topic="Eletropolimento de placas")
    meter = await provider.meter()
    again, _ = await made(provider.models(await jobs.taken_over(lease)), topic="Eletropolimento de placas")
    assert await provider.meter() == meter
    assert again.model_copy(update={"milliseconds": first.milliseconds}) == first


async def test_failing_calls_do_not_stop_a_piece(models: JobModels, provider: Provider, books: Books):
    await provider.rates(**{"500": 0.05, "malformed_json": 0.05, "illegible": 0.15})
    piece, _ = await made(models, topic="Validação de limpeza")
    assert piece.quality_score >= 70
    await assert_books_are_true(books, provider)
