"""The outbox: a delivery goes out at most once, is tried again while it is known not to have arrived, and grows old."""

import asyncio

import psycopg
import pytest

from tests.supabase.desk import Desk, refusal, rows, value
from tests.supabase.noticeboard import Noticeboard


@pytest.fixture
async def board(desk: Desk) -> Noticeboard:
    """With one notice to send by e-mail."""
    board = Noticeboard(desk)
    await board.failed()
    return board


async def test_a_sender_gets_what_it_needs_and_nobody_else_gets_it_too(board):
    (sent,) = await board.claim()
    email = await value(board.desk.root, "select email from auth.users where id = %s", board.desk.user_id)
    assert (sent["channel"], sent["kind"], sent["email"], sent["slack_member_id"]) == (
        "email",
        "job_failed",
        email,
        None,
    )
    assert await board.claim() == []
    assert await board.settle(sent["delivery_id"], "sent")
    assert await board.delivery() == ("sent", 1, None)
    assert await value(board.desk.root, "select sent_at is not null from notice_deliveries")
    assert not await board.settle(sent["delivery_id"], "failed"), "it is settled already"


async def test_only_the_channels_that_can_be_sent_are_claimed(board):
    assert await board.claim(("slack",)) == []
    assert await board.claim(()) == []
    assert len(await board.claim(("email",))) == 1


async def test_senders_at_the_same_moment_share_the_work(board):
    for _ in range(19):
        await board.failed()
    claim = "select delivery_id from claim_notices('{email}', 5)"
    async with board.desk.crowd(4) as senders:
        taken = await asyncio.gather(*(rows(sender, claim) for sender in senders))
    ids = [row[0] for part in taken for row in part]
    assert len(ids) == len(set(ids)) == 20


async def test_a_retry_comes_later_and_later_with_jitter_and_ends_after_eight_attempts(board):
    pauses = []
    for attempt in range(1, 9):
        (sent,) = await board.claim()
        assert await board.settle(sent["delivery_id"], "retry", "451 busy")
        assert (await board.delivery())[:2] == ("failed" if attempt == 8 else "pending", attempt)
        pause = "select extract(epoch from next_attempt_at - clock_timestamp()) from notice_deliveries"
        pauses.append(float(await value(board.desk.root, pause)))
        assert pauses[-1] <= min(3600, 30 * 2 ** (attempt - 1))
        await board.age("next_attempt_at", "2 hours")
    assert len({round(pause, 3) for pause in pauses}) == 8
    assert (await board.delivery())[2] == "451 busy"
    assert await board.claim() == []


async def test_a_delivery_whose_sender_died_is_never_sent_again(board):
    (sent,) = await board.claim()
    await board.age("claimed_at", "4 minutes")
    assert await board.claim() == []
    assert (await board.delivery())[0] == "sending"
    await board.age("claimed_at", "2 minutes")
    assert await board.claim() == []
    assert (await board.delivery())[0] == "uncertain"
    assert await board.settle(sent["delivery_id"], "sent"), "it had only been slow"
    assert (await board.delivery())[0] == "sent"


async def test_a_late_retry_stays_unsent(board):
    (sent,) = await board.claim()
    await board.age("claimed_at", "6 minutes")
    await board.claim()
    await board.settle(sent["delivery_id"], "retry")
    await board.age("next_attempt_at", "2 hours")
    assert await board.claim() == []


async def test_what_nobody_can_send_for_a_day_expires(board):
    await board.age("created_at", "23 hours")
    assert await board.claim(()) == []
    assert (await board.delivery())[0] == "pending"
    await board.age("created_at", "2 hours")
    assert await board.claim(("email",)) == []
    assert (await board.delivery())[0] == "expired"


async def test_an_outcome_that_does_not_exist_is_refused(board):
    (sent,) = await board.claim()
    for wrong in ("lost", None):
        error = await refusal(board.desk.worker, "select settle_notice(%s, %s)", sent["delivery_id"], wrong)
        assert error.sqlstate == "PT422"


async def test_senders_work_for_the_service_role_alone(board):
    async with board.desk.person(board.desk.user_id) as person:
        for query in ("select * from claim_notices('{email}', 1)", "select settle_notice(gen_random_uuid(), 'sent')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await person.execute(query.encode())
