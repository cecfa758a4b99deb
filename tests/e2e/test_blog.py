"""A blog job on the whole stack: what comes out, and what it cost."""

import re

import httpx

from tests.e2e.conftest import Office

TOPIC = {
    "topic": "Rastreabilidade e UDI em implantes",
    "targetAudience": "engenharia da qualidade",
    "researchLevel": "light",
}


async def test_a_row_becomes_a_researched_cited_illustrated_draft(office: Office):
    await office.reset_meter()
    [job_id] = await office.ask("blog_generate", TOPIC)
    job = await office.ended(job_id, 90)
    assert job["status"] == "completed", job["error"]
    [draft] = await office.rows("select * from public.blog_posts where job_id = %s", job_id)

    assert (draft["status"], draft["ai_generated"]) == ("draft", True)
    assert str(draft["user_id"]) == office.user["id"]
    assert 50 <= len(draft["title"]) <= 70
    assert len(draft["seo_title"]) < 60
    assert 150 <= len(draft["seo_description"]) <= 160
    assert len(re.findall(r"^## ", draft["content"], re.MULTILINE)) >= 3
    assert len(re.findall(r"\[\d+\]", draft["content"])) >= 5
    assert draft["metadata"]["quality_score"] >= 70
    assert set(draft["metadata"]["models"].values()) == {"emulator"}

    banner = await office.http.get(draft["featured_image"])
    assert banner.status_code == httpx.codes.OK
    assert banner.headers["content-type"].startswith("image/")


async def test_the_ledger_equals_the_meter_to_the_cent(office: Office):
    await office.reset_meter()
    [job_id] = await office.ask("blog", {"topic": "Sala limpa ISO classe 7 na montagem de instrumentos"})
    assert (await office.ended(job_id, 90))["status"] == "completed"
    [ledger] = await office.rows(
        "select count(*) filter (where status = 'settled') as calls, sum(cost_usd) as cost_usd,"
        " count(*) filter (where status = 'reserved') as reserved from public.model_calls where job_id = %s",
        job_id,
    )
    meter = await office.meter()
    assert ledger["reserved"] == 0
    assert round(float(ledger["cost_usd"]), 6) == round(float(meter["cost_usd"]), 6)


async def test_deep_research_reports_findings_with_evidence(office: Office):
    [job_id] = await office.ask("deep_research", {"topic": "Eletropolimento de implantes de titânio"})
    job = await office.ended(job_id, 90)
    assert job["status"] == "completed", job["error"]
    assert job["result"]["report"]["evidence"]
    assert not await office.rows("select 1 from public.blog_posts where job_id = %s", job_id)


async def test_a_payload_that_does_not_fit_fails_at_once_and_says_why(office: Office):
    [job_id] = await office.ask("blog", {"topic": "ab"})
    job = await office.ended(job_id)
    assert (job["status"], job["attempts"]) == ("failed", 1)
    assert "topic" in job["error"]


async def test_a_topic_that_no_source_treats_is_not_made_up(office: Office):
    [job_id] = await office.ask("blog", {"topic": "Bolo de cenoura com cobertura de chocolate"})
    job = await office.ended(job_id, 90)
    assert (job["status"], job["error_detail"]["code"]) == ("failed", "sources_insufficient")
    assert job["error_detail"]["stage"] == "research"
