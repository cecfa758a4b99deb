"""Who is told of the end of a job, what they read, and that nothing about it can keep a job from ending."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.supabase.desk import Desk, refusal, rows, value
from tests.supabase.noticeboard import SECONDS, Noticeboard


@pytest.fixture
def board(desk: Desk) -> Noticeboard:
    return Noticeboard(desk)


async def test_the_person_who_asked_is_told_of_a_long_job(board):
    job_id = await board.completed(took_s=200)
    assert await rows(board.desk.root, "select kind, user_id, job_id, batch_id from notices") == [
        ("job_completed", board.desk.user_id, job_id, None)
    ]
    assert await board.told() == [("email", board.desk.user_id)]
    subject, body = await board.only()
    assert subject == 'Blog post "Rastreabilidade" is ready'
    assert "It took 3 min 20 s and cost 0.00 USD." in body
    assert "draft until a person approves it" in body


async def test_nobody_is_told_of_a_short_job(board):
    await board.completed(took_s=SECONDS - 5)
    assert await board.kinds() == []


async def test_every_failure_is_told_with_its_reason_and_what_to_do(board):
    await board.failed()
    subject, body = await board.only()
    assert subject == 'Blog post "Rastreabilidade" failed'
    assert "Reason: The model refused.\nStage: write" in body
    assert "a retry alone will not help" in body
    assert await board.kinds() == ["job_failed"]


async def test_a_failure_that_a_retry_may_mend_says_so(board):
    await board.failed({"retryable": True})
    _, body = await board.only()
    assert "retry it. It goes on from where it stopped" in body


async def test_a_job_whose_workers_all_die_is_told_as_failed(board):
    job_id, _ = await board.begun()
    await board.desk.root.execute("update jobs set max_attempts = attempts where id = %s", (job_id,))
    await board.desk.expire(job_id)
    await board.desk.worker.execute("select * from sweep_jobs(10)")
    assert await board.kinds() == ["job_failed"]


async def test_nobody_is_told_of_a_cancelled_job_nor_of_a_kind_without_a_threshold(board):
    job_id, _ = await board.begun()
    async with board.desk.person(board.desk.user_id) as person:
        await person.execute("select cancel_job(%s)", (job_id,))
    await board.completed(took_s=10_000, kind="echo", payload={})
    await board.failed(kind="echo", payload={})
    assert await board.kinds() == []


async def test_a_retry_by_hand_may_be_told_again_and_counts_from_the_retry(board):
    job_id = await board.failed()
    async with board.desk.person(board.desk.user_id) as person:
        await person.execute("select retry_job(%s)", (job_id,))
    claim = await board.desk.claim(job_id)
    await board.fail(job_id, claim.token)
    assert await board.kinds() == ["job_failed", "job_failed"]
    async with board.desk.person(board.desk.user_id) as person:
        await person.execute("select retry_job(%s)", (job_id,))
    await board.desk.root.execute("update jobs set created_at = now() - interval '2 days' where id = %s", (job_id,))
    claim = await board.desk.claim(job_id)
    await board.desk.worker.execute("select complete_job(%s, %s, '{}')", (job_id, claim.token))
    assert await board.kinds() == ["job_failed", "job_failed"], "two seconds after the retry it was done"


async def test_a_job_counts_from_when_it_was_due_even_when_it_was_tried_again(board):
    asked = datetime.now(UTC) - timedelta(days=2)
    for due_s_ago, started_s_ago, told in ((30, 30, []), (0, 200, ["job_completed"])):
        job_id, token = await board.begun()
        await board.desk.root.execute(
            "update jobs set created_at = %s, scheduled_for = now() - %s * interval '1 s',"
            " started_at = now() - %s * interval '1 s' where id = %s",
            (asked, due_s_ago, started_s_ago, job_id),
        )
        await board.desk.worker.execute("select complete_job(%s, %s, '{}')", (job_id, token))
        assert await board.kinds() == told


async def test_people_choose_what_they_are_told_and_where(board):
    me = board.desk.user_id
    await board.prefer(failed=False)
    await board.failed()
    assert await board.told() == []
    await board.prefer(completed=False, slack=True, slack_member_id="U012AB3CD")
    await board.completed()
    assert await board.told() == []
    await board.failed()
    assert await board.told() == [("email", me), ("slack", me)]
    await board.prefer(email=False)
    await board.failed()
    assert len(await board.told()) == 2
    assert len(await board.kinds()) == 4, "the notices are there to be seen all the same"


@pytest.mark.parametrize(
    ("topic", "subject"),
    [
        ("Um\r\nBcc: all@example.test\x00\x1b[2J", 'Blog post "Um Bcc: all@example.test [2J" failed'),
        ("left\u202eright\u2028line", 'Blog post "left right line" failed'),
        ("á" * 300, f'Blog post "{"á" * 99}…" failed'),
        (" \n ", "Blog post failed"),
        ({"not": "text"}, "Blog post failed"),
        (None, "Blog post failed"),
    ],
)
async def test_a_title_is_one_harmless_line(board, topic, subject):
    if isinstance(topic, str):
        topic = topic.replace("\x00", "")  # which Postgres does not take in the first place
    await board.failed(payload={"topic": topic})
    assert (await board.only())[0] == subject


async def test_a_notice_that_cannot_be_written_does_not_keep_the_job_from_ending(board):
    await board.desk.root.execute("alter table notices add constraint broken check (subject is null)")
    job_id = await board.completed()
    assert await board.desk.status(job_id) == "completed"
    assert await board.kinds() == []


async def test_a_rolled_back_completion_tells_nobody(board):
    job_id, token = await board.begun()
    async with board.desk.worker.transaction(force_rollback=True):
        await board.desk.worker.execute("select complete_job(%s, %s, '{}')", (job_id, token))
    assert await board.kinds() == []


async def test_a_deleted_person_and_a_deleted_job_take_their_notices_with_them(board):
    job_id = await board.failed()
    await board.desk.root.execute("delete from jobs where id = %s", (job_id,))
    assert await board.told() == []
    await board.failed()
    await board.desk.root.execute("delete from auth.users where id = %s", (board.desk.user_id,))
    assert await board.kinds() == []


async def test_people_set_their_own_preferences_and_see_their_own_notices(board, create_user):
    stranger, admin = await create_user(), await create_user("admin")
    await board.failed()
    me = board.desk.user_id
    async with board.desk.person(me) as person:
        await person.execute("insert into notification_preferences (user_id, slack) values (%s, true)", (me,))
        await person.execute("update notification_preferences set slack_member_id = 'W0ABCDEF'")
        assert await value(person, "select updated_at > now() - interval '1 minute' from notification_preferences")
        assert await value(person, "select count(*) from notices") == 1
        assert await value(person, "select count(*) from notice_deliveries") == 1
        for wrong in ("x", "U1; drop", "U012\n", "<!channel>"):
            error = await refusal(person, "update notification_preferences set slack_member_id = %s", wrong)
            assert error.sqlstate == "23514"
    async with board.desk.person(stranger) as person:
        for table in ("notification_preferences", "notices", "notice_deliveries"):
            assert await value(person, f"select count(*) from {table}") == 0
        insert = "insert into notification_preferences (user_id) values (%s)"
        assert (await refusal(person, insert, me)).sqlstate == "42501"
        assert (await person.execute("update notification_preferences set email = false")).rowcount == 0
    async with board.desk.person(admin, "admin") as person:
        assert await value(person, "select count(*) from notices") == 1
        assert await value(person, "select slack_member_id from notification_preferences") == "W0ABCDEF"
        assert (await person.execute("update notification_preferences set email = false")).rowcount == 0


async def test_two_ends_of_a_job_at_the_same_moment_are_told_once(board):
    async with board.desk.crowd(2) as (one, other):
        for _ in range(30):
            job_id, token = await board.begun()
            await asyncio.gather(
                one.execute("select complete_job(%s, %s, '{}')", (job_id, token)),
                other.execute("select fail_job(%s, %s, '{}', false)", (job_id, token)),
                return_exceptions=True,
            )
    assert len(await board.kinds()) == 30
