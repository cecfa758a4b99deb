"""Who is told that a spending limit is nearly used up."""

import pytest

from tests.supabase.desk import Desk, rows
from tests.supabase.noticeboard import Noticeboard


@pytest.fixture
def board(desk: Desk) -> Noticeboard:
    return Noticeboard(desk)


async def alarm(board, scope, key, level=80):
    await board.desk.root.execute(
        "insert into spend_alarms (scope, scope_key, day, level, limit_usd, spent_usd)"
        " values (%s, %s, '2026-11-22', %s, 10, 8.5)",
        (scope, str(key), level),
    )


async def test_a_persons_own_limit_is_told_to_the_person_and_the_administrators(board, create_user):
    admin, chief, _ = await create_user("admin"), await create_user(), await create_user("marketing")
    await board.desk.root.execute("insert into admin_users values (%s)", (chief,))
    job_id = await board.desk.insert("blog", {"topic": "UDI"})
    for scope, key in (("user", board.desk.user_id), ("job", job_id)):
        await board.desk.root.execute("delete from notices")
        await alarm(board, scope, key)
        assert {person for _, person in await board.told()} == {board.desk.user_id, admin, chief}
        assert await rows(board.desk.root, "select user_id from notices") == [(board.desk.user_id,)]
    subject, body = await board.only()
    assert subject == '80 % of a spending limit is used: the job Blog post "UDI"'
    assert body.startswith('8.50 USD of 10.00 USD are spent by the job Blog post "UDI".\n')


@pytest.mark.parametrize(
    ("scope", "key", "whose"),
    [("overall", "*", "everybody together"), ("kind", "blog", 'jobs of the kind "Blog post"')],
)
async def test_a_common_limit_is_told_to_the_administrators(board, create_user, scope, key, whose):
    admin = await create_user("admin")
    await alarm(board, scope, key, level=100)
    assert await board.told() == [("email", admin)]
    assert await rows(board.desk.root, "select user_id from notices") == [(None,)]
    subject, body = await board.only()
    assert subject == f"A spending limit is reached: {whose}"
    assert body.startswith(f"8.50 USD of 10.00 USD are spent by {whose} on 2026-11-22.\n")
    assert "are refused" in body


async def test_an_alarm_that_cannot_be_told_is_raised_all_the_same(board):
    await board.desk.root.execute("alter table notices add constraint broken check (subject is null)")
    await alarm(board, "overall", "*")
    assert await rows(board.desk.root, "select level from spend_alarms") == [(80,)]


async def test_those_who_do_not_want_to_hear_of_spending_do_not(board, create_user):
    admin = await create_user("admin")
    await board.prefer(admin, spending=False)
    await alarm(board, "overall", "*")
    assert await board.told() == []
