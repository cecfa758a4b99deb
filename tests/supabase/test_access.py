"""Who may do what with which table and which function: one table of both, in which a new one must be (access.py)."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from tests.conftest import TestDatabases
from tests.supabase.access import ACTORS, FUNCTIONS, INSERTS, TABLES, fill, table_of


@pytest.fixture(scope="module")
def filled(databases: TestDatabases) -> Iterator[tuple[Connection[Any], dict[str, Any]]]:
    with databases.copy_of("migrated") as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection, fill(connection)


def act_as(connection: Connection[Any], actor: str, people: dict[str, Any]) -> None:
    """Takes the actor's rights until the end of the transaction."""
    claims: dict[str, Any] = {}
    role = actor
    if actor not in {"anon", "service_role"}:
        role = "authenticated"
        claims = {"sub": str(people[actor]), "role": role}
        if actor in {"marketing", "sales", "admin"}:
            claims["app_metadata"] = {"role": actor}
        else:
            claims["user_metadata"] = {"role": "admin"}  # which anybody can write, so nobody may believe
    connection.execute(
        "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)", (role, json.dumps(claims))
    )


def attempt(connection: Connection[Any], table: str, verb: str, actor: str, people: dict[str, Any]) -> str:
    """What comes of it when the actor tries; everything is rolled back."""
    name = sql.Identifier(*table.split("."))
    total = connection.execute(sql.SQL("select count(*) from {}").format(name)).fetchone()
    last_column = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum desc limit 1",
        (table,),
    ).fetchone()
    assert total is not None
    assert last_column is not None
    column = sql.Identifier(last_column[0])
    statement: sql.Composable = {
        "select": sql.SQL("select from {}").format(name),
        "insert": sql.SQL("insert into {} ").format(name) + sql.SQL(INSERTS[table]),  # pyright: ignore[reportArgumentType]
        "update": sql.SQL("update {} set {} = {}").format(name, column, column),
        "delete": sql.SQL("delete from {}").format(name),
    }[verb]
    with connection.transaction(force_rollback=True):
        act_as(connection, actor, people)
        try:
            count = connection.execute(statement, {"me": people[actor], "job": people["job"]}).rowcount
        except psycopg.errors.InsufficientPrivilege as error:
            return "rls" if "row-level security" in str(error) else "-"
    if verb == "insert":
        return "ok"
    return {0: "0", total[0]: "all"}.get(count, "own")


def test_every_table_is_in_the_table(filled):
    connection, _ = filled
    existing = connection.execute(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'engine')"
    ).fetchall()
    assert {row[0] for row in existing} == {row[0] for row in table_of(TABLES)}
    assert len(table_of(TABLES)) == 4 * len(existing)


@pytest.mark.parametrize(("table", "verb", "outcomes"), [(row[0], row[1], row[2:]) for row in table_of(TABLES)])
def test_each_actor_may_do_with_each_table_what_the_table_says(filled, table, verb, outcomes):
    connection, people = filled
    assert {actor: attempt(connection, table, verb, actor, people) for actor in ACTORS} == dict(
        zip(ACTORS, outcomes, strict=True)
    )


def test_no_role_of_the_api_may_empty_or_bind_a_table_or_touch_a_sequence(filled):
    connection, _ = filled
    assert not connection.execute(
        "select c.oid::regclass::text, r.rolname from pg_class c, pg_roles r"
        " where c.relnamespace in ('public'::regnamespace, 'engine'::regnamespace) and c.relkind = 'r'"
        " and r.rolname in ('anon', 'authenticated', 'service_role')"
        " and has_table_privilege(r.oid, c.oid, 'truncate, references, trigger')"
    ).fetchall()
    assert not connection.execute(
        "select c.oid::regclass::text, r.rolname from pg_class c, pg_roles r"
        " where c.relnamespace in ('public'::regnamespace, 'engine'::regnamespace) and c.relkind = 'S'"
        " and r.rolname in ('anon', 'authenticated', 'service_role')"
        " and has_sequence_privilege(r.oid, c.oid, 'usage, select, update')"
    ).fetchall()


def test_each_role_may_execute_what_the_table_says_and_nothing_else(filled):
    connection, _ = filled
    executable = connection.execute(
        "select format('%I.%I', n.nspname, p.proname), array(select r.rolname::text"
        "   from unnest(array['anon', 'authenticated', 'service_role']) with ordinality as r (rolname, place)"
        "   where has_function_privilege(r.rolname, p.oid, 'execute') order by r.place)"
        " from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'engine')"
    ).fetchall()
    roles = ("anon", "authenticated", "service_role")
    allowed = {
        row[0]: [role for role, said in zip(roles, row[1:], strict=True) if said == "yes"]
        for row in table_of(FUNCTIONS)
    }
    assert {name: who for name, who in executable if who} == {name: who for name, who in allowed.items() if who}
    assert allowed.keys() <= {name for name, _ in executable}
    assert {name for name, _ in executable if name.startswith("public.")} == {
        name for name in allowed if name.startswith("public.")
    }, "a new function needs a line"


def test_an_admin_is_told_by_app_metadata_or_by_the_table_of_admins(filled):
    connection, people = filled
    count = "select (select count(*) from jobs) = 2"
    with connection.transaction(force_rollback=True):
        act_as(connection, "chief", people)
        assert connection.execute(count).fetchone() == (True,)
        assert connection.execute("select count(*) from admin_users").fetchone() == (1,)
    with connection.transaction(force_rollback=True):
        act_as(connection, "owner", people)
        assert connection.execute(count).fetchone() == (False,)


def test_claims_without_the_role_authenticated_make_nobody_an_admin(filled):
    connection, people = filled
    claims = json.dumps({"sub": str(people["admin"]), "app_metadata": {"role": "admin"}})
    for role in ("anon", "service_role", "none"):
        with connection.transaction(force_rollback=True):
            connection.execute("select set_config('role', %s, true)", (role,))
            connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
            found = connection.execute("select engine.is_admin(), engine.is_marketing(), engine.is_staff()").fetchone()
            assert found == (False, False, False)


def test_the_engines_tables_are_as_closed_on_the_upgraded_database(upgraded_url):
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        connection.execute("delete from blog_posts; delete from jobs")
        people = fill_jobs(connection)
        for row in table_of(TABLES):
            if row[0] in {
                "public.jobs",
                "public.job_events",
                "public.job_kinds",
                "public.job_batches",
                "public.model_calls",
                "public.spend_limits",
            }:
                for actor, expected in zip(ACTORS, row[2:], strict=True):
                    assert attempt(connection, row[0], row[1], actor, people) == expected, (row[:2], actor)


def fill_jobs(connection: Connection[Any]) -> dict[str, Any]:
    """The part of `fill` that fits the upgraded database, whose other tables are its own."""
    one: Any = connection.execute
    people = {
        a: one("insert into auth.users (id) values (gen_random_uuid()) returning id").fetchone()[0] for a in ACTORS
    }
    for owner in ("owner", "other"):
        job = one("insert into jobs (user_id, job_type) values (%s, 'echo') returning id", (people[owner],)).fetchone()[
            0
        ]
        one("insert into job_batches (user_id, title) values (%s, 'Three posts')", (people[owner],))
        token = one("select lease_token from claim_job(%s, 'w')", (job,)).fetchone()[0]
        one("select reserve_call(%s, %s, 'k', 's', 'text', 'm', 'p@1', 0.1)", (job, token))
        people["job"] = job
    return people


def test_people_may_give_a_new_job_these_columns_and_no_others(filled):
    connection, _ = filled
    columns = connection.execute(
        "select column_name::text from information_schema.column_privileges"
        " where table_schema = 'public' and table_name = 'jobs' and grantee = 'authenticated'"
        " and privilege_type = 'INSERT' order by 1"
    ).fetchall()
    assert [row[0] for row in columns] == [
        *("batch_id", "batch_order", "depends_on", "id", "job_type", "payload", "scheduled_for", "status", "user_id")
    ]
