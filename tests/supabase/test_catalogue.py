"""Nothing that the API can reach is without a line that says for whom it is: tables, functions, views, buckets."""

from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection

from tests.supabase.access import ACTORS, FUNCTIONS, TABLES, table_of
from tests.supabase.test_access import act_as, filled

__all__ = ["filled"]

# Who may select from which view; what they see of it are the rows of the tables behind it. Nobody writes through one.
#                         anon authenticated service_role
VIEWS = """
public.job_batch_progress -    yes           yes
public.spend_by_day       -    yes           yes
public.spend_by_user      -    yes           yes
public.spend_by_kind      -    yes           yes
public.spend_by_model     -    yes           yes
public.spend_by_stage     -    yes           yes
public.spend_by_draft     -    yes           yes
engine.stopped_kinds      -    -             -
engine.open_kinds         -    -             -
"""

# Who may list, add, replace and remove the files of which bucket.
# bucket verb   anon owner other marketing sales admin service_role
BUCKETS = """
content  select 0    0     0     all       all   all   all
content  insert rls  rls   rls   rls       rls   rls   ok
content  update 0    0     0     0         0     0     all
content  delete 0    0     0     0         0     0     all
assets   select 0    0     0     all       all   all   all
assets   insert rls  rls   rls   ok        rls   ok    ok
assets   update 0    0     0     all       0     all   all
assets   delete 0    0     0     all       0     all   all
"""

# Functions of `engine` are out of the API's reach unless a role may execute them, which a policy or a view may need.
EXISTING = """
select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'engine') and c.relkind in ('r', 'p', 'f', 'v', 'm')
union
select format('%I.%I', n.nspname, p.proname) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'public' or n.nspname = 'engine' and exists (
  select from unnest(array['anon', 'authenticated', 'service_role']) r where has_function_privilege(r, p.oid, 'execute')
)
union
select 'bucket ' || id from storage.buckets
"""
LISTED = {row[0] for table in (TABLES, FUNCTIONS, VIEWS) for row in table_of(table)} | {
    f"bucket {row[0]}" for row in table_of(BUCKETS)
}


def without_a_line(connection: Connection[Any]) -> set[str]:
    return {row[0] for row in connection.execute(EXISTING)} - LISTED


def test_everything_has_a_line(filled):
    connection, _ = filled
    assert without_a_line(connection) == set()


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("public.canary", "create table public.canary (id int)"),
        ("public.canary", "create table public.canary (id int) partition by list (id)"),
        ("engine.canary", "create table engine.canary (id int)"),
        ("public.canary", "create view public.canary as select 1 as one"),
        ("public.canary", "create materialized view public.canary as select 1 as one"),
        ("public.canary", "create function public.canary() returns int language sql as 'select 1'"),
        ("public.canary", "create procedure public.canary() language sql as 'select 1'"),
        ("engine.canary", "create function engine.canary() returns int language sql as 'select 1'"),
        ("bucket canary", "insert into storage.buckets (id, name) values ('canary', 'canary')"),
    ],
)
def test_what_is_new_and_has_no_line_is_found(filled, name: str, statement: LiteralString):
    connection, _ = filled
    with connection.transaction(force_rollback=True):
        connection.execute(statement)
        assert without_a_line(connection) == {name}


def test_each_role_may_read_the_views_that_its_lines_say_and_write_through_none(filled):
    connection, _ = filled
    rights = connection.execute(
        "select format('%I.%I', n.nspname, c.relname),"
        " array(select case when has_table_privilege(r, c.oid, 'select') then 'yes' else '-' end"
        "   from unnest(array['anon', 'authenticated', 'service_role']) with ordinality r (r, at) order by at),"
        " array(select r from unnest(array['anon', 'authenticated', 'service_role']) r"
        "   where has_table_privilege(r, c.oid, 'insert, update, delete, truncate'))"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('public', 'engine') and c.relkind in ('v', 'm')"
    ).fetchall()
    lines = {row[0]: row[1:] for row in table_of(VIEWS)}
    assert {name: readers for name, readers, _ in rights} == {name: list(lines[name]) for name, *_ in rights}
    assert {name: writers for name, _, writers in rights if writers} == {}


@pytest.mark.parametrize(("bucket", "verb", "outcomes"), [(row[0], row[1], row[2:]) for row in table_of(BUCKETS)])
def test_each_actor_may_do_with_each_bucket_what_its_line_says(filled, bucket: str, verb: str, outcomes: list[str]):
    connection, people = filled
    connection.execute(
        "insert into storage.objects (bucket_id, name) values (%s, 'there.png') on conflict do nothing", (bucket,)
    )
    found = {actor: attempt_with_file(connection, bucket, verb, actor, people) for actor in ACTORS}
    assert found == dict(zip(ACTORS, outcomes, strict=True))


def attempt_with_file(connection: Connection[Any], bucket: str, verb: str, actor: str, people: dict[str, Any]) -> str:
    """As for tables; there is one file in the bucket."""
    statements: dict[str, LiteralString] = {
        "select": "select from storage.objects where bucket_id = %s",
        "insert": "insert into storage.objects (bucket_id, name) values (%s, 'new.png')",
        "update": "update storage.objects set name = name where bucket_id = %s",
        "delete": "delete from storage.objects where bucket_id = %s",
    }
    with connection.transaction(force_rollback=True):
        act_as(connection, actor, people)
        try:
            count = connection.execute(statements[verb], (bucket,)).rowcount
        except psycopg.errors.InsufficientPrivilege as error:
            return "rls" if "row-level security" in str(error) else "-"
    if verb == "insert":
        return "ok"
    return "all" if count else "0"
