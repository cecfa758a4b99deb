"""Generated content stays a draft until a signed-in person with the right moves it on, whoever else tries, however."""

from typing import Any

import pytest

from tests.supabase.desk import Desk, refusal, rows, value
from tests.supabase.drafts import TABLES, Drafts

BY_THE_GUARD = ("Only a signed-in person", "Only a job writes", "Generated content")


@pytest.fixture(params=TABLES, ids=lambda of: of.table)
async def drafts(request: pytest.FixtureRequest, desk: Desk, create_user: Any) -> Drafts:
    """A draft as a worker writes it, and people of every role."""
    people = {role: await create_user(role) for role in ("marketing", "admin", "sales", "successor")} | {
        "asker": desk.user_id
    }
    of = request.param
    claim = await desk.claimed()
    async with desk.worker.transaction():
        await desk.worker.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))
        values = {"job_id": f"'{claim.job_id}'", "user_id": f"'{desk.user_id}'"}
        await desk.worker.execute(of.insert("draft", desk.user_id, **values))
    draft_id = await value(desk.root, f"select id from {of.table}")
    return Drafts(of, desk, draft_id, claim.job_id, people)


async def test_what_a_job_writes_is_marked_as_generated_and_a_draft(drafts):
    row = await drafts.row()
    assert (row["status"], row["ai_generated"], row["approved_by"], row["approved_at"]) == ("draft", True, None, None)


async def test_nobody_without_the_right_moves_a_draft_on_or_takes_its_mark_off(drafts):
    before = await drafts.row()
    async with drafts.everyone_without_the_right() as callers:
        for caller, connection in callers.items():
            for statement in (*drafts.of.moves, *drafts.of.unmarks):
                error = await refusal(connection, statement)
                assert error.sqlstate == "42501"
                assert (error.diag.message_primary or "").startswith(BY_THE_GUARD), (caller, statement, error)
    assert await drafts.row() == before


async def test_nobody_without_the_right_gets_there_by_an_upsert_or_a_merge(drafts):
    upsert = drafts.insert("x", id=f"'{drafts.draft_id}'") + " on conflict (id) do update set status = 'published'"
    merge = (
        f"merge into {drafts.of.table} p using (select 1) s on true when matched then update set status = 'published'"
        " when not matched then do nothing"
    )
    async with drafts.everyone_without_the_right() as callers:
        for connection in callers.values():
            for statement in (upsert, merge):
                assert (await refusal(connection, statement)).sqlstate == "42501"


async def test_nobody_at_all_inserts_generated_content_that_is_not_a_draft(drafts):
    async with drafts.everyone_without_the_right() as callers, drafts.signed_in("marketing") as marketing:
        for caller, connection in (callers | {"marketing": marketing}).items():
            for column, decided in (*drafts.of.decisions.items(), ("status", "null")):
                statement = drafts.insert("x", **({"ai_generated": "true"} | {column: decided}))
                assert (await refusal(connection, statement)).sqlstate == "42501", (caller, column)


async def test_what_a_service_key_writes_is_generated_whatever_it_says(drafts):
    for values in ({"status": "'published'"}, {"ai_generated": "false", "scheduled_for": "now()"}):
        assert (await refusal(drafts.desk.worker, drafts.insert("x", **values))).sqlstate == "42501"
    await drafts.desk.worker.execute(drafts.insert("x", ai_generated="false"))
    query = f"select ai_generated from {drafts.of.table} where {drafts.of.name} = 'x'"
    assert await value(drafts.desk.root, query)


@pytest.mark.parametrize("role", ["marketing", "admin"])
async def test_a_signed_in_person_with_the_right_approves_and_is_remembered(drafts, role):
    async with drafts.signed_in(role) as person:
        await person.execute(drafts.of.update("status = 'published', scheduled_for = now()"))
    row = await drafts.row()
    assert (row["status"], row["approved_by"]) == ("published", drafts.people[role])
    assert row["approved_at"] is not None


async def test_nobody_approves_in_anothers_name(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute(
            drafts.of.update("approved_by = %s, approved_at = '2020-01-01'"), (drafts.people["admin"],)
        )
        assert (await drafts.row())["approved_by"] is None
        await person.execute(drafts.of.update("status = 'approved', approved_by = %s"), (drafts.people["admin"],))
        first = await drafts.row()
        assert first["approved_by"] == drafts.people["marketing"]
    async with drafts.signed_in("admin") as admin:
        await admin.execute(drafts.of.update("status = 'published', approved_by = null, approved_at = null"))
        row = await drafts.row()
        assert (row["status"], row["approved_by"], row["approved_at"]) == (
            "published", drafts.people["marketing"], first["approved_at"],
        )  # fmt: skip


async def test_a_draft_that_was_taken_back_needs_a_new_approval(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute(drafts.of.update("status = 'published'"))
        await person.execute(drafts.of.update("status = 'draft'"))
    row = await drafts.row()
    assert (row["approved_by"], row["approved_at"]) == (None, None)
    async with drafts.everyone_without_the_right() as callers:
        for connection in callers.values():
            assert (await refusal(connection, drafts.of.moves[0])).sqlstate == "42501"


@pytest.mark.parametrize("status", ["published", "rejected"])
async def test_what_was_decided_on_is_not_rewritten_by_a_machine(drafts, status):
    reason = ", rejection_reason = 'Too long.'" if drafts.of.has_reasons and status == "rejected" else ""
    async with drafts.signed_in("marketing") as person:
        await person.execute(drafts.of.update(f"status = '{status}'{reason}"))
        async with drafts.everyone_without_the_right() as callers:
            for connection in callers.values():
                for change in (*drafts.of.content, "status = 'draft'"):
                    assert (await refusal(connection, drafts.of.update(change))).sqlstate == "42501", change
                await connection.execute(drafts.of.update("job_id = job_id"))
        await person.execute(drafts.of.update(drafts.of.content[0]))
    assert (await drafts.row())["status"] == status


async def test_a_draft_itself_is_edited_by_people_and_by_services(drafts):
    await drafts.desk.root.execute(f"grant update on {drafts.of.table} to service_role")
    await drafts.desk.worker.execute(drafts.of.update(", ".join(drafts.of.content[1:])))
    async with drafts.signed_in("marketing") as person:
        await person.execute(drafts.of.update(drafts.of.content[0]))
    row = await drafts.row()
    changed = dict(change.split(" = ") for change in drafts.of.content if change.endswith("'x'"))
    assert {row[column] for column in changed} == {"x"}
    assert row["status"] == "draft"


async def test_what_people_wrote_themselves_is_left_alone(drafts):
    async with drafts.signed_in("marketing") as person:
        await person.execute(drafts.insert("p", status="'published'", scheduled_for="now()"))
        await person.execute(drafts.insert("q"))
        await person.execute(drafts.of.update("status = 'published'", "q"))
    await drafts.desk.root.execute(drafts.of.update("status = 'rejected', " + drafts.of.content[-1], "p"))
    found = await rows(
        drafts.desk.root,
        f"select {drafts.of.name}, status, ai_generated, approved_by from {drafts.of.table}"
        f" where {drafts.of.name} in ('p', 'q') order by 1",
    )
    assert found == [("p", "rejected", False, None), ("q", "published", False, None)]


async def test_a_person_does_not_write_in_a_jobs_name(drafts):
    other = f"'{await drafts.desk.insert()}'"
    async with drafts.signed_in("marketing") as person:
        assert (await refusal(person, drafts.insert("x", job_id=other))).sqlstate == "42501"
        await person.execute(drafts.insert("x"))
        assert (await refusal(person, drafts.of.update(f"job_id = {other}", "x"))).sqlstate == "42501"


async def test_one_job_writes_one_draft(drafts):
    again = drafts.insert("x", job_id=f"'{drafts.job_id}'")
    assert (await refusal(drafts.desk.worker, again)).sqlstate == "23505"


async def test_deleting_the_job_or_the_person_leaves_the_draft_guarded(drafts):
    await drafts.hand_over()
    await drafts.desk.root.execute("delete from jobs where id = %s", (drafts.job_id,))
    row = await drafts.row()
    assert (row["job_id"], row["ai_generated"], row["status"]) == (None, True, "draft")
    await drafts.desk.root.execute("delete from auth.users where id = %s", (drafts.people["asker"],))
    row = await drafts.row()
    assert (row["user_id"], row["ai_generated"], row["status"]) == (None, True, "draft")
    for connection in (drafts.desk.root, drafts.desk.worker):
        for statement in (*drafts.of.moves, drafts.of.update("ai_generated = false")):
            assert (await refusal(connection, statement)).sqlstate == "42501"


async def test_deleting_who_asked_and_who_approved_at_once_works(drafts):
    await drafts.hand_over()
    async with drafts.signed_in("marketing") as person:
        await person.execute(drafts.of.update("status = 'published'"))
    approved_at = (await drafts.row())["approved_at"]
    await drafts.desk.root.execute("delete from auth.users where id <> %s", (drafts.people["successor"],))
    row = await drafts.row()
    assert (row["status"], row["approved_by"], row["approved_at"]) == ("published", None, approved_at)
    assert (row["job_id"], row["user_id"], row["ai_generated"]) == (None, None, True)
