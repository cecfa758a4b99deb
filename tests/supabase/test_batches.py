"""Batches: what comes in, what is refused, what is shown and what is cancelled together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.supabase.batches import (
    CANCEL,
    CANCEL_BATCH,
    ENQUEUE,
    FAIL,
    RETRY,
    chain,
    end,
    enqueue,
    progress,
    row,
    statuses,
)
from tests.supabase.desk import Connection, Desk, refusal, rows, value

JOIN = "insert into jobs (user_id, job_type, batch_id, batch_order, depends_on) values (%s, 'echo', %s, %s, %s)"


@pytest.fixture
async def owner(desk: Desk) -> AsyncIterator[Connection]:
    """The desk's user, signed in without any role."""
    async with desk.person(desk.user_id) as connection:
        yield connection


async def test_a_batch_is_its_jobs_in_their_order_waiting_for_each_other(desk, owner):
    chosen, later = uuid4(), datetime.now(UTC) + timedelta(days=2)
    entries = [
        {"job_type": "blog_generate", "payload": {"topic": "Titanium"}},
        {"id": str(chosen), "job_type": "echo", "after": 0, "scheduled_for": later.isoformat()},
        {"job_type": "echo", "after": 0},
    ]
    batch = await row(owner, ENQUEUE, "  Three posts ", Jsonb({}), Jsonb(entries))
    assert (batch["user_id"], batch["title"], batch["cancelled_at"]) == (desk.user_id, "Three posts", None)
    query = "select id, kind, batch_order, depends_on, status from jobs where batch_id = %s order by batch_order"
    first, second, third = await rows(desk.root, query, batch["id"])
    assert first[1:] == ("blog", 1, None, "queued")
    assert second == (chosen, "echo", 2, first[0], "queued")
    assert third[1:] == ("echo", 3, first[0], "queued")
    assert (await desk.job(chosen))["scheduled_for"] == later


async def test_a_batch_whose_id_is_given_is_made_once(desk, owner):
    query = "select (enqueue_batch('T', '{}', %s, id => %s)).id"
    chosen, entries = uuid4(), Jsonb(chain(2))
    assert await value(owner, query, entries, chosen) == chosen
    assert (await refusal(owner, query, entries, chosen)).sqlstate == "23505"
    assert await value(desk.root, "select count(*) from jobs") == 2


async def test_jobs_share_the_brief_of_their_batch_and_their_own_payload_goes_before(desk):
    entries = [{"job_type": "echo", "payload": {"topic": "B", "tone": "dry"}}, {"job_type": "echo"}]
    batch = await enqueue(desk, entries, {"tone": "warm", "language": "pt"})
    assert [(await desk.job(job_id))["payload"] for job_id in batch.jobs] == [
        {"topic": "B", "tone": "dry", "language": "pt"},
        {"tone": "warm", "language": "pt"},
    ]


async def test_a_job_that_joins_later_gets_the_brief_and_the_next_number(desk, owner):
    batch = await row(owner, "insert into job_batches (user_id, title) values (%s, 'List') returning *", desk.user_id)
    for _ in range(2):
        await owner.execute(JOIN, (desk.user_id, batch["id"], None, None))
    await owner.execute(JOIN, (desk.user_id, batch["id"], 7, None))
    await owner.execute(JOIN, (desk.user_id, batch["id"], None, None))
    query = "select batch_order from jobs where batch_id = %s order by 1"
    assert await rows(desk.root, query, batch["id"]) == [(1,), (2,), (7,), (8,)]
    assert (await refusal(owner, JOIN, desk.user_id, batch["id"], 7, None)).sqlstate == "23505"


async def test_a_batch_is_taken_whole_or_not_at_all(desk, owner):
    before = await desk.snapshot()
    wrong: list[Any] = [
        [],
        {},
        None,
        [{"job_type": "echo"}] * 51,
        [{"job_type": "echo"}, "echo"],
        [{"job_type": "echo"}, {"job_type": "nope"}],
        [{"job_type": "echo"}, {"job_type": "echo", "payload": [1]}],
        *([{"job_type": "echo"}, {"job_type": "echo", "after": after}] for after in (1, 2, -1, 0.5, "0", True)),
    ]
    for entries in wrong:
        assert (await refusal(owner, ENQUEUE, "T", Jsonb({}), Jsonb(entries))).sqlstate == "PT422", entries
    assert await desk.snapshot() == before


async def test_fifty_jobs_are_one_batch_and_one_hint(desk, owner):
    await desk.root.execute("select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs')")
    await owner.execute(ENQUEUE, ("Fifty", Jsonb({}), Jsonb([{"job_type": "echo"}] * 50)))
    assert await value(desk.root, "select count(*) from jobs") == 50
    assert await value(desk.root, "select count(*) from net.http_request_queue") == 1


async def test_the_daily_quota_counts_the_jobs_of_a_batch_and_refuses_all_of_them(desk, owner):
    await desk.root.execute("update job_kinds set daily_quota = 2 where name = 'echo'")
    assert (await refusal(owner, ENQUEUE, "T", Jsonb({}), Jsonb(chain(3)))).sqlstate == "PT429"
    assert await value(desk.root, "select (select count(*) from jobs) + (select count(*) from job_batches)") == 0
    await owner.execute(ENQUEUE, ("T", Jsonb({}), Jsonb(chain(2))))


@pytest.mark.parametrize(
    ("title", "brief", "code"),
    [
        (" ", {}, "PT422"),
        ("x" * 201, {}, "PT422"),
        (None, {}, "PT422"),
        ("T", [1], "PT422"),
        ("T", {"a": "x" * 66000}, "PT413"),
    ],
)
async def test_a_title_and_a_brief_that_do_not_fit_are_refused(desk, owner, title, brief, code):
    assert (await refusal(owner, ENQUEUE, title, Jsonb(brief), Jsonb(chain(1)))).sqlstate == code


async def test_brief_and_payload_together_are_no_larger_than_a_payload_may_be(desk, owner):
    entry = {"job_type": "echo", "payload": {"text": "x" * 230_000}}
    error = await refusal(owner, ENQUEUE, "T", Jsonb({"context": "y" * 60_000}), Jsonb([entry]))
    assert error.sqlstate == "PT413"


async def test_nobody_starts_a_batch_in_another_persons_name(desk, owner, create_user):
    other = await create_user()
    query = "select enqueue_batch('T', '{}', %s, %s)"
    assert (await refusal(owner, query, Jsonb(chain(1)), other)).sqlstate == "42501"
    await desk.worker.execute(query, (Jsonb(chain(1)), other))  # a service does, for the person it works for
    assert await value(desk.root, "select user_id from jobs") == other


async def test_somebody_elses_batch_looks_as_if_it_did_not_exist(desk, create_user):
    batch, other = await enqueue(desk, chain(2)), await create_user()
    async with desk.person(other) as stranger:
        for query, parameters in ((JOIN, (other,)), (CANCEL_BATCH, ())):
            rest = (None, None) if parameters else ()
            theirs = await refusal(stranger, query, *parameters, batch.id, *rest)
            nobodys = await refusal(stranger, query, *parameters, uuid4(), *rest)
            assert theirs.sqlstate == nobodys.sqlstate == "PT404"
            assert theirs.diag.message_primary == nobodys.diag.message_primary
        assert await rows(stranger, "select * from job_batch_progress") == []
    assert await statuses(desk, batch) == ["queued"] * 2


async def test_a_job_waits_for_an_earlier_one_of_its_own_batch_only(desk, owner):
    batch, other = await enqueue(desk, chain(2)), await enqueue(desk, chain(1))
    for order, depends_on in ((None, other.jobs[0]), (None, uuid4()), (0, batch.jobs[0])):
        assert (await refusal(owner, JOIN, desk.user_id, batch.id, order, depends_on)).sqlstate == "PT422"
    for order, depends_on in ((1, None), (None, batch.jobs[0])):
        assert (await refusal(owner, JOIN, desk.user_id, None, order, depends_on)).sqlstate == "PT422"
    await owner.execute(JOIN, (desk.user_id, batch.id, None, batch.jobs[0]))
    await owner.execute(CANCEL, (batch.jobs[0],))
    error = await refusal(owner, JOIN, desk.user_id, batch.id, None, batch.jobs[0])
    assert (error.sqlstate, "is cancelled" in str(error)) == ("PT422", True)


async def test_cancelling_a_batch_cancels_what_is_open_and_leaves_what_has_ended(desk, owner):
    batch = await enqueue(desk, [{"job_type": "echo"}] * 4)
    await end(desk, batch.jobs[0])
    await end(desk, batch.jobs[1], FAIL)
    claim = await desk.claim(batch.jobs[2])
    assert claim is not None
    await desk.reserve(claim)
    cancelled = await row(owner, CANCEL_BATCH, batch.id)
    assert cancelled["cancelled_at"] is not None
    assert await statuses(desk, batch) == ["completed", "failed", "cancelled", "cancelled"]
    assert await value(desk.root, "select sum(reserved_usd) from engine.spend_counters") == 0
    assert [(await desk.last_event(job_id))["kind"] for job_id in batch.jobs] == await statuses(desk, batch)
    assert await row(owner, CANCEL_BATCH, batch.id) == cancelled  # asked twice
    assert (await refusal(owner, JOIN, desk.user_id, batch.id, None, None)).sqlstate == "PT422"


async def test_jobs_that_wait_are_cancelled_with_their_batch_and_not_failed(desk, owner):
    batch = await enqueue(desk, chain(3))
    await owner.execute(CANCEL_BATCH, (batch.id,))
    assert await statuses(desk, batch) == ["cancelled"] * 3
    assert [await desk.events(job_id) for job_id in batch.jobs] == [["queued", "cancelled"]] * 3


async def test_a_batch_that_has_ended_is_closed_by_cancelling_it_and_keeps_its_state(desk, owner):
    batch = await enqueue(desk, chain(1))
    await end(desk, batch.jobs[0])
    assert (await row(owner, CANCEL_BATCH, batch.id))["cancelled_at"] is not None
    assert (await progress(owner, batch.id))["state"] == "completed"


async def test_an_administrator_and_a_service_cancel_every_batch(desk, create_user):
    for role in ("admin", None):
        batch = await enqueue(desk, chain(2))
        if role:
            async with desk.person(await create_user(role), role) as admin:
                await admin.execute(CANCEL_BATCH, (batch.id,))
        else:
            await desk.worker.execute(CANCEL_BATCH, (batch.id,))
        assert await statuses(desk, batch) == ["cancelled"] * 2


async def test_progress_tells_how_the_batch_stands(desk, owner):
    batch = await enqueue(desk, [{"job_type": "echo"}] * 3)
    assert (await progress(owner, batch.id))["state"] == "queued"
    claim = await desk.claim(batch.jobs[0])
    assert claim is not None
    await desk.settle(claim, (await desk.reserve(claim))[0])
    await desk.worker.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))
    seen = await progress(owner, batch.id)
    assert (seen["total"], seen["queued"], seen["completed"], seen["state"]) == (3, 2, 1, "processing")
    assert (str(seen["cost_usd"]), seen["started_at"] is None, seen["completed_at"]) == ("0.04", False, None)
    await owner.execute(CANCEL, (batch.jobs[1],))
    await end(desk, batch.jobs[2])
    seen = await progress(owner, batch.id)
    assert (seen["state"], seen["completed_at"] is None) == ("cancelled", False)
    await owner.execute(RETRY, (batch.jobs[1],))
    await end(desk, batch.jobs[1], FAIL)
    assert (await progress(owner, batch.id))["state"] == "failed"
    await owner.execute(RETRY, (batch.jobs[1],))
    await end(desk, batch.jobs[1])
    assert (await progress(owner, batch.id))["state"] == "completed"


async def test_the_next_scheduled_job_is_told_in_seconds(desk):
    ask = "select seconds_to_next_due()"
    await desk.insert()
    assert await value(desk.worker, ask) is None
    for hours in (3, 2):
        await desk.root.execute(
            "insert into jobs (user_id, job_type, scheduled_for)"
            " values (%s, 'echo', now() + make_interval(hours => %s))",
            (desk.user_id, hours),
        )
    assert await value(desk.worker, ask) == pytest.approx(7200, abs=20)
