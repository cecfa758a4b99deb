"""Claims, heartbeats and the ways in which an attempt ends, one function after the other."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.supabase.desk import LEASE_LOST, NO_TOKEN, Claim, Desk, refusal, rows, value

ERROR = {"code": "unexpected", "stage": "write", "slide_index": None, "message": "Gemini is away.", "retryable": True}

# Everything that carries a token, as (call, what it is given after job id and token).
FENCED = {
    "checkpoint_job": 'select checkpoint_job(%s, %s, \'{"research": 1}\', \'{"stage": "write"}\')',
    "complete_job": "select complete_job(%s, %s, '{}')",
    "continue_job": "select continue_job(%s, %s, 5)",
    "release_job": "select release_job(%s, %s)",
    "fail_job": 'select fail_job(%s, %s, \'{"message": "no"}\', true)',
    "reserve_call": "select reserve_call(%s, %s, 'k2', 'write', 'text', 'm', 'p@1', 0.01)",
}


async def test_a_claim_gives_everything_that_a_worker_needs(desk):
    job_id = await desk.insert("research", {"topic": "ISO 13485"})
    claim = await desk.claim(job_id, "blog-1")
    assert claim is not None
    assert claim.row == {
        "id": job_id,
        "user_id": desk.user_id,
        "kind": "deep_research",
        "job_type": "research",
        "payload": {"topic": "ISO 13485"},
        "checkpoint_data": {},
        "attempt": 1,
        "max_attempts": 5,
        "lease_token": claim.token,
        "lease_s": 60,
        "trace_id": (await desk.job(job_id))["trace_id"],
        "created_at": (await desk.job(job_id))["created_at"],
    }
    job = await desk.job(job_id)
    assert (job["status"], job["worker"], job["lease_token"]) == ("processing", "blog-1", claim.token)
    assert timedelta(seconds=55) < job["lease_expires_at"] - job["started_at"] <= timedelta(seconds=61)
    event = await desk.last_event(job_id)
    assert (event["kind"], event["actor"], event["attempt"]) == ("claimed", "blog-1", 1)


async def test_a_second_claim_gets_nothing(desk):
    claim = await desk.claimed()
    before = await desk.snapshot()
    assert await desk.claim(claim.job_id, "w2") is None
    assert await desk.snapshot() == before


async def test_of_fifty_claimers_one_gets_the_job(desk):
    async with desk.crowd(50) as crowd:
        for _ in range(3):
            job_id = await desk.insert()
            claims = await asyncio.gather(*(desk.claim(job_id, f"w{n}", one) for n, one in enumerate(crowd)))
            (claim,) = [claim for claim in claims if claim is not None]
            assert claim.attempt == 1
            assert await desk.events(job_id) == ["queued", "claimed"]


async def test_of_fifty_claimers_one_takes_over_an_expired_lease(desk):
    claim = await desk.claimed()
    await desk.expire(claim.job_id)
    async with desk.crowd(50) as crowd:
        claims = await asyncio.gather(*(desk.claim(claim.job_id, f"w{n}", one) for n, one in enumerate(crowd)))
    (taken,) = [taken for taken in claims if taken is not None]
    assert taken.attempt == 2
    assert taken.token != claim.token
    assert await desk.events(claim.job_id) == ["queued", "claimed", "lease_expired", "claimed"]


async def test_a_job_that_is_not_due_unknown_ended_or_switched_off_is_not_claimed(desk):
    later = await desk.insert()
    await desk.root.execute("update jobs set scheduled_for = now() + interval '1 min' where id = %s", (later,))
    ended = await desk.claimed()
    await value(desk.worker, FENCED["complete_job"], ended.job_id, ended.token)
    cancelled = await desk.insert()
    await desk.worker.execute("select cancel_job(%s)", (cancelled,))
    off = await desk.insert("blog")
    await desk.root.execute("update job_kinds set enabled = false where name = 'blog'")
    before = await desk.snapshot()
    for job_id in (later, ended.job_id, cancelled, off, uuid4()):
        assert await desk.claim(job_id) is None
    assert await desk.snapshot() == before


async def test_a_worker_gets_only_the_kinds_that_it_names(desk):
    job_id = await desk.insert("blog")
    query = "select kind from claim_job(%s, 'w', %s)"
    assert await rows(desk.worker, query, job_id, ["echo", "deep_research"]) == []
    assert await rows(desk.worker, query, job_id, []) == []
    assert await rows(desk.worker, query, job_id, ["echo", "blog"]) == [("blog",)]
    await desk.expire(job_id)
    assert await rows(desk.worker, query, job_id, ["echo"]) == []
    assert await desk.events(job_id) == ["queued", "claimed"], "a stranger does not take the lease away either"


async def test_a_takeover_finds_the_checkpoint_and_is_in_the_log(desk):
    first = await desk.claimed()
    await value(desk.worker, FENCED["checkpoint_job"], first.job_id, first.token)
    await desk.expire(first.job_id)
    second = await desk.claim(first.job_id, "w2")
    assert second is not None
    assert (second.attempt, second.row["checkpoint_data"]) == (2, {"research": 1, "progress": {"stage": "write"}})
    lost = await rows(
        desk.root, "select actor, attempt, detail ->> 'worker' from job_events where kind = 'lease_expired'"
    )
    assert lost == [("w2", 1, "w1")]


async def test_a_job_that_loses_its_worker_each_time_fails_and_says_so(desk):
    job_id = await desk.insert()
    for attempt in range(1, 6):
        claim = await desk.claim(job_id)
        assert claim is not None
        assert claim.attempt == attempt
        await desk.worker.execute(
            "select checkpoint_job(%s, %s, '{}', '{\"stage\": \"image\"}')", (job_id, claim.token)
        )
        await desk.expire(job_id)
    assert await desk.claim(job_id) is None
    job = await desk.job(job_id)
    assert (job["status"], job["lease_token"]) == ("failed", None)
    assert job["error"] == "The worker stopped answering in the last of 5 attempts, so the job was given up."
    assert job["error_detail"] == {
        "code": "worker_lost",
        "stage": "image",
        "slide_index": None,
        "message": job["error"],
        "retryable": True,
    }
    assert job["completed_at"] is not None
    assert (await desk.events(job_id))[-3:] == ["claimed", "lease_expired", "failed"]
    assert await desk.claim(job_id) is None


async def test_a_heartbeat_renews_the_lease_and_nothing_else(desk):
    claim = await desk.claimed("blog")
    before = await desk.job(claim.job_id)
    held = await rows(desk.worker, "select held, cancelled from heartbeat_job(%s, %s)", claim.job_id, claim.token)
    assert held == [(True, False)]
    after = await desk.job(claim.job_id)
    assert after["lease_expires_at"] > before["lease_expires_at"]
    assert {name for name in after if after[name] != before[name]} == {"lease_expires_at"}


async def test_a_heartbeat_rescues_a_lease_that_nobody_has_taken_yet(desk):
    claim = await desk.claimed()
    await desk.expire(claim.job_id)
    assert await value(desk.worker, "select held from heartbeat_job(%s, %s)", claim.job_id, claim.token)
    assert await desk.claim(claim.job_id, "w2") is None


async def test_a_heartbeat_tells_a_lost_lease_from_a_cancelled_job(desk):
    query = "select held, cancelled from heartbeat_job(%s, %s)"
    taken = await desk.claimed()
    await desk.expire(taken.job_id)
    await desk.claim(taken.job_id, "w2")
    cancelled = await desk.claimed()
    await desk.worker.execute("select cancel_job(%s)", (cancelled.job_id,))
    before = await desk.snapshot()
    assert await rows(desk.worker, query, taken.job_id, taken.token) == [(False, False)]
    assert await rows(desk.worker, query, cancelled.job_id, cancelled.token) == [(False, True)]
    assert await rows(desk.worker, query, uuid4(), taken.token) == [(False, False)]
    assert await rows(desk.worker, query, taken.job_id, None) == [(False, False)]
    assert await desk.snapshot() == before


async def test_checkpoints_merge_and_progress_replaces(desk):
    claim = await desk.claimed()
    query = "select checkpoint_job(%s, %s, %s, %s)"
    await desk.worker.execute(query, (claim.job_id, claim.token, Jsonb({"a": 1, "b": {"x": 1}}), Jsonb({"stage": "a"})))
    await desk.worker.execute(query, (claim.job_id, claim.token, Jsonb({"b": {"y": 2}}), None))
    await desk.worker.execute(query, (claim.job_id, claim.token, Jsonb({}), Jsonb({"stage": "b", "done": 1})))
    await desk.worker.execute(query, (claim.job_id, claim.token, None, None))
    job = await desk.job(claim.job_id)
    assert job["checkpoint_data"] == {"a": 1, "b": {"y": 2}, "progress": {"stage": "b", "done": 1}}
    found = await rows(desk.root, "select detail from job_events where kind = 'checkpoint' order by id")
    assert [row[0] for row in found] == [{"stage": "a"}, {}], "a report of progress alone is no event"


async def test_a_checkpoint_renews_the_lease_and_has_to_be_an_object(desk):
    claim = await desk.claimed()
    await desk.expire(claim.job_id)
    await desk.worker.execute("select checkpoint_job(%s, %s, '{}')", (claim.job_id, claim.token))
    assert (await desk.job(claim.job_id))["lease_expires_at"] > datetime.now(UTC)
    for bad in ("[1]", '"x"', "null"):
        error = await refusal(desk.worker, "select checkpoint_job(%s, %s, %s)", claim.job_id, claim.token, bad)
        assert error.sqlstate == "PT422"
    assert (await desk.job(claim.job_id))["checkpoint_data"] == {}


async def test_completion_keeps_the_result_and_clears_what_went_wrong_before(desk):
    claim = await desk.claimed()
    await value(desk.worker, "select fail_job(%s, %s, %s, true)", claim.job_id, claim.token, Jsonb(ERROR))
    await desk.pass_time(claim.job_id)
    again = await desk.claim(claim.job_id)
    assert again is not None
    await desk.worker.execute("select complete_job(%s, %s, %s)", (again.job_id, again.token, Jsonb({"post": "id"})))
    job = await desk.job(claim.job_id)
    assert (job["status"], job["result"], job["error"], job["error_detail"]) == (
        "completed",
        {"post": "id"},
        None,
        None,
    )
    assert job["completed_at"] >= job["started_at"]
    assert await desk.events(claim.job_id) == ["queued", "claimed", "retried", "claimed", "completed"]


async def test_the_draft_and_the_completion_happen_together_or_not_at_all(desk):
    draft = "insert into blog_posts (title, slug, job_id, user_id) values ('T', 'same-slug', %s, %s)"
    lost, kept = await desk.claimed(), await desk.claimed()
    await desk.root.execute("insert into blog_posts (title, slug) values ('Taken', 'same-slug')")
    before = await desk.snapshot()

    async def complete_with_draft(claim: Claim) -> None:
        async with desk.worker.transaction():
            await value(desk.worker, FENCED["complete_job"], claim.job_id, claim.token)
            await desk.worker.execute(draft, (claim.job_id, desk.user_id))

    with pytest.raises(psycopg.errors.UniqueViolation):
        await complete_with_draft(lost)
    assert await desk.snapshot() == before
    await desk.root.execute("delete from blog_posts")
    await complete_with_draft(kept)
    assert await desk.status(kept.job_id) == "completed"
    written = "select job_id from blog_posts where status = 'draft' and ai_generated"
    assert await value(desk.root, written) == kept.job_id


async def test_a_lost_lease_takes_the_draft_with_it(desk):
    claim = await desk.claimed()
    await desk.worker.execute("select cancel_job(%s)", (claim.job_id,))
    before = await desk.snapshot()

    async def draft_then_complete() -> None:
        async with desk.worker.transaction():
            query = "insert into blog_posts (title, slug, job_id) values ('T', 's', %s)"
            await desk.worker.execute(query, (claim.job_id,))
            await value(desk.worker, FENCED["complete_job"], claim.job_id, claim.token)

    with pytest.raises(psycopg.Error, match="not held"):
        await draft_then_complete()
    assert await desk.snapshot() == before


async def test_continue_and_release_do_not_count_the_attempt(desk):
    job_id = await desk.insert()
    for step in ("continue_job", "release_job") * 4:
        claim = await desk.claim(job_id)
        assert claim is not None
        assert claim.attempt == 1
        await value(desk.worker, FENCED["checkpoint_job"], job_id, claim.token)
        await value(desk.worker, FENCED[step], job_id, claim.token)
        job = await desk.job(job_id)
        assert (job["status"], job["attempts"], job["checkpoint_data"]["research"]) == ("queued", 0, 1)
        wait = job["scheduled_for"] - job["updated_at"]
        assert (
            timedelta(seconds=4.9) < wait < timedelta(seconds=5.1)
            if step == "continue_job"
            else wait < timedelta(seconds=1)
        )
        event = await desk.last_event(job_id)
        assert (event["kind"], event["attempt"]) == (step.replace("_job", "d"), 1)
        await desk.pass_time(job_id)


async def test_a_negative_or_missing_pause_is_none(desk):
    for pause in (-5, None, 0):
        claim = await desk.claimed()
        await desk.worker.execute("select continue_job(%s, %s, %s)", (claim.job_id, claim.token, pause))
        assert await desk.claim(claim.job_id) is not None


async def test_a_retryable_failure_waits_a_random_time_that_doubles_up_to_the_cap(desk):
    await desk.root.execute(
        "update job_kinds set retry_base_s = 10, retry_cap_s = 60, max_attempts = 100 where name = 'echo'"
    )
    pauses: dict[int, list[float]] = {}
    for job_id in await desk.insert_many(12):
        for attempt in range(1, 7):
            claim = await desk.claim(job_id)
            assert claim is not None
            status = await value(desk.worker, "select fail_job(%s, %s, %s, true)", job_id, claim.token, Jsonb(ERROR))
            job = await desk.job(job_id)
            assert (status, job["status"], job["error"], job["error_detail"]) == ("queued", "queued", None, ERROR)
            pauses.setdefault(attempt, []).append((job["scheduled_for"] - job["updated_at"]).total_seconds())
            event = await desk.last_event(job_id)
            assert event["kind"] == "retried"
            assert abs(event["detail"]["after_s"] - pauses[attempt][-1]) < 0.05
            await desk.pass_time(job_id)
    for attempt, bound_s in {1: 10, 2: 20, 3: 40, 4: 60, 5: 60, 6: 60}.items():
        assert all(-0.01 <= pause <= bound_s for pause in pauses[attempt])
        assert max(pauses[attempt]) > bound_s / 4
        assert len({round(pause, 2) for pause in pauses[attempt]}) > 6


async def test_the_last_attempt_and_a_permanent_error_fail_the_job(desk):
    last = await desk.claimed()
    await desk.root.execute("update jobs set max_attempts = 1 where id = %s", (last.job_id,))
    permanent = await desk.claimed()
    for claim, retryable in ((last, True), (permanent, False)):
        query = "select fail_job(%s, %s, %s, %s)"
        assert await value(desk.worker, query, claim.job_id, claim.token, Jsonb(ERROR), retryable) == "failed"
        job = await desk.job(claim.job_id)
        assert (job["status"], job["error"], job["error_detail"]) == ("failed", "Gemini is away.", ERROR)
        assert job["completed_at"] is not None
        assert (await desk.last_event(claim.job_id))["detail"] == {"error": ERROR}


async def test_a_failure_without_words_is_still_a_failure_that_can_be_read(desk):
    for error in (None, Jsonb({}), Jsonb({"message": None}), Jsonb({"message": ""}), Jsonb("text"), Jsonb([1])):
        claim = await desk.claimed()
        query = "select fail_job(%s, %s, %s, null)"
        assert await value(desk.worker, query, claim.job_id, claim.token, error) == "failed"
        job = await desk.job(claim.job_id)
        assert job["error"] == job["error_detail"]["message"] == "The job failed without saying why."


@pytest.fixture
async def stale(desk: Desk) -> dict[str, Claim]:
    """Claims whose lease is gone, by what took it: each had a call under way."""
    found: dict[str, Claim] = {}
    for reason in ("taken over", "swept", "cancelled", "completed", "failed", "retried", "released", "wrong token"):
        claim = found[reason] = await desk.claimed()
        await desk.reserve(claim, "k", "0.01")
        if reason in {"taken over", "swept"}:
            await desk.expire(claim.job_id)
        match reason:
            case "taken over":
                second = await desk.claim(claim.job_id, "w2")
                assert second is not None
                await desk.reserve(second, "k", "0.01")
            case "swept":
                await desk.worker.execute("select sweep_jobs(10)")
            case "cancelled":
                await desk.worker.execute("select cancel_job(%s)", (claim.job_id,))
            case "completed":
                await value(desk.worker, FENCED["complete_job"], claim.job_id, claim.token)
            case "failed":
                await desk.worker.execute("select fail_job(%s, %s, '{}', false)", (claim.job_id, claim.token))
            case "retried":
                await value(desk.worker, FENCED["fail_job"], claim.job_id, claim.token)
            case "released":
                await value(desk.worker, FENCED["release_job"], claim.job_id, claim.token)
            case _:
                found[reason] = Claim(claim.job_id, NO_TOKEN, 1, {})
    found["no such job"] = Claim(uuid4(), found["released"].token, 1, {})
    return found


async def test_every_write_with_a_stale_token_is_refused_and_nothing_changes(desk, stale):
    before = await desk.snapshot()
    for reason, claim in stale.items():
        for name, call in FENCED.items():
            error = await refusal(desk.worker, call, claim.job_id, claim.token)
            assert error.sqlstate == LEASE_LOST, (reason, name)
            assert str(claim.job_id) in str(error)
        for name, call in FENCED.items():
            assert (await refusal(desk.worker, call, claim.job_id, None)).sqlstate == LEASE_LOST, (reason, name)
    assert await desk.snapshot() == before


async def test_a_token_opens_its_own_job_alone(desk):
    mine, other = await desk.claimed(), await desk.claimed()
    before = await desk.snapshot()
    for call in FENCED.values():
        assert (await refusal(desk.worker, call, other.job_id, mine.token)).sqlstate == LEASE_LOST
    assert await desk.snapshot() == before
