"""What a signed-in person does about a blog job that went wrong, on the whole stack: retry from a stage, and cancel."""

import json
import time
from typing import Any
from uuid import UUID

from supabase import AsyncClientOptions, acreate_client

from tests.e2e.conftest import Office, Row, until

PAYLOAD = {"topic": "Passivação de aço inoxidável em instrumentos cirúrgicos", "researchLevel": "light"}


async def call_as_user(office: Office, function: str, **arguments: Any) -> Any:
    """What a function returns to the front end's client, with the marketing user signed in."""
    options = AsyncClientOptions(httpx_client=office.http, auto_refresh_token=False)
    client = await acreate_client(office.stack["supabase_url"], office.stack["anon_key"], options)
    await client.auth.sign_in_with_password({"email": office.user["email"], "password": office.user["password"]})
    return (await client.rpc(function, arguments).execute()).data


async def calls(office: Office, job_id: UUID) -> list[Row]:
    return await office.rows("select * from public.model_calls where job_id = %s order by id", job_id)


async def reached(office: Office, job_id: UUID, stage: str) -> None:
    async def is_there() -> bool:
        progress = ((await office.job(job_id))["checkpoint_data"] or {}).get("progress") or {}
        return progress.get("stage") == stage

    await until(is_there, 60)


async def refused_in_review(office: Office, payload: dict[str, Any]) -> UUID:
    """A job whose review the model's safety filter blocks."""
    await office.faults(slow_ms=3000, script=[{"fault": "slow", "match": {"kind": "image"}}])
    [job_id] = await office.ask("blog", payload)
    await reached(office, job_id, "image")
    await office.faults(rates={"safety": 1.0})
    job = await office.ended(job_id, 60)
    assert (job["status"], job["error_detail"]["stage"]) == ("failed", "review"), job["error"]
    await office.faults()
    return job_id


async def test_a_retry_from_writing_with_an_edited_payload_pays_for_what_follows_alone(office: Office):
    job_id = await refused_in_review(office, PAYLOAD)
    before = await calls(office, job_id)
    research = {call["id"] for call in before if call["stage"] in ("research", "strategy")}
    edited = PAYLOAD | {"persona": "technical_expert"}
    await office.reset_meter()

    retried = await call_as_user(office, "retry_job", job_id=str(job_id), from_stage="write", payload=edited)
    assert (retried["status"], retried["payload"]) == ("queued", edited)
    job = await office.ended(job_id, 90)
    assert job["status"] == "completed", job["error"]

    after = {call["id"]: call for call in await calls(office, job_id)}
    kept = {call["id"]: call["status"] for call in before if call["status"] == "settled"}
    assert {call_id: after[call_id]["status"] for call_id in kept} == {
        call_id: "settled" if call_id in research else "discarded" for call_id in kept
    }
    assert [after[call["id"]]["cost_usd"] for call in before] == [call["cost_usd"] for call in before]
    made = [call for call_id, call in after.items() if call_id > before[-1]["id"]]
    assert {call["stage"] for call in made} == {"write", "verify", "image", "review"}
    assert {call["status"] for call in made} == {"settled"}
    meter = await office.meter()
    assert (meter["served"], meter["search_queries"]) == (len(made), 0)
    assert round(float(meter["cost_usd"]), 6) == round(float(sum(call["cost_usd"] for call in made)), 6)
    assert job["cost_usd"] == sum(call["cost_usd"] for call in after.values())

    [draft] = await office.rows("select author_name, metadata from public.blog_posts where job_id = %s", job_id)
    assert draft["author_name"] == "Engenharia Lifetrek Medical"
    [event] = [event for event in await office.events(job_id) if event["kind"] == "retried"]
    assert event["actor"] == f"user:{office.user['id']}"
    assert event["detail"] == {
        "manual": True,
        "from_stage": "write",
        "payload_changes": {"persona": {"after": "technical_expert"}},
    }


async def test_a_cancelled_job_stops_within_a_heartbeat_and_its_paid_work_stays(office: Office):
    await office.set_lease("blog", 3.0)
    await office.faults(latency_ms=100)
    [job_id] = await office.ask("blog", PAYLOAD | {"topic": "Anodização de titânio em implantes dentários"})
    await reached(office, job_id, "strategy")
    await office.faults(latency_ms=60_000)  # the call under way would go on for long after

    async def is_calling() -> bool:
        return any(call["status"] == "reserved" for call in await calls(office, job_id))

    await until(is_calling)
    paid = [call for call in await calls(office, job_id) if call["status"] == "settled"]
    assert (await call_as_user(office, "cancel_job", job_id=str(job_id)))["status"] == "cancelled"
    cancelled_at = time.monotonic()

    async def has_stopped() -> bool:
        lines = (office.stack.state / "logs" / "blog.log").read_text().splitlines()
        ends = [json.loads(line) for line in lines if '"attempt_ended"' in line]
        return any(str(job_id) in json.dumps(end) and end["outcome"] == "cancelled" for end in ends)

    await until(has_stopped)
    assert time.monotonic() - cancelled_at < 3.0 / 3 + 1
    left = {call["id"]: call for call in await calls(office, job_id)}
    assert paid
    assert all(left[call["id"]]["cost_usd"] == call["cost_usd"] > 0 for call in paid)
    assert {left[call["id"]]["status"] for call in paid} == {"settled"}
    statuses = [call["status"] for call in left.values()]
    assert (statuses.count("reserved"), statuses.count("abandoned")) == (0, 1), "the call under way was given up"
    assert (await office.job(job_id))["status"] == "cancelled"
