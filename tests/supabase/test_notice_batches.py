"""One notice for a batch, when the last of its jobs has ended, however they end."""

import asyncio
import random

import pytest

from tests.supabase.desk import Desk, rows
from tests.supabase.noticeboard import Noticeboard


@pytest.fixture
def board(desk: Desk) -> Noticeboard:
    return Noticeboard(desk)


async def test_a_batch_is_told_once_when_its_last_job_has_ended(board):
    batch = await board.batch()
    await board.completed(batch_id=batch)
    last, token = await board.begun(batch_id=batch)
    assert await board.claim() == []
    assert await board.kinds() == []
    await board.fail(last, token)
    (sent,) = await board.claim()
    assert (sent["kind"], sent["batch_id"], sent["job_id"]) == ("batch_finished", batch, None)
    assert sent["subject"] == 'Batch "Primeiros posts" is finished: 1 completed, 1 failed'
    assert 'Failed:\n- Blog post "Rastreabilidade": The model refused.' in sent["body"]
    assert await board.claim() == []


async def test_a_long_list_of_failures_is_cut(board):
    batch = await board.batch()
    for _ in range(13):
        await board.failed(batch_id=batch)
    (sent,) = await board.claim()
    assert sent["subject"] == 'Batch "Primeiros posts" is finished: 0 completed, 13 failed'
    assert sent["body"].count("\n- Blog post") == 10
    assert "\n- and 3 more\n" in sent["body"]


async def test_a_batch_without_any_success_or_failure_is_told_to_nobody(board):
    batch = await board.batch()
    jobs = [await board.begun(batch_id=batch) for _ in range(2)]
    for job_id, _ in jobs:
        await board.desk.worker.execute("select cancel_job(%s)", (job_id,))
    assert await board.claim() == []


async def test_a_cancelled_batch_is_told_to_nobody(board):
    batch = await board.batch()
    await board.completed(batch_id=batch)
    job_id, _ = await board.begun(batch_id=batch)
    await board.desk.root.execute("update job_batches set cancelled_at = now()")
    await board.desk.worker.execute("select cancel_job(%s)", (job_id,))
    assert await board.claim() == []


async def test_a_batch_of_a_kind_without_a_threshold_is_told_to_nobody(board):
    batch = await board.batch()
    await board.completed(batch_id=batch, kind="echo", payload={})
    assert await board.claim() == []


async def test_a_batch_with_failures_is_told_to_those_who_want_to_hear_of_failures(board):
    for preference, failing, told in ((True, True, 1), (False, True, 0), (True, False, 0)):
        await board.desk.root.execute("delete from notices")
        await board.prefer(completed=False, failed=preference)
        batch = await board.batch()
        await (board.failed if failing else board.completed)(batch_id=batch)
        assert len(await board.claim()) == told
        assert len(await board.kinds()) == 1


async def test_a_batch_of_which_a_job_is_retried_by_hand_is_told_again(board):
    batch = await board.batch()
    job_id = await board.failed(batch_id=batch)
    assert len(await board.claim()) == 1
    await board.desk.worker.execute("select retry_job(%s)", (job_id,))
    assert await board.claim() == []
    claim = await board.desk.claim(job_id)
    await board.desk.worker.execute("select complete_job(%s, %s, '{}')", (job_id, claim.token))
    (again,) = await board.claim()
    assert again["subject"].endswith("1 completed")


async def test_last_jobs_that_end_at_the_same_moment_make_one_notice(board):
    """Both in every order, while two senders look for notices all the time."""
    seeded = random.Random(7)
    await board.desk.root.execute("update job_kinds set daily_quota = null")

    async def late(call, *parameters):
        for _ in range(seeded.choice((0, 0, 5, 20, 60))):
            await asyncio.sleep(0)
        return await (await call.execute(*parameters)).fetchall()

    async with board.desk.crowd(4) as (one, other, *senders):
        for _ in range(40):
            batch = await board.batch()
            jobs = [await board.begun(batch_id=batch) for _ in range(2)]
            finish = "select complete_job(%s, %s, '{}')"
            claim = "select * from claim_notices('{email}', 10)"
            _, _, *first = await asyncio.gather(
                late(one, finish, jobs[0]),
                late(other, finish, jobs[1]),
                *(late(sender, claim) for sender in senders),
            )
            then = await rows(board.desk.worker, claim)
            assert len(then) + sum(map(len, first)) == 1
    assert len(await board.kinds()) == 40


async def test_a_mark_taken_by_a_sender_that_dies_is_there_for_the_next(board):
    batch = await board.batch()
    await board.completed(batch_id=batch)
    async with board.desk.worker.transaction(force_rollback=True):
        assert len(await board.claim()) == 1
    assert len(await board.claim()) == 1
