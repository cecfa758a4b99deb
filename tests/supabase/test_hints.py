"""Hints: one for each statement that makes jobs due, none otherwise, and never at the cost of the statement."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.supabase.desk import Desk, rows, value

Sent = Callable[[], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def sent(desk: Desk) -> Sent:
    """The hints since the last look, in order."""
    await desk.root.execute(
        "select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs'),"
        " engine.set_setting('webhook_secret', 'geheim')"
    )

    async def look() -> list[dict[str, Any]]:
        found = await rows(
            desk.root, "with taken as (delete from net.http_request_queue returning *) select * from taken order by id"
        )
        return [
            {"method": row[1], "url": row[2], "headers": row[3], "timeout_ms": row[5], **json.loads(row[4])}
            for row in found
        ]

    return look


async def test_a_new_job_is_announced_with_what_the_dispatcher_needs_and_no_more(desk, sent):
    job_id = await desk.insert("blog_generate", {"topic": "a secret plan"})
    record = {"id": str(job_id), "kind": "blog", "service": "blog"}
    assert await sent() == [
        {
            "method": "POST",
            "url": "http://dispatcher.test/webhooks/jobs",
            "headers": {"content-type": "application/json", "x-webhook-secret": "geheim"},
            "timeout_ms": 5000,
            "type": "INSERT",
            "schema": "public",
            "table": "jobs",
            "record": record,
            "old_record": None,
            "records": [record],
        }
    ]


async def test_two_thousand_jobs_in_one_statement_are_one_hint(desk, sent):
    ids = await desk.insert_many(2000)
    (hint,) = await sent()
    assert {record["id"] for record in hint["records"]} == {str(job_id) for job_id in ids}
    assert len(json.dumps(hint)) < 1024 * 1024


async def test_a_statement_with_more_jobs_than_a_hint_can_carry_is_still_one_hint(desk, sent):
    await desk.insert_many(5300)
    (hint,) = await sent()
    assert len(hint["records"]) == 5000
    assert len(json.dumps(hint)) < 1024 * 1024
    assert len(await rows(desk.worker, "select id from sweep_jobs(6000)")) == 5300


async def test_each_statement_has_its_own_hint(desk, sent):
    async with desk.root.transaction():
        await desk.insert()
        await desk.insert()
    assert [len(hint["records"]) for hint in await sent()] == [1, 1]


async def test_a_statement_that_is_rolled_back_sends_nothing(desk, sent):
    async with desk.root.transaction(force_rollback=True):
        await desk.insert()
    assert await sent() == []


async def test_an_insert_of_no_rows_sends_nothing(desk, sent):
    assert await desk.insert_many(0) == []
    assert await sent() == []


async def test_a_job_for_later_is_not_announced_and_one_that_is_due_is(desk, sent):
    await desk.root.execute(
        "insert into jobs (user_id, job_type, payload, scheduled_for) values"
        " (%(me)s, 'echo', '{}', now() + interval '1 hour'), (%(me)s, 'echo', '{\"due\": true}', now())",
        {"me": desk.user_id},
    )
    (hint,) = await sent()
    due = await value(desk.root, "select id from jobs where payload ? 'due'")
    assert [record["id"] for record in hint["records"]] == [str(due)]
    await desk.root.execute("delete from jobs")
    await desk.root.execute(
        "insert into jobs (user_id, job_type, scheduled_for) values (%s, 'echo', now() + interval '1 s')",
        (desk.user_id,),
    )
    assert await sent() == []


async def test_a_hundred_jobs_made_due_by_one_update_are_one_hint(desk, sent):
    await desk.root.execute(
        "insert into jobs (user_id, job_type, scheduled_for) select %s, 'echo', now() + interval '1 h'"
        " from generate_series(1, 100)",
        (desk.user_id,),
    )
    assert await sent() == []
    await desk.root.execute("update jobs set scheduled_for = clock_timestamp()")
    (hint,) = await sent()
    assert (hint["type"], len(hint["records"])) == ("UPDATE", 100)


async def test_updates_that_make_nothing_due_send_nothing(desk, sent):
    claim = await desk.claimed()
    await desk.insert()
    await sent()
    await desk.worker.execute("select heartbeat_job(%s, %s)", (claim.job_id, claim.token))
    await desk.worker.execute("select checkpoint_job(%s, %s, '{\"a\": 1}')", (claim.job_id, claim.token))
    call = await desk.reserve(claim)
    await desk.settle(claim, call[0])
    await desk.root.execute("update jobs set updated_at = now()")  # one of them is queued and due, as it was before
    await desk.worker.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))
    assert await sent() == []


async def test_a_job_that_is_given_back_is_announced_again(desk, sent):
    for step in ("release_job(%s, %s)", "continue_job(%s, %s)", "continue_job(%s, %s, 0)"):
        claim = await desk.claimed()
        await sent()
        await desk.worker.execute(f"select {step}", (claim.job_id, claim.token))
        (hint,) = await sent()
        assert (hint["type"], hint["record"]["id"]) == ("UPDATE", str(claim.job_id))


async def test_a_job_that_waits_or_has_ended_is_not_announced(desk, sent):
    for step in ("continue_job(%s, %s, 60)", "fail_job(%s, %s, '{}', false)", "complete_job(%s, %s, '{}')"):
        claim = await desk.claimed()
        await sent()
        await desk.worker.execute(f"select {step}", (claim.job_id, claim.token))
        assert await sent() == []


async def test_a_persons_retry_is_announced(desk, sent):
    job_id = await desk.insert()
    async with desk.person(desk.user_id) as person:
        await person.execute("select cancel_job(%s)", (job_id,))
        await sent()
        await person.execute("select retry_job(%s)", (job_id,))
    assert len(await sent()) == 1


async def test_the_sweep_answers_instead_of_announcing(desk, sent):
    claims = await desk.claimed_many(10)
    await sent()
    await desk.expire(*(claim.job_id for claim in claims))
    assert len(await rows(desk.worker, "select id from sweep_jobs(100)")) == 10
    assert await sent() == []


async def test_hints_are_announced_again_after_a_sweep_on_the_same_connection(desk, sent):
    claim = await desk.claimed()
    await sent()
    async with desk.worker.transaction():
        await desk.worker.execute("select sweep_jobs(10)")
        await desk.worker.execute("select release_job(%s, %s)", (claim.job_id, claim.token))
    assert len(await sent()) == 1


BROKEN = {
    "pg_net has another function": "drop function net.http_post",
    "pg_net fails": """
        create or replace function net.http_post(url text, body jsonb default '{}', params jsonb default '{}',
          headers jsonb default '{}', timeout_milliseconds integer default 5000) returns bigint language plpgsql
        as $$ begin raise exception 'queue is full'; end $$""",
    "the queue is gone": "drop table net.http_request_queue cascade",
    "the settings are gone": "drop table engine.settings",
    "the secret is missing": "delete from engine.settings where key = 'webhook_secret'",
    "the address is missing": "delete from engine.settings where key = 'dispatcher_url'",
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_hint_that_cannot_be_sent_costs_neither_the_insert_nor_the_release(desk, sent, what):
    await desk.root.execute(BROKEN[what].encode())
    claim = await desk.claimed()
    await desk.worker.execute("select release_job(%s, %s)", (claim.job_id, claim.token))
    assert await desk.status(claim.job_id) == "queued"
    assert await desk.events(claim.job_id) == ["queued", "claimed", "released"]
