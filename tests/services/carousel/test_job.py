"""Carousel jobs on real Postgres, through the ledger to the emulator: claimed, worked off, and written as one."""

import io
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from pikepdf import Pdf
from PIL import Image

from services.carousel.job import write_carousel
from shared.content.platforms.linkedin import LINKEDIN
from shared.engine.catalog import load_catalog
from shared.engine.errors import ModelUnavailable
from shared.engine.runner import AttemptEnd
from shared.model.gateway import JobModels
from tests.services.conftest import OpenDesk
from tests.shared.pieces.desk import Desk, Row

FRONT_END = {
    "topic": "Rastreabilidade de lote em placas de trauma",
    "targetAudience": "engenharia da qualidade",
    "painPoint": "auditorias longas",
    "desiredOutcome": "pedir as provas certas",
    "proofPoints": ["ISO 13485"],
    "ctaAction": "pedir uma visita",
    "profileType": "salesperson",
    "format": "carousel",
    "style": "visual",
    "brainstormingContext": "O ângulo contrário",
    "brainstorming_session_id": "chat-7",
}


@pytest.fixture
async def desk(open_desk: OpenDesk) -> Desk:
    return await open_desk("carousel", LINKEDIN, write_carousel)


async def draft_of(desk: Desk, job_id: UUID) -> Row:
    [draft] = await desk.rows("select * from public.linkedin_carousels where job_id = %s", job_id)
    return draft


async def test_the_draft_is_written_with_the_completion(desk: Desk):
    job_id = await desk.ask(**FRONT_END)
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    job, draft = await desk.job(job_id), await draft_of(desk, job_id)
    assert (draft["id"], draft["status"], draft["ai_generated"]) == (uuid5(job_id, "linkedin_carousels"), "draft", True)
    assert draft["user_id"] == draft["admin_user_id"] == desk.user_id
    asked = ("topic", "target_audience", "pain_point", "desired_outcome", "proof_points", "cta_action", "profile_type")
    assert [draft[name] for name in asked] == [
        *(FRONT_END["topic"], FRONT_END["targetAudience"], FRONT_END["painPoint"], FRONT_END["desiredOutcome"]),
        *("ISO 13485", FRONT_END["ctaAction"], "salesperson"),
    ]
    assert (draft["language"], draft["persona"], draft["format"]) == ("pt-BR", "salesperson", "carousel")
    assert draft["generation_settings"]["style"] == "visual"
    assert job["result"]["draft"] == {
        "table": "linkedin_carousels",
        "id": str(draft["id"]),
        "title": draft["slides"][0]["headline"],
    }
    assert job["result"]["slides"] == draft["image_urls"] == [slide["image_url"] for slide in draft["slides"]]
    assert job["result"]["pdf_url"] == draft["pdf_url"]
    assert job["result"]["quality_score"] == float(draft["quality_score"]) >= 70
    assert job["result"]["cost_usd"] == pytest.approx(float(job["cost_usd"]))
    assert {name for name, value in draft.items() if value is None} == {
        *("performance_metrics", "content_embedding", "scheduled_for"),
        *("rejected_by", "rejection_reason", "rejected_at", "approved_by", "approved_at"),
    }


async def test_the_metadata_tells_how_it_was_made(desk: Desk):
    job_id = await desk.ask(**FRONT_END)
    await desk.work(job_id)
    draft = await draft_of(desk, job_id)
    metadata, count = draft["generation_metadata"], len(draft["slides"])
    assert all(metadata[f"{stage}_time_ms"] > 0 for stage in ("strategy", "copywriting", "design", "review"))
    assert metadata["slide_count"] == metadata["readable_count"] == len(metadata["slides"]) == count
    assert metadata["assets_used_count"] + metadata["generated_count"] == count
    assert set(metadata["cost_by_stage"]) == {"strategy", "copy", "design", "review"}
    assert metadata["models"]["draw_slide@1"] == "emulator"
    assert metadata["brainstorming"] == {"session_id": "chat-7", "context": "O ângulo contrário"}
    assert {"asset", "text_rendering", "legibility"} <= set(metadata["slides"][0])
    checkpoint = (await desk.job(job_id))["checkpoint_data"]
    assert tuple(checkpoint["progress"]["stages_done"]) == load_catalog().kinds["carousel"].stages
    assert len(str(checkpoint["graph"])) < 40_000  # no pictures in it


async def test_slides_and_document_are_in_storage_under_the_job(desk: Desk):
    job_id = await desk.ask()
    await desk.work(job_id)
    draft = await draft_of(desk, job_id)
    assert 5 <= len(draft["image_urls"]) <= 7
    for number, url in enumerate(draft["image_urls"], start=1):
        assert url.endswith(f"/content/jobs/{job_id}/slide-{number}.png")
        assert await desk.size_of(url) == (1080, 1350)
    assert draft["pdf_url"].endswith(f"/content/jobs/{job_id}/carousel.pdf")
    with Pdf.open(io.BytesIO(await desk.pictures.load(draft["pdf_url"]))) as pdf:
        assert len(pdf.pages) == len(draft["slides"])
        assert str(pdf.docinfo["/Title"]) == draft["slides"][0]["headline"]


async def test_a_single_picture_has_no_document(desk: Desk):
    job_id = await desk.ask(format="single-image", size="square", language="en")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    draft = await draft_of(desk, job_id)
    assert (draft["format"], len(draft["image_urls"]), draft["pdf_url"]) == ("single-image", 1, None)
    assert await desk.size_of(draft["image_urls"][0]) == (1080, 1080)


async def test_a_photograph_of_the_company_is_used_and_named(desk: Desk):
    data = io.BytesIO()
    Image.new("RGB", (900, 700), "#884422").save(data, "PNG")
    url = await desk.add_product("Parafusos pediculares", data.getvalue())
    job_id = await desk.ask(topic="Parafusos pediculares")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    draft = await draft_of(desk, job_id)
    assert draft["assets_used"] == [url]
    assert draft["generation_metadata"]["assets_used_count"] == 1
    [real] = [slide["asset"] for slide in draft["slides"] if slide["asset"]["origin"] == "real"]
    assert (real["title"], real["relevance"] > 70) == ("Parafusos pediculares", True)


async def test_what_the_model_cannot_write_is_set_by_us_and_says_so(desk: Desk):
    desk.gate.verdicts = [False] * 3  # the single picture, drawn three times
    job_id = await desk.ask(format="single-image")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    [told] = (await draft_of(desk, job_id))["generation_metadata"]["slides"]
    assert (told["text_rendering"], told["drawn"], told["right_at_once"]) == ("typeset", 3, False)


async def test_a_piece_below_the_bar_fails_with_reasons_or_is_delivered_flagged(desk: Desk):
    await desk.provider.rates(low_rating=1)
    job_id = await desk.ask(format="single-image")
    assert await desk.work(job_id) == AttemptEnd.FAILED
    job = await desk.job(job_id)
    assert (job["error_detail"]["code"], job["error_detail"]["stage"]) == ("review_rejected", "review")
    assert not await desk.rows("select 1 from public.linkedin_carousels")
    job_id = await desk.ask(format="single-image", deliverBelowThreshold=True)
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    assert (await desk.job(job_id))["result"]["below_threshold"] is True
    assert (await draft_of(desk, job_id))["generation_metadata"]["below_threshold"] is True


async def test_an_invalid_payload_fails_at_once(desk: Desk):
    job_id = await desk.ask(style="cubist")
    assert await desk.work(job_id) == AttemptEnd.FAILED
    job = await desk.job(job_id)
    assert (job["error_detail"]["code"], "style" in job["error"]) == ("invalid_payload", True)


async def test_an_attempt_that_ends_in_design_leaves_its_pictures_to_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    """The third picture cannot be had: those drawn beside it are paid, and the next attempt has them for nothing."""
    job_id = await desk.ask()
    image, asked = JobModels.image, 0

    async def third_is_away(models: JobModels, *args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise ModelUnavailable("503 for a minute")
        return await image(models, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(JobModels, "image", third_is_away)
        assert await desk.work(job_id) == AttemptEnd.RETRY_SCHEDULED
    error = (await desk.job(job_id))["error_detail"]
    assert (error["stage"], error["slide_index"]) == ("design", 2)
    paid = await desk.calls(job_id)
    assert ("design", "image") in paid
    assert await desk.again(job_id) == AttemptEnd.COMPLETED
    slides = len((await draft_of(desk, job_id))["slides"])
    calls = await desk.calls(job_id)
    assert calls[: len(paid)] == paid
    assert calls.count(("design", "image")) == slides
    assert [call for call in calls if call[1] == "text"] == [("strategy", "text"), ("copy", "text"), ("review", "text")]


async def test_an_attempt_that_dies_after_its_document_writes_one_draft(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    job_id = await desk.ask()

    async def dies(*_: Any) -> None:
        raise psycopg.errors.UndefinedTable("gone")

    with monkeypatch.context() as patch:
        patch.setattr("services.carousel.job.insert_carousel", dies)
        assert await desk.work(job_id) == AttemptEnd.RETRY_SCHEDULED
    assert not await desk.rows("select 1 from public.linkedin_carousels")
    paid = await desk.calls(job_id)
    assert await desk.again(job_id) == AttemptEnd.COMPLETED
    assert await desk.calls(job_id) == paid
    assert await draft_of(desk, job_id)
