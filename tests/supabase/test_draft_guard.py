"""Generated content stays a draft until a signed-in person with the right moves it on, whoever else tries, however."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

from tests.supabase.desk import Connection, Desk, connect, refusal, rows, value

MOVES = (
    "update blog_posts set status = 'published'",
    "update blog_posts set status = 'approved'",
    "update blog_posts set status = null",
    "update blog_posts set status = 'published', published_at = now()",
    "update blog_posts set published_at = now()",
    "update blog_posts set scheduled_for = now() + interval '1 day'",
    "update blog_posts set approved_at = now()",
    "update blog_posts set approved_by = gen_random_uuid()",
)
UNMARKS = (
    "update blog_posts set job_id = null",
    "update blog_posts set job_id = gen_random_uuid()",
    "update blog_posts set ai_generated = false, job_id = null",
    "update blog_posts set ai_generated = null, job_id = null, status = 'published'",
)
BY_THE_GUARD = ("Only a signed-in person", "Only a job writes", "Generated content")


@dataclass(frozen=True)
class Drafts:
    desk: Desk
    post_id: UUID
    job_id: UUID
    people: dict[str, UUID]

    async def row(self) -> dict[str, Any]:
        async with self.desk.root.cursor(row_factory=dict_row) as cursor:
            await cursor.execute("select * from blog_posts where id = %s", (self.post_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    def signed_in(self, role: str) -> Any:
        return self.desk.person(self.people[role], None if role == "asker" else role)

    @asynccontextmanager
    async def everyone_without_the_right(self) -> AsyncIterator[dict[str, Connection]]:
        """The superuser, the service key, anon, the person who asked, and sales: with all table rights, so that only
        the guard stands between them and the draft."""
        await self.desk.root.execute(
            "grant all on blog_posts to anon, authenticated, service_role;"
            " create policy wide on blog_posts to anon, authenticated using (true) with check (true)"
        )
        async with (
            await connect(self.desk.url, "anon") as anon,
            self.signed_in("asker") as asker,
            self.signed_in("sales") as sales,
        ):
            yield {
                "superuser": self.desk.root,
                "service key": self.desk.worker,
                "anon": anon,
                "asker": asker,
                "sales": sales,
            }


@pytest.fixture
async def drafts(desk: Desk, create_user) -> Drafts:
    """A draft as a worker writes it, and people of every role."""
    people = {role: await create_user(role) for role in ("marketing", "admin", "sales")} | {"asker": desk.user_id}
    claim = await desk.claimed("blog")
    async with desk.worker.transaction():
        await desk.worker.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))
        await desk.worker.execute(
            "insert into blog_posts (title, slug, content, job_id, user_id) values ('T', 'slug', 'text', %s, %s)",
            (claim.job_id, desk.user_id),
        )
    post_id = await value(desk.root, "select id from blog_posts")
    return Drafts(desk, post_id, claim.job_id, people)


async def test_what_a_job_writes_is_marked_as_generated_and_a_draft(drafts):
    row = await drafts.row()
    assert (row["status"], row["ai_generated"], row["approved_by"], row["approved_at"]) == ("draft", True, None, None)


async def test_nobody_without_the_right_moves_a_draft_on_or_takes_its_mark_off(drafts):
    before = await drafts.row()
    async with drafts.everyone_without_the_right() as callers:
        for caller, connection in callers.items():
            for statement in (*MOVES, *UNMARKS):
                error = await refusal(connection, statement)
                assert error.sqlstate == "42501"
                assert (error.diag.message_primary or "").startswith(BY_THE_GUARD), (caller, statement, error)
    assert await drafts.row() == before


async def test_nobody_without_the_right_gets_there_by_an_upsert_or_a_merge(drafts):
    upsert = (
        "insert into blog_posts (id, title, slug) values ('{}', 'x', 'x')"
        " on conflict (id) do update set status = 'published'"
    )
    merge = (
        "merge into blog_posts p using (select 1) s on true when matched then update set status = 'published'"
        " when not matched then do nothing"
    )
    async with drafts.everyone_without_the_right() as callers:
        for connection in callers.values():
            for statement in (upsert.format(drafts.post_id), merge):
                assert (await refusal(connection, statement)).sqlstate == "42501"


async def test_nobody_at_all_inserts_generated_content_that_is_not_a_draft(drafts):
    async with drafts.everyone_without_the_right() as callers, drafts.signed_in("marketing") as marketing:
        for caller, connection in (callers | {"marketing": marketing}).items():
            for columns, values in (
                ("status", "'published'"),
                ("status", "null"),
                ("published_at", "now()"),
                ("scheduled_for", "now()"),
                ("approved_at", "now()"),
                ("approved_by", f"'{drafts.people['marketing']}'"),
            ):
                statement = (
                    f"insert into blog_posts (title, slug, ai_generated, {columns}) values ('x', 'x', true, {values})"
                )
                assert (await refusal(connection, statement)).sqlstate == "42501", (caller, columns)


async def test_what_a_service_key_writes_is_generated_whatever_it_says(drafts):
    for statement in (
        "insert into blog_posts (title, slug, status) values ('x', 'x', 'published')",
        "insert into blog_posts (title, slug, ai_generated, published_at) values ('x', 'x', false, now())",
    ):
        assert (await refusal(drafts.desk.worker, statement)).sqlstate == "42501"
    await drafts.desk.worker.execute("insert into blog_posts (title, slug, ai_generated) values ('x', 'x', false)")
    assert await value(drafts.desk.root, "select ai_generated from blog_posts where slug = 'x'")


@pytest.mark.parametrize("role", ["marketing", "admin"])
async def test_a_signed_in_person_with_the_right_approves_and_is_remembered(drafts, role):
    async with drafts.signed_in(role) as person:
        await person.execute("update blog_posts set status = 'published', published_at = now()")
    row = await drafts.row()
    assert (row["status"], row["approved_by"]) == ("published", drafts.people[role])
    assert row["approved_at"] is not None


async def test_nobody_approves_in_anothers_name(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute(
            "update blog_posts set approved_by = %s, approved_at = '2020-01-01'", (drafts.people["admin"],)
        )
        assert (await drafts.row())["approved_by"] is None
        await person.execute("update blog_posts set status = 'approved', approved_by = %s", (drafts.people["admin"],))
        first = await drafts.row()
        assert first["approved_by"] == drafts.people["marketing"]
    async with drafts.signed_in("admin") as admin:
        await admin.execute("update blog_posts set status = 'published', approved_by = null, approved_at = null")
        row = await drafts.row()
        assert (row["status"], row["approved_by"], row["approved_at"]) == (
            "published", drafts.people["marketing"], first["approved_at"],
        )  # fmt: skip


async def test_a_draft_that_was_taken_back_needs_a_new_approval(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute("update blog_posts set status = 'published'")
        await person.execute("update blog_posts set status = 'draft'")
    row = await drafts.row()
    assert (row["approved_by"], row["approved_at"]) == (None, None)
    async with drafts.everyone_without_the_right() as callers:
        for connection in callers.values():
            assert (await refusal(connection, MOVES[0])).sqlstate == "42501"


async def test_what_was_approved_is_not_rewritten_by_a_machine(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute("update blog_posts set status = 'published'")
        async with drafts.everyone_without_the_right() as callers:
            for connection in callers.values():
                for column in ("title", "slug", "content", "excerpt", "featured_image"):
                    assert (await refusal(connection, f"update blog_posts set {column} = 'x'")).sqlstate == "42501"
                assert (await refusal(connection, "update blog_posts set status = 'draft'")).sqlstate == "42501"
                await connection.execute("update blog_posts set metadata = metadata || '{\"views\": 1}'")
        await person.execute("update blog_posts set title = 'Corrected'")
    assert (await drafts.row())["title"] == "Corrected"


async def test_a_draft_itself_is_edited_by_people_and_by_services(drafts):
    await drafts.desk.root.execute("grant update on blog_posts to service_role")
    await drafts.desk.worker.execute("update blog_posts set content = 'better', metadata = '{\"score\": 81}'")
    async with drafts.signed_in("marketing") as person:
        await person.execute("update blog_posts set title = 'Better'")
    row = await drafts.row()
    assert (row["title"], row["content"], row["status"]) == ("Better", "better", "draft")


async def test_a_persons_own_posts_are_left_alone(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute(
            "insert into blog_posts (title, slug, status, published_at) values ('P', 'p', 'published', now())"
        )
        await person.execute("insert into blog_posts (title, slug, status) values ('Q', 'q', 'draft')")
        await person.execute("update blog_posts set status = 'published' where slug = 'q'")
    await drafts.desk.root.execute("update blog_posts set status = 'archived', title = 'R' where slug = 'p'")
    found = await rows(
        drafts.desk.root,
        "select slug, status, ai_generated, approved_by from blog_posts where slug in ('p', 'q') order by 1",
    )
    assert found == [("p", "archived", False, None), ("q", "published", False, None)]


async def test_a_person_does_not_write_in_a_jobs_name(drafts):
    other = await drafts.desk.insert()
    async with drafts.signed_in("marketing") as person:
        query = "insert into blog_posts (title, slug, job_id) values ('x', 'x', %s)"
        assert (await refusal(person, query, other)).sqlstate == "42501"
        await person.execute("insert into blog_posts (title, slug) values ('x', 'x')")
        assert (await refusal(person, "update blog_posts set job_id = %s where slug = 'x'", other)).sqlstate == "42501"


async def test_one_job_writes_one_draft(drafts):
    query = "insert into blog_posts (title, slug, job_id) values ('x', 'x', %s)"
    assert (await refusal(drafts.desk.worker, query, drafts.job_id)).sqlstate == "23505"


async def test_deleting_the_job_or_the_person_leaves_the_draft_guarded(drafts):
    await drafts.desk.root.execute("delete from jobs where id = %s", (drafts.job_id,))
    row = await drafts.row()
    assert (row["job_id"], row["ai_generated"], row["status"]) == (None, True, "draft")
    await drafts.desk.root.execute("delete from auth.users where id = %s", (drafts.people["asker"],))
    row = await drafts.row()
    assert (row["user_id"], row["ai_generated"], row["status"]) == (None, True, "draft")
    for connection in (drafts.desk.root, drafts.desk.worker):
        for statement in (*MOVES, "update blog_posts set ai_generated = false"):
            assert (await refusal(connection, statement)).sqlstate == "42501"


async def test_deleting_who_asked_and_who_approved_at_once_works(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute("update blog_posts set status = 'published'")
    approved_at = (await drafts.row())["approved_at"]
    await drafts.desk.root.execute("delete from auth.users")
    row = await drafts.row()
    assert (row["status"], row["approved_by"], row["approved_at"]) == ("published", None, approved_at)
    assert (row["job_id"], row["user_id"], row["ai_generated"]) == (None, None, True)


async def test_the_public_reads_what_is_published_and_nothing_else(drafts):
    async with await connect(drafts.desk.url, "anon") as anon, drafts.signed_in("marketing") as person:
        assert await rows(anon, "select id from blog_posts") == []
        await person.execute("update blog_posts set status = 'published'")
        assert await rows(anon, "select id from blog_posts") == [(drafts.post_id,)]


async def test_pictures_are_listed_by_staff_alone(drafts):
    await drafts.desk.root.execute(
        "insert into storage.objects (bucket_id, name) values ('content', 'a.png'), ('assets', 'b.png')"
    )
    count = "select count(*) from storage.objects"
    async with (
        await connect(drafts.desk.url, "anon") as anon,
        drafts.signed_in("asker") as asker,
        drafts.signed_in("sales") as sales,
        drafts.signed_in("marketing") as marketing,
    ):
        assert [await value(one, count) for one in (anon, asker, sales, marketing)] == [0, 0, 2, 2]
        add = "insert into storage.objects (bucket_id, name) values (%s, 'c.png')"
        for connection, bucket in ((anon, "assets"), (sales, "assets"), (marketing, "content")):
            assert (await refusal(connection, add, bucket)).sqlstate == "42501"
        await marketing.execute(add, ("assets",))
        move = "update storage.objects set bucket_id = 'content' where name = 'c.png'"
        assert (await refusal(marketing, move)).sqlstate == "42501"


async def test_the_guard_fits_another_table_of_drafts(drafts):
    """As later tables of drafts look: no mark but the job, other columns of content."""
    desk = drafts.desk
    await desk.root.execute(
        "create table instagram_posts (id int primary key, status text default 'draft', caption text,"
        " job_id uuid references jobs on delete set null, scheduled_for timestamptz,"
        " approved_by uuid references auth.users on delete set null, approved_at timestamptz, ai_generated boolean);"
        " create trigger guard_draft before insert or update on instagram_posts for each row"
        " execute function engine.guard_draft(); grant all on instagram_posts to authenticated, service_role"
    )
    await desk.worker.execute("insert into instagram_posts (id, job_id) values (1, %s)", (drafts.job_id,))
    assert (await refusal(desk.worker, "update instagram_posts set status = 'scheduled'")).sqlstate == "42501"
    async with drafts.signed_in("marketing") as person:
        await person.execute("update instagram_posts set status = 'approved'")
    assert (await refusal(desk.worker, "update instagram_posts set caption = 'x'")).sqlstate == "42501"
