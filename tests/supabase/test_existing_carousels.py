"""The migrations on the carousels of the database that is in use."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from infra.local.migrate import migrate

COUNT = "select count(*) from linkedin_carousels"
ADMINISTRATOR, SOMEBODY, STRANGER = (f"00000000-0000-4000-8000-00000000000{n}" for n in (9, 3, 8))
ROW = (
    "insert into linkedin_carousels (admin_user_id, topic, target_audience, slides, caption{columns})"
    f" values ('{SOMEBODY}', 'T', 'A', '[]', 'C'{{values}})"
)


@pytest.fixture
def former_database(former_url: str) -> Iterator[Connection[Any]]:
    """Superuser in the database that is in use, before the migrations."""
    with psycopg.connect(former_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def upgraded(upgraded_url: str) -> Iterator[Connection[Any]]:
    """Superuser in that database after the migrations."""
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        yield connection


def counted_by(connection: Connection[Any], user_id: str) -> int:
    """How many carousels a signed-in person sees."""
    with connection.transaction():
        connection.execute("set local role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', jsonb_build_object('sub', %s::text)::text, true)", (user_id,)
        )
        row = connection.execute(COUNT).fetchone()
    assert row is not None
    return row[0]


def test_the_public_no_longer_reads_carousels_and_people_see_their_own(upgraded):
    total = upgraded.execute(COUNT).fetchone()[0]
    assert counted_by(upgraded, ADMINISTRATOR) == total > 30
    assert counted_by(upgraded, SOMEBODY) == 20
    assert counted_by(upgraded, STRANGER) == 0
    for role in ("set role anon", "set role service_role"):
        upgraded.execute(role)
        if "anon" in role:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                upgraded.execute(COUNT)
        else:
            assert upgraded.execute(COUNT).fetchone() == (total,)


def test_old_carousels_are_nobodys_drafts_and_stay_free(upgraded):
    assert upgraded.execute(f"{COUNT} where ai_generated or job_id is not null").fetchone() == (0,)
    upgraded.execute("update linkedin_carousels set status = 'published', caption = 'x', rejection_reason = null")
    upgraded.execute("update linkedin_carousels set status = 'rejected'")


def test_a_job_writes_a_draft_beside_them(upgraded):
    upgraded.execute("set role service_role")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="starts as a draft"):
        upgraded.execute(ROW.format(columns=", status", values=", 'published'"))
    insert = ROW.format(columns=", profile_type, persona", values=", 'salesperson', 'salesperson'")
    row = upgraded.execute(f"{insert} returning status, ai_generated, regeneration_count").fetchone()
    assert row == ("draft", True, 0)


def test_columns_that_are_not_there_yet_are_added(former_database, former_url):
    former_database.execute(
        "alter table linkedin_carousels drop generation_metadata, drop quality_score, drop assets_used,"
        " drop regeneration_count, drop scheduled_for, drop rejection_reason, drop rejected_at, drop rejected_by"
    )
    migrate(former_url)
    insert = ROW.format(columns=", quality_score, assets_used", values=", 81.5, array['a']")
    row = former_database.execute(f"{insert} returning generation_metadata, regeneration_count").fetchone()
    assert row == ({}, 0)


def test_older_rules_stay_but_the_public_is_shut_out(former_database, former_url):
    former_database.execute(
        "alter table linkedin_carousels enable row level security;"
        ' create policy "Anyone can view" on linkedin_carousels for select using (true);'
        " grant select on linkedin_carousels to public; grant update on linkedin_carousels to service_role"
    )
    migrate(former_url)
    assert former_database.execute(
        "select count(*) from pg_policies where tablename = 'linkedin_carousels' and policyname = 'Anyone can view'"
    ).fetchone() == (1,)
    rights = "has_table_privilege('{}', 'linkedin_carousels', '{}')"
    found = former_database.execute(
        "select " + ", ".join(rights.format(*of) for of in (("anon", "select"), ("service_role", "update")))
    ).fetchone()
    assert found == (False, True)
