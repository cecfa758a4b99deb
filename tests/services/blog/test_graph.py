"""The pipeline from a request to a draft, with models that answer from a script."""

import io
from functools import partial
from typing import Any

import pytest
from PIL import Image

from services.blog.graph import build_graph
from services.blog.payload import BlogRequest
from services.blog.state import BlogState
from services.blog.steps import BlogSteps
from shared.content.brand import load_brand
from shared.engine.checkpoints import run_graph
from shared.engine.errors import (
    ModelOutputInvalid,
    ModelUnavailable,
    ReviewRejected,
    SourcesInsufficient,
    StorageUnavailable,
)
from shared.model.prompts import RenderedPrompt
from tests.services.blog.honest import Checkpoint, HonestModels, Surroundings, paragraphs, review
from tests.shared.research.scripted import Pages, input_of

REQUEST = BlogRequest(topic="Registros de lote em implantes", keywords=["rastreabilidade"])


async def run(around: Surroundings, request: BlogRequest = REQUEST, checkpoint: Checkpoint | None = None) -> BlogState:
    """The state at the end, going on from the checkpoint if there is something in it."""
    graph = build_graph(BlogSteps(around.ports(), load_brand()))
    state: Any = await run_graph(graph, {"request": request}, checkpoint or Checkpoint())  # pyright: ignore[reportArgumentType]
    return state


async def test_a_request_becomes_a_draft_within_the_limits():
    around = Surroundings()
    state = await run(around)
    draft, article = state["draft"], state["article"]
    assert around.stages == ["research", "strategy", "write", "verify", "image", "review", "draft"]
    assert 50 <= len(draft.title) <= 70
    assert len(draft.seo_title) < 60
    assert 150 <= len(draft.seo_description) <= 160
    assert 800 <= article.words <= 1_500
    assert draft.content.count("\n## ") == 5  # three sections, the end, references
    assert draft.keywords[-1] == "rastreabilidade"
    assert draft.tags[:2] == ["registros", "auditoria"]
    assert set(draft.news_sources) <= {"https://alfa.test/guia", "https://beta.test/guia"}
    assert draft.author_name == "Equipe Lifetrek Medical"
    assert state.get("citations") is not None
    assert state.get("reviews", [])[-1].score >= 70


async def test_the_banner_has_exactly_the_size_and_place_of_its_job():
    around = Surroundings()
    state = await run(around)
    [(path, data)] = around.stored.items()
    assert path == "content/blog/11111111-2222-3333-4444-555555555555/banner.jpg"
    assert state["banner"].url == f"https://files.test/{path}"
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.size, picture.format) == ((1600, 900), "JPEG")


async def test_progress_is_told_in_words():
    around = Surroundings()
    await run(around)
    for words in ("Researching: 2 of 2 pages read", "Writing section 2 of 3…", "Checking citations: 5 of 5 parts"):
        assert words in around.told


async def test_brainstorming_and_wishes_reach_the_strategist():
    around = Surroundings()
    request = BlogRequest(
        topic="ISO 13485", brainstorming_context="O ângulo contrário", cta_action="pedir visita", angle="x"
    )
    await run(around, request)
    prompt = next(prompt for prompt in around.models.prompts if prompt.name == "strategy")
    assert "O ângulo contrário" in input_of(prompt, "brainstorming")
    assert input_of(prompt, "call_to_action") == "pedir visita"


async def test_a_model_that_is_away_at_any_call_leaves_a_state_to_go_on_from():
    """Each call of the pipeline fails once; the next attempt goes on and makes no finished call again."""
    whole = Surroundings()
    await run(whole)
    for name in dict.fromkeys(whole.models.made):
        around, checkpoint = Surroundings(), Checkpoint()
        answer = around.models.answers[name]
        around.models.answers[name] = ModelUnavailable("429")
        with pytest.raises(ModelUnavailable):
            await run(around, checkpoint=checkpoint)
        around.models.answers[name] = answer
        state = await run(around, checkpoint=checkpoint)
        assert state["draft"].content
        assert sorted(around.models.made) == sorted(whole.models.made), name
        assert len(around.pages.fetched) == 2, name


async def test_a_file_store_that_is_away_costs_no_second_picture():
    around, checkpoint = Surroundings(), Checkpoint()

    async def away(*_: Any) -> str:
        raise StorageUnavailable("Storage answered 503.")

    around.upload = away  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(StorageUnavailable):
        await run(around, checkpoint=checkpoint)
    again = Surroundings(models=around.models)
    await run(again, checkpoint=checkpoint)
    assert around.models.made.count("banner") == 1


async def test_a_draft_below_the_bar_is_revised_once_where_the_review_says():
    scores = iter([60, 82])

    def reviewed(prompt: RenderedPrompt) -> dict[str, Any]:
        return review(prompt, next(scores))

    around = Surroundings(HonestModels(review=reviewed))
    state = await run(around)
    assert around.stages == [
        *("research", "strategy", "write", "verify", "image", "review"),
        *("write", "verify", "review", "draft"),
    ]
    revised = [
        prompt for prompt in around.models.prompts if "Diga o que conferir primeiro." in input_of(prompt, "feedback")
    ]
    assert [input_of(prompt, "heading") for prompt in revised] == ["O que conferir no passo dois"]
    assert [review.passed for review in state.get("reviews", [])] == [False, True]
    assert around.models.made.count("banner") == 1


async def test_a_draft_that_stays_below_the_bar_is_no_draft():
    around = Surroundings(HonestModels(review=partial(review, score=60)))
    with pytest.raises(ReviewRejected, match="after its revision"):
        await run(around)
    assert around.models.made.count("review") == 2


async def test_a_review_that_cannot_be_had_never_passes():
    for failure in (ModelUnavailable("503"), ModelOutputInvalid("truncated")):
        around = Surroundings(HonestModels(review=failure))
        with pytest.raises(type(failure)):
            await run(around)
        assert "draft" not in around.stages


async def test_a_review_that_leaves_criteria_out_is_asked_once_more_and_then_fails():
    answer = {"scores": [{"criterion": "usefulness", "score": 99, "reason": "bom"}], "changes": [], "summary": "bom"}
    around = Surroundings(HonestModels(review=answer))
    with pytest.raises(ModelOutputInvalid, match="every criterion"):
        await run(around)
    assert around.models.made.count("review") == 2


async def test_an_article_that_is_too_short_is_lengthened_once_and_verified_again():
    short = HonestModels(write_section=lambda prompt: {"paragraphs": paragraphs(prompt, 60)})
    around = Surroundings(short)
    state = await run(around)
    assert around.stages == ["research", "strategy", "write", "verify", "write", "verify", "image", "review", "draft"]
    assert short.made.count("adjust_length") == 3
    assert 800 <= state["article"].words <= 1_500


async def test_an_article_that_stays_too_short_says_so_in_its_review():
    def brief(prompt: RenderedPrompt) -> dict[str, Any]:
        return {"paragraphs": paragraphs(prompt, 60)}

    state = await run(Surroundings(HonestModels(write_section=brief, adjust_length=brief)))
    checks = {check.name: check for check in state.get("reviews", [])[-1].checks}
    assert not checks["article length"].ok
    assert "wanted" in checks["article length"].detail


async def test_too_few_sources_end_the_job_before_anything_is_written():
    around = Surroundings(pages=Pages({}))
    with pytest.raises(SourcesInsufficient):
        await run(around)
    assert "strategy" not in around.models.made


async def test_without_research_the_article_stands_on_company_facts():
    around = Surroundings()
    state = await run(around, BlogRequest(topic="Quem somos", research_level="none"))
    assert state["research"].evidence == []
    assert state["draft"].news_sources == []
    assert "Lifetrek Medical, dados da empresa" in state["draft"].content
    assert around.pages.fetched == []


async def test_a_picture_that_is_none_is_an_error_and_no_placeholder():
    around = Surroundings(HonestModels(banner={"data": b"not a picture"}))
    with pytest.raises(ModelOutputInvalid, match="no picture"):
        await run(around)
    assert around.stored == {}
