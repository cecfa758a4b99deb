"""A carousel and an Instagram post on the whole stack: what comes out, what it cost, and what a kill leaves behind."""

import io
from uuid import UUID

from pikepdf import Pdf
from PIL import Image

from tests.e2e.conftest import Office, Row, until

CAROUSEL = {
    "topic": "Parafusos pediculares: o que conferir em um fornecedor",
    "targetAudience": "compras e engenharia",
    "painPoint": "auditorias longas",
    "desiredOutcome": "pedir as provas certas",
    "profileType": "company",
    "format": "carousel",
}


async def _picture(office: Office, url: str) -> Image.Image:
    answer = await office.http.get(url)
    answer.raise_for_status()
    return Image.open(io.BytesIO(answer.content))


async def _assert_paid_once(office: Office, job_id: UUID) -> None:
    [ledger] = await office.rows(
        "select count(*) filter (where status = 'reserved') as reserved, sum(cost_usd) as cost_usd,"
        " count(*) filter (where status = 'abandoned') as abandoned,"
        " count(*) filter (where status = 'settled')"
        " - count(distinct call_key) filter (where status = 'settled') as twice"
        " from public.model_calls where job_id = %s",
        job_id,
    )
    assert (ledger["reserved"], ledger["twice"]) == (0, 0)
    if not ledger["abandoned"]:
        assert round(float(ledger["cost_usd"]), 6) == round(float((await office.meter())["cost_usd"]), 6)


async def test_a_row_becomes_a_carousel_of_readable_slides_with_its_document(office: Office):
    await office.reset_meter()
    [job_id] = await office.ask("carousel_generate", CAROUSEL)
    job = await office.ended(job_id, 110)
    assert job["status"] == "completed", job["error"]
    [draft] = await office.rows("select * from public.linkedin_carousels where job_id = %s", job_id)
    assert (draft["status"], draft["ai_generated"], str(draft["user_id"])) == ("draft", True, office.user["id"])
    for url in draft["image_urls"]:
        assert (await _picture(office, url)).size == (1080, 1350)
    metadata = draft["generation_metadata"]
    assert metadata["readable_count"] == metadata["slide_count"] == len(draft["image_urls"])
    assert metadata["assets_used_count"] >= 1  # the seed has a photograph of such screws
    document = await office.http.get(draft["pdf_url"])
    assert document.headers["content-type"] == "application/pdf"
    with Pdf.open(io.BytesIO(document.content)) as pdf:
        assert len(pdf.pages) == len(draft["image_urls"])
    await _assert_paid_once(office, job_id)


async def test_a_row_becomes_a_post_with_its_picture(office: Office):
    [job_id] = await office.ask("instagram", {"topic": "Sala limpa por dentro", "size": "square", "language": "en"})
    job = await office.ended(job_id, 90)
    assert job["status"] == "completed", job["error"]
    [draft] = await office.rows("select * from public.instagram_posts where job_id = %s", job_id)
    assert (draft["status"], draft["format"], draft["language"]) == ("draft", "single-image", "en")
    assert (await _picture(office, draft["image_url"])).size == (1080, 1080)
    assert draft["generation_metadata"]["readable_count"] == 1


async def test_a_worker_killed_while_it_draws_goes_on_with_the_pictures_that_are_paid(office: Office):
    await office.set_lease("carousel", 2.0)
    await office.reset_meter()
    [job_id] = await office.ask("carousel", CAROUSEL | {"topic": "Torneamento suíço de instrumentos"})

    async def pictures_paid() -> list[Row] | None:
        drawn = await office.rows(
            "select call_key, cost_usd from public.model_calls"
            " where job_id = %s and call_kind = 'image' and status = 'settled'",
            job_id,
        )
        return drawn if len(drawn) >= 2 else None

    paid = await until(pictures_paid, 60, every_s=0.005)
    office.stack.kill("carousel")
    job = await office.ended(job_id, 110)
    assert job["status"] == "completed", job["error"]
    assert job["attempts"] >= 2
    assert len(await office.rows("select 1 from public.linkedin_carousels where job_id = %s", job_id)) == 1
    still = await office.rows(
        "select call_key from public.model_calls where job_id = %s and call_kind = 'image' and status = 'settled'",
        job_id,
    )
    assert {call["call_key"] for call in paid} <= {call["call_key"] for call in still}
    await _assert_paid_once(office, job_id)


async def test_a_series_mixes_articles_carousels_and_posts(office: Office):
    kinds = ["carousel", "instagram"]
    [job_id] = await office.ask("sequence", {"topic": "Rastreabilidade e UDI", "count": 2, "kinds": kinds})
    job = await office.ended(job_id)
    assert job["status"] == "completed", job["error"]
    posts = [UUID(post["id"]) for post in job["result"]["jobs"]]
    await office.all_ended(posts, 110)
    assert [(await office.job(post))["error"] for post in posts] == [None, None]
    assert {post["kind"] for post in job["result"]["jobs"]} <= set(kinds)
