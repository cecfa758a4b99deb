"""The kill switch: nothing is claimed and nothing asked while it is engaged; everything goes on when it is lifted."""

import json
from uuid import UUID

import pytest

from tests.supabase.desk import Claim, Desk, refusal, rows, value

ENGAGE = "select set_kill_switch(%s, true, 'Costs run away.')"
LIFT = "select set_kill_switch(%s, false, 'Costs are understood.')"


async def engage(desk: Desk, kind: str = "*") -> None:
    await desk.root.execute(ENGAGE, (kind,))


async def lift(desk: Desk, kind: str = "*") -> None:
    await desk.root.execute(LIFT, (kind,))


async def listed(desk: Desk, *job_ids: UUID) -> tuple[int, int]:
    """How many jobs the look-up and the sweep name."""
    due = await rows(desk.worker, "select id from due_jobs(%s)", list(job_ids))
    swept = await rows(desk.worker, "select id from sweep_jobs(100)")
    return len(due), len(swept)


@pytest.mark.parametrize("switch", ["*", "echo"])
async def test_an_engaged_switch_lets_nothing_be_claimed_or_listed_until_it_is_lifted(desk: Desk, switch: str):
    job_id = await desk.insert()
    await engage(desk, switch)
    assert await desk.claim(job_id) is None
    assert await listed(desk, job_id) == (0, 0)
    assert await desk.status(job_id) == "queued"
    await lift(desk, switch)
    assert await listed(desk, job_id) == (1, 1)
    assert await desk.claim(job_id) is not None


async def test_a_kinds_switch_leaves_other_kinds_alone(desk: Desk):
    await engage(desk, "blog")
    assert await desk.claim(await desk.insert("blog")) is None
    assert await desk.claim(await desk.insert("echo")) is not None


async def test_work_can_be_asked_for_meanwhile_and_waits(desk: Desk):
    await engage(desk)
    job_id = await desk.insert()
    assert await desk.status(job_id) == "queued"


async def test_no_call_is_made_while_it_is_engaged_and_nothing_stays_reserved(desk: Desk):
    claim = await desk.claimed()
    await engage(desk)
    error = await refusal(
        desk.worker,
        "select * from reserve_call(%s, %s, 'k', 's', 'text', 'm', 'p@1', 0.1)",
        *(claim.job_id, claim.token),
    )
    assert error.sqlstate == "PT503"
    assert json.loads(error.diag.message_detail or "") == {"reason": "kill_switch"}
    assert await value(desk.root, "select count(*) from model_calls") == 0
    assert await value(desk.root, "select coalesce(sum(reserved_usd), 0) from engine.spend_counters") == 0
    await lift(desk)
    assert (await desk.reserve(claim))[1] is False


async def test_a_paid_answer_is_replayed_even_then(desk: Desk):
    claim = await desk.claimed()
    await desk.settle(claim, (await desk.reserve(claim))[0])
    await engage(desk)
    assert (await desk.reserve(claim))[1] is True


async def beat(desk: Desk, claim: Claim) -> tuple[bool, bool, bool]:
    return (await rows(desk.worker, "select * from heartbeat_job(%s, %s)", claim.job_id, claim.token))[0]


async def test_heartbeats_and_checkpoints_tell_a_running_job_to_stop(desk: Desk):
    claim = await desk.claimed()
    assert await beat(desk, claim) == (True, False, False)
    await engage(desk, "echo")
    assert await beat(desk, claim) == (True, False, True)
    paused = "select checkpoint_job(%s, %s, '{\"a\": 1}')"
    assert await value(desk.worker, paused, claim.job_id, claim.token) is True
    await desk.worker.execute("select release_job(%s, %s, 'kill_switch')", (claim.job_id, claim.token))
    job = await desk.job(claim.job_id)
    assert (job["status"], job["attempts"], job["checkpoint_data"]) == ("queued", 0, {"a": 1})
    assert (await desk.last_event(claim.job_id))["detail"] == {"reason": "kill_switch"}


async def test_a_call_under_way_is_answered_before_its_job_is_told(desk: Desk):
    claim = await desk.claimed()
    call_id = (await desk.reserve(claim))[0]
    await engage(desk)
    assert await beat(desk, claim) == (True, False, False)
    assert await desk.settle(claim, call_id)
    assert await beat(desk, claim) == (True, False, True)


async def test_lifting_announces_what_waits_but_not_what_another_switch_holds(desk: Desk):
    await desk.root.execute("select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs')")
    await engage(desk)
    await engage(desk, "blog")
    echo = await desk.insert("echo")
    await desk.insert("blog")
    await desk.root.execute("delete from net.http_request_queue")
    await lift(desk)
    found = await rows(desk.root, "select convert_from(body, 'utf8')::jsonb -> 'records' from net.http_request_queue")
    assert [[record["id"] for record in hint[0]] for hint in found] == [[str(echo)]]


async def test_engaging_again_with_another_reason_sends_nothing(desk: Desk):
    await desk.root.execute("select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs')")
    await engage(desk)
    await engage(desk)
    assert await value(desk.root, "select count(*) from net.http_request_queue") == 0


async def test_an_administrator_may_and_the_row_says_who_when_and_why(desk: Desk, create_user):
    admin = await create_user("admin")
    async with desk.person(admin, "admin") as chief:
        await chief.execute(ENGAGE, ("blog_generate",))
    assert await rows(
        desk.root, "select kind, engaged, reason, changed_by, changed_at <= clock_timestamp() from kill_switches"
    ) == [("blog", True, "Costs run away.", admin, True)]


async def test_nobody_else_may(desk: Desk):
    async with desk.person(desk.user_id, "marketing") as person:
        assert (await refusal(person, ENGAGE, "*")).sqlstate == "42501"


async def test_a_switch_needs_a_known_kind_and_a_reason(desk: Desk):
    assert (await refusal(desk.root, ENGAGE, "blogg")).sqlstate == "PT422"
    assert (await refusal(desk.root, "select set_kill_switch('*', true, ' ')")).sqlstate == "23514"
