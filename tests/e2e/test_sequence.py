"""A series on the whole stack: planned once, and each of its posts written to a finished draft."""

from uuid import UUID

from tests.e2e.conftest import Office, Row, until

SERIES = {
    "topic": "Rastreabilidade e UDI em implantes",
    "targetAudience": "engenharia da qualidade",
    "researchLevel": "light",
    "count": 3,
}


async def _plan_calls(office: Office, job_id: UUID) -> list[Row]:
    return await office.rows("select status from public.model_calls where job_id = %s order by id", job_id)


async def test_a_series_becomes_three_finished_drafts(office: Office):
    [job_id] = await office.ask("first_three_posts", SERIES)
    job = await office.ended(job_id)
    assert job["status"] == "completed", job["error"]
    posts = [UUID(post["id"]) for post in job["result"]["jobs"]]
    await office.all_ended(posts, 150)
    assert [(await office.job(post))["error"] for post in posts] == [None] * 3
    [progress] = await office.rows(
        "select * from public.job_batch_progress where batch_id = %s", UUID(job["result"]["batch_id"])
    )
    assert (progress["state"], progress["completed"], progress["total"]) == ("completed", 3, 3)
    assert progress["cost_usd"] > 0
    drafts = await office.rows("select title, metadata from public.blog_posts where job_id = any(%s)", posts)
    assert len({draft["title"] for draft in drafts}) == 3
    assert all(job["result"]["title"] in draft["metadata"]["brainstorming"]["context"] for draft in drafts)


async def test_posts_in_order_are_written_one_after_the_other(office: Office):
    [job_id] = await office.ask("sequence", SERIES | {"topic": "Sala limpa ISO classe 7", "count": 2, "inOrder": True})
    job = await office.ended(job_id)
    assert job["status"] == "completed", job["error"]
    posts = [UUID(post["id"]) for post in job["result"]["jobs"]]
    await office.all_ended(posts, 120)
    first, second = [await office.job(post) for post in posts]
    assert (first["error"], second["error"]) == (None, None)
    assert first["completed_at"] <= second["started_at"]
    assert (second["started_at"] - first["completed_at"]).total_seconds() < 2


async def test_a_worker_killed_while_it_plans_enqueues_the_series_once_and_pays_the_plan_once(office: Office):
    await office.set_lease("sequence", 2.0)
    later = {"startAt": "2027-06-01T09:00:00Z"}  # so that the posts wait
    for reserved_only in (True, False):
        await office.reset_meter()
        await office.faults(latency_ms=150)
        [job_id] = await office.ask("sequence", SERIES | later)

        async def reached(job_id: UUID = job_id, reserved_only: bool = reserved_only) -> bool:
            calls = [call["status"] for call in await _plan_calls(office, job_id)]
            return bool(calls) and (reserved_only or "settled" in calls)

        await until(reached, every_s=0.001)
        office.stack.kill("sequence")
        job = await office.ended(job_id)
        assert job["status"] == "completed", job["error"]
        posts = await office.rows("select id from public.jobs where batch_id = %s", UUID(job["result"]["batch_id"]))
        assert len(posts) == 3
        calls = [call["status"] for call in await _plan_calls(office, job_id)]
        assert calls.count("settled") == 1
        assert (await office.meter())["served"] <= len(calls)
