"""Who sees and rejects drafts, and what a carousel or a post may hold."""

from typing import Any

import pytest

from tests.supabase.desk import Desk, connect, refusal, rows, value
from tests.supabase.drafts import TABLES, DraftTable

BLOG, CAROUSELS, POSTS = TABLES
REASONED = pytest.mark.parametrize("of", [CAROUSELS, POSTS], ids=lambda of: of.table)


async def written_by_a_job(desk: Desk, of: DraftTable) -> Any:
    """The id of a draft that a worker has just written for the desk's person."""
    job_id = await desk.insert()
    statement = of.insert("draft", desk.user_id, job_id=f"'{job_id}'", user_id=f"'{desk.user_id}'")
    return await value(desk.worker, statement + " returning id")


async def test_the_public_reads_the_posts_of_the_blog_that_are_published_and_nothing_else(desk, create_user):
    marketing = await create_user("marketing")
    for of in TABLES:
        draft_id = await written_by_a_job(desk, of)
        async with await connect(desk.url, "anon") as anon, desk.person(marketing, "marketing") as person:
            query = f"select id from {of.table}"
            if of is BLOG:
                assert await rows(anon, query) == []
            await person.execute(of.update("status = 'published'"))
            if of is BLOG:
                assert await rows(anon, query) == [(draft_id,)]
            else:
                assert (await refusal(anon, query)).sqlstate == "42501"


@REASONED
async def test_people_see_their_own_drafts_and_marketing_all(desk, create_user, of):
    people = {role: await create_user(role) for role in ("marketing", "admin", "sales")}
    await written_by_a_job(desk, of)
    seen = {}
    for who, user_id in (people | {"asker": desk.user_id}).items():
        async with desk.person(user_id, None if who == "asker" else who) as person:
            seen[who] = await value(person, f"select count(*) from {of.table}")
    assert seen == {"marketing": 1, "admin": 1, "sales": 0, "asker": 1}


@REASONED
async def test_a_rejection_needs_a_reason_and_says_whose_it_is(desk, create_user, of):
    marketing, admin = await create_user("marketing"), await create_user("admin")
    await written_by_a_job(desk, of)
    query = f"select status, rejection_reason, rejected_by, rejected_at is not null, approved_by from {of.table}"
    async with desk.person(marketing, "marketing") as person:
        for reason in ("", ", rejection_reason = '  '"):
            error = await refusal(person, of.update("status = 'rejected'" + reason))
            assert (error.sqlstate, "reason" in str(error)) == ("PT422", True)
        await person.execute(
            of.update("status = 'rejected', rejection_reason = 'Too long.', rejected_by = %s"), (admin,)
        )
        assert await rows(person, query) == [("rejected", "Too long.", marketing, True, None)]
    async with desk.person(admin, "admin") as person:
        await person.execute(of.update("rejected_by = %s, rejected_at = '2020-01-01'"), (admin,))
        assert await value(person, f"select rejected_by from {of.table} where rejected_at > '2021-01-01'") == marketing
        assert (await refusal(person, of.update("rejection_reason = null"))).sqlstate == "PT422"
        await person.execute(of.update("status = 'approved'"))
        assert await rows(person, query) == [("approved", None, None, False, admin)]
        await person.execute(of.update("status = 'rejected', rejection_reason = 'After all, no.'"))
        assert await rows(person, query) == [("rejected", "After all, no.", admin, True, None)]


@REASONED
async def test_deleting_who_rejected_a_draft_leaves_it_rejected(desk, create_user, of):
    marketing = await create_user("marketing")
    await written_by_a_job(desk, of)
    async with desk.person(marketing, "marketing") as person:
        await person.execute(of.update("status = 'rejected', rejection_reason = 'Too long.'"))
    await desk.root.execute("delete from auth.users where id = %s", (marketing,))
    query = f"select status, rejection_reason, rejected_by, rejected_at is not null from {of.table}"
    assert await rows(desk.root, query) == [("rejected", "Too long.", None, True)]


async def test_a_carousel_keeps_its_person_until_it_is_given_to_another(desk, create_user):
    draft_id = await written_by_a_job(desk, CAROUSELS)
    assert (await refusal(desk.root, "delete from auth.users where id = %s", desk.user_id)).sqlstate == "23503"
    await desk.root.execute("update linkedin_carousels set admin_user_id = %s", (await create_user("admin"),))
    await desk.root.execute("delete from auth.users where id = %s", (desk.user_id,))
    assert await rows(desk.root, "select id, user_id from linkedin_carousels") == [(draft_id, None)]


@pytest.mark.parametrize(
    ("fits", "breaks"),
    [
        ({"caption": "repeat('ç', 2200)"}, {"caption": "repeat('ç', 2201)"}),
        ({"hashtags": "array['a', 'b', 'c', 'd', 'e']"}, {"hashtags": "array['a', 'b', 'c', 'd', 'e', 'f']"}),
        ({"alt_text": "repeat('ç', 1000)"}, {"alt_text": "repeat('ç', 1001)"}),
        ({"items": "to_jsonb(array_fill(1, array[10]))"}, {"items": "to_jsonb(array_fill(1, array[11]))"}),
        ({"items": "'[]'"}, {"items": "'{}'"}),
        ({"format": "'single-image'"}, {"format": "'reel'"}),
    ],
    ids=lambda values: next(iter(values)) if isinstance(values, dict) else None,
)
async def test_a_post_that_instagram_would_refuse_is_not_stored(desk, fits, breaks):
    await desk.root.execute(POSTS.insert("fits", desk.user_id, **fits))
    error = await refusal(desk.root, POSTS.insert("breaks", desk.user_id, **breaks))
    assert error.sqlstate == "23514"


async def test_a_carousels_document_may_be_larger_than_a_picture(desk):
    limits = dict(await rows(desk.root, "select id, file_size_limit from storage.buckets"))
    assert limits["content"] == 5 * limits["assets"] == 50 * 1024 * 1024


async def test_pictures_are_listed_by_staff_alone(desk, create_user):
    await desk.root.execute(
        "insert into storage.objects (bucket_id, name) values ('content', 'a.png'), ('assets', 'b.png')"
    )
    count = "select count(*) from storage.objects"
    async with (
        await connect(desk.url, "anon") as anon,
        desk.person(desk.user_id, None) as asker,
        desk.person(await create_user("sales"), "sales") as sales,
        desk.person(await create_user("marketing"), "marketing") as marketing,
    ):
        assert [await value(one, count) for one in (anon, asker, sales, marketing)] == [0, 0, 2, 2]
        add = "insert into storage.objects (bucket_id, name) values (%s, 'c.png')"
        for connection, bucket in ((anon, "assets"), (sales, "assets"), (marketing, "content")):
            assert (await refusal(connection, add, bucket)).sqlstate == "42501"
        await marketing.execute(add, ("assets",))
        move = "update storage.objects set bucket_id = 'content' where name = 'c.png'"
        assert (await refusal(marketing, move)).sqlstate == "42501"
