"""Jobs of the simplest kind, from the row to the result, on the whole stack."""

import asyncio

import httpx
import psycopg
import pytest

from tests.e2e.conftest import Office


async def test_a_row_becomes_a_result(office: Office):
    [job_id] = await office.ask("echo", {"steps": 3})
    job = await office.ended(job_id)
    assert job["status"] == "completed"
    assert [event["kind"] for event in await office.events(job_id)] == [
        "queued", "claimed", "checkpoint", "checkpoint", "checkpoint", "completed",
    ]  # fmt: skip


async def test_a_thousand_jobs_at_once_all_complete_and_none_runs_twice(office: Office):
    ids = await office.ask("echo", {"steps": 1}, times=1000)
    assert await office.all_ended(ids) == {"completed": 1000}
    claims = await office.rows(
        "select count(*) from public.job_events where kind = 'claimed' and job_id = any(%s)", ids
    )
    assert claims[0]["count"] == 1000


async def test_a_job_whose_every_webhook_is_lost_is_found_by_the_sweep(office: Office):
    await office.connection.execute("select engine.set_setting('webhook_secret', 'not the right secret')")
    try:
        [job_id] = await office.ask("echo", {})
        assert (await office.ended(job_id))["status"] == "completed"
    finally:
        await office.connection.execute(
            "select engine.set_setting('webhook_secret', %s)", (office.stack["webhook_secret"],)
        )
    refused = await office.rows("select status_code from net._http_response order by id desc limit 1")
    assert refused[0]["status_code"] == 401


async def test_fifty_doubles_of_a_webhook_and_late_ones_run_a_job_once(office: Office):
    [job_id] = await office.ask("echo", {"steps": 2, "sleep_ms": 100})
    hint = {"type": "INSERT", "table": "jobs", "schema": "public", "record": {"id": str(job_id)}, "old_record": None}
    url = f"{office.stack['dispatcher_url']}/webhooks/jobs"
    headers = {"x-webhook-secret": office.stack["webhook_secret"]}
    answers = await asyncio.gather(*(office.http.post(url, json=hint, headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert (await office.ended(job_id))["status"] == "completed"
    late = await office.http.post(url, json=hint, headers=headers)
    assert late.status_code == 202
    assert [event["kind"] for event in await office.events(job_id)].count("claimed") == 1


async def test_a_forged_webhook_changes_nothing(office: Office):
    forged = await office.http.post(
        f"{office.stack['dispatcher_url']}/webhooks/jobs",
        json={"type": "INSERT", "table": "jobs", "record": {"id": "00000000-0000-0000-0000-000000000000"}},
        headers={"x-webhook-secret": "guess"},
    )
    assert forged.status_code == 401
    assert "secret" in forged.json()["message"]


@pytest.mark.parametrize(
    ("job_type", "payload", "message"),
    [
        ("poem", {}, "Unknown job type"),
        ("echo", {"text": "x" * 300 * 1024}, "256 KiB"),
    ],
)
async def test_what_cannot_run_is_refused_at_the_insert(office: Office, job_type: str, payload: dict, message: str):
    with pytest.raises(psycopg.Error, match=message):
        await office.ask(job_type, payload)


@pytest.mark.parametrize("payload", [{"steps": "many"}, {"steps": 0}, {"stepz": 3}, {"sleep_ms": -1}])
async def test_a_malformed_payload_fails_at_once_and_says_which_field(office: Office, payload: dict):
    [job_id] = await office.ask("echo", payload)
    job = await office.ended(job_id)
    assert job["status"] == "failed"
    assert job["attempts"] == 1
    assert next(iter(payload)) in job["error"]


async def test_a_retryable_failure_is_tried_again_from_its_checkpoint(office: Office):
    [job_id] = await office.ask("echo", {"steps": 3, "fail": {"at_step": 3, "kind": "retryable", "times": 1}})
    job = await office.ended(job_id)
    assert job["status"] == "completed"
    assert [step["attempt"] for step in job["result"]["steps"]] == [1, 1, 2]


async def test_a_worker_that_crashes_loses_no_step(office: Office):
    await office.set_lease("echo", 1.0)
    [job_id] = await office.ask("echo", {"steps": 3, "fail": {"at_step": 2, "kind": "crash", "times": 1}})
    job = await office.ended(job_id)
    assert job["status"] == "completed"
    assert [step["attempt"] for step in job["result"]["steps"]] == [1, 2, 2]
    kinds = [event["kind"] for event in await office.events(job_id)]
    assert kinds[:4] == ["queued", "claimed", "checkpoint", "lease_expired"]


async def test_a_job_that_kills_its_worker_every_time_is_given_up_and_says_so(office: Office):
    await office.set_lease("echo", 1.0, max_attempts=2)
    [job_id] = await office.ask("echo", {"steps": 2, "fail": {"at_step": 2, "kind": "crash", "times": 100}})
    job = await office.ended(job_id)
    assert (job["status"], job["attempts"], job["error_detail"]["code"]) == ("failed", 2, "worker_lost")
    assert job["error"] == "The worker stopped answering in the last of 2 attempts, so the job was given up."


async def test_a_cancelled_job_stops(office: Office):
    [job_id] = await office.ask("echo", {"steps": 1000, "sleep_ms": 50})
    await office.connection.execute("select public.cancel_job(%s)", (job_id,))
    job = await office.ended(job_id)
    assert (job["status"], job["lease_token"]) == ("cancelled", None)


async def test_the_front_ends_way_through_the_gateway(office: Office):
    """Signs in, inserts with `return=representation` and reads back under row level security."""
    base, key = office.stack["supabase_url"], office.stack["anon_key"]
    signed_in = await office.http.post(
        f"{base}/auth/v1/token?grant_type=password",
        json={"email": office.user["email"], "password": office.user["password"]},
        headers={"apikey": key},
    )
    headers = {"apikey": key, "authorization": f"Bearer {signed_in.json()['access_token']}"}
    row = {"user_id": office.user["id"], "job_type": "echo", "payload": {"steps": 1}, "status": "queued"}
    inserted = await office.http.post(
        f"{base}/rest/v1/jobs", json=row, headers=headers | {"prefer": "return=representation"}
    )
    assert inserted.status_code == httpx.codes.CREATED, inserted.text
    await office.ended(inserted.json()[0]["id"])
    page = await office.http.get(
        f"{base}/rest/v1/jobs?select=id,job_type,status&status=eq.completed&order=created_at.desc",
        headers=headers | {"prefer": "count=exact", "range": "0-19"},
    )
    assert page.json()[0]["status"] == "completed"
    assert int(page.headers["content-range"].split("/")[1]) >= 1
