"""Instagram jobs on real Postgres, through the ledger to the emulator, with the real legibility gate."""

from typing import Any, cast
from uuid import UUID, uuid5

import psycopg
import pytest

from services.instagram.job import write_post
from shared.content.legibility.ocr import Tesseract
from shared.content.legibility.report import LegibilityGate
from shared.content.platforms.instagram import INSTAGRAM
from shared.engine.catalog import load_catalog
from shared.engine.errors import ModelUnavailable
from shared.engine.runner import AttemptEnd
from shared.model.gateway import JobModels
from tests.services.conftest import OpenDesk
from tests.shared.pieces.desk import Desk, Row


@pytest.fixture
async def desk(open_desk: OpenDesk) -> Desk:
    return await open_desk("instagram", INSTAGRAM, write_post)


async def draft_of(desk: Desk, job_id: UUID) -> Row:
    [draft] = await desk.rows("select * from public.instagram_posts where job_id = %s", job_id)
    return draft


async def test_the_draft_is_written_with_the_completion_and_is_readable(desk: Desk):
    desk.gate = cast("Any", LegibilityGate(Tesseract()))
    job_id = await desk.ask(targetAudience="compras", brainstormingContext="Perto da peça", size="square")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    job, draft = await desk.job(job_id), await draft_of(desk, job_id)
    assert (draft["id"], draft["status"], draft["ai_generated"]) == (uuid5(job_id, "instagram_posts"), "draft", True)
    assert (draft["user_id"], draft["target_audience"], draft["format"]) == (desk.user_id, "compras", "single-image")
    assert await desk.size_of(draft["image_url"]) == (1080, 1080)
    assert 3 <= len(draft["hashtags"]) <= 5
    assert draft["caption"].endswith(" ".join(draft["hashtags"]))
    [item] = draft["items"]
    assert (item["url"], item["alt_text"], item["role"]) == (draft["image_url"], draft["alt_text"], "hook")
    assert job["result"]["draft"] == {
        "table": "instagram_posts",
        "id": str(draft["id"]),
        "title": item["headline"],
    }
    assert job["result"]["slides"] == [draft["image_url"]]
    assert job["result"]["cost_usd"] == pytest.approx(float(job["cost_usd"]))
    metadata = draft["generation_metadata"]
    assert metadata["slides"][0]["legibility"]["passed"] is True
    assert metadata["quality_score"] == float(draft["quality_score"]) >= 70
    assert tuple(job["checkpoint_data"]["progress"]["stages_done"]) == load_catalog().kinds["instagram"].stages


async def test_what_the_model_cannot_write_is_set_in_the_brands_typeface(desk: Desk):
    desk.gate = cast("Any", LegibilityGate(Tesseract()))
    await desk.provider.rates(illegible=1)
    job_id = await desk.ask(language="en", topic="Electropolishing of spinal screws")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    [told] = (await draft_of(desk, job_id))["generation_metadata"]["slides"]
    assert (told["text_rendering"], told["drawn"], told["right_at_once"]) == ("typeset", 3, False)
    assert told["legibility"]["passed"] is True


async def test_a_carousel_of_pictures_to_swipe_goes_on_where_design_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    job_id = await desk.ask(format="carousel", persona="technical_expert")
    image, asked = JobModels.image, 0

    async def second_is_away(models: JobModels, *args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise ModelUnavailable("503 for a minute")
        return await image(models, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(JobModels, "image", second_is_away)
        assert await desk.work(job_id) == AttemptEnd.RETRY_SCHEDULED
    assert (await desk.job(job_id))["error_detail"]["stage"] == "design"
    assert not await desk.rows("select 1 from public.instagram_posts")
    paid = await desk.calls(job_id)
    assert await desk.again(job_id) == AttemptEnd.COMPLETED
    draft, calls = await draft_of(desk, job_id), await desk.calls(job_id)
    assert 3 <= len(draft["items"]) <= 7
    assert calls[: len(paid)] == paid
    assert calls.count(("design", "image")) == len(draft["items"])
    assert (draft["persona"], draft["format"]) == ("technical_expert", "carousel")


async def test_a_service_can_publish_nothing(desk: Desk):
    await desk.work(await desk.ask())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await desk.pool.fetch("update public.instagram_posts set status = 'published' returning id")
