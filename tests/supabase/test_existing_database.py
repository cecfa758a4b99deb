"""The migrations on the database that is in use: every row and column of every table is compared."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from infra.local.migrate import migrate, prepare, sync_catalog
from tests.supabase import stories

Row = dict[str, Any]

KNOWN = {
    "blog_generate": "blog",
    "blog_generation": "blog",
    "blog": "blog",
    "carousel_generate": "carousel",
    "carousel_generation": "carousel",
    "generate_linkedin_carousel": "carousel",
    "repurpose_content": "carousel",
    "carousel": "carousel",
    "deep_research": "deep_research",
    "research": "deep_research",
    "lead_score": "lead_score",
    "lead_enrich": "lead_enrich",
    "instagram": "instagram",
}


@pytest.fixture
def former_database(former_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(former_url, autocommit=True) as connection:
        yield connection


def contents(connection: Connection[Any], columns: dict[str, list[str]] | None = None) -> dict[str, dict[str, Row]]:
    """{table: {primary key: {column: value as JSON}}} of schema public, of the given columns or of all."""
    tables = connection.execute(
        "select c.relname::text, (select a.attname::text from pg_index i join pg_attribute a on a.attrelid = c.oid"
        "   and a.attnum = i.indkey[0] where i.indrelid = c.oid and i.indisprimary)"
        " from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1"
    ).fetchall()
    found: dict[str, dict[str, Row]] = {}
    for table, key in tables:
        if columns is not None and table not in columns:
            continue
        query = sql.SQL("select to_jsonb(t) from public.{} t").format(sql.Identifier(table))
        wanted = None if columns is None else columns[table]
        found[table] = {
            str(row[key]): row if wanted is None else {name: row[name] for name in wanted}
            for (row,) in connection.execute(query)
        }
    return found


def columns_of(connection: Connection[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "select table_name::text, column_name::text from information_schema.columns"
        " where table_schema = 'public' order by ordinal_position"
    ):
        found.setdefault(table, []).append(column)
    return found


def documented(job: Row) -> tuple[str, str | None]:
    """Status of an old job after the migration, and a part of its error when it fails by it."""
    status, kind = job["status"], KNOWN.get((job["job_type"] or "").strip().lower())
    if status in {"completed", "failed", "cancelled"}:
        return status, None
    if status not in {"queued", "pending"}:
        return "failed", "interrupted in an earlier version"
    if job["user_id"] is None:
        return "failed", "belongs to no user"
    if job["payload"] is not None and not isinstance(job["payload"], dict):
        return "failed", "not a JSON object"
    return ("queued", None) if kind else ("failed", "Unknown job type")


def test_every_row_and_column_of_every_table_is_kept(former_database, former_url):
    columns = columns_of(former_database)
    before = contents(former_database)
    assert len(before) == 19
    assert sum(len(table) for table in before.values()) > 400

    prepare(former_url)

    after = contents(former_database, columns)
    jobs_before, jobs_after = before.pop("jobs"), after.pop("jobs")
    assert after == before
    assert jobs_after.keys() == jobs_before.keys()
    for job_id, old in jobs_before.items():
        new, (status, reason) = jobs_after[job_id], documented(old)
        changed = {name for name in old if new[name] != old[name]}
        assert new["status"] == status, old
        if status == "queued":
            assert changed <= {"status", "completed_at"}, old
            assert new["completed_at"] is None, "what waits is not finished"
        elif reason is None:
            assert changed == set(), old
        else:
            assert changed <= {"status", "error", "completed_at"}, old
            assert new["completed_at"] is not None
            assert new["error"] == old["error"] if old["error"] else reason in new["error"], new["error"]


def test_old_jobs_get_the_kind_that_their_name_means(upgraded_url):
    with psycopg.connect(upgraded_url) as connection:
        kinds = connection.execute("select distinct lower(trim(job_type)), kind from jobs").fetchall()
    assert dict(kinds) == KNOWN | {"video_generate": None, "": None}


def test_a_failed_old_job_says_where_it_stopped_and_whether_a_retry_can_help(upgraded_url):
    with psycopg.connect(upgraded_url) as connection:
        query = "select right(id::text, 2)::int, error_detail from jobs where id::text like '10000000%'"
        found: dict[int, Any] = dict(connection.execute(query).fetchall())
    assert (found[1]["stage"], found[1]["retryable"]) == ("research", True)
    assert (found[2]["stage"], found[2]["retryable"]) == (None, True)
    assert found[6]["code"] == "no_user"
    assert not found[6]["retryable"]
    assert all(
        set(detail) == {"code", "stage", "slide_index", "message", "retryable"} for detail in found.values() if detail
    )


def test_the_log_of_every_old_job_tells_how_it_stands(upgraded_url):
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        assert stories.problems_now(connection) == {}


def test_an_old_waiting_job_runs(upgraded_url):
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        waiting = connection.execute("select id from jobs where status = 'queued' and kind = 'blog' limit 5").fetchall()
        odd = [("10000000-0000-4000-8000-0000000000" + n,) for n in ("12", "13", "22", "23")]
        swept = connection.execute("select id::text from sweep_jobs(1000)").fetchall()
        assert set(odd) <= set(swept)
        for (job_id,) in [*waiting, *odd]:
            claim = "select lease_token, payload, checkpoint_data from claim_job(%s, 'w')"
            job = connection.execute(claim, (job_id,)).fetchone()
            assert job is not None
            token, payload, checkpoint = job
            assert isinstance(payload, dict)
            assert isinstance(checkpoint, dict)
            connection.execute("select checkpoint_job(%s, %s, '{\"a\": 1}')", (job_id, token))
            connection.execute("select complete_job(%s, %s, '{}')", (job_id, token))
        assert stories.problems_now(connection) == {}


def test_an_interrupted_old_job_is_retried_by_its_owner(upgraded_url):
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        connection.execute("set role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', '{\"sub\": \"00000000-0000-4000-8000-000000000001\"}', false)"
        )
        row = connection.execute(
            "select status, error from retry_job('10000000-0000-4000-8000-000000000001')"
        ).fetchone()
    assert row == ("queued", None)


def test_only_jobs_lose_their_own_policies(former_database, former_url):
    query = (
        "select tablename, policyname, cmd, roles::text, qual, with_check from pg_policies where schemaname = 'public'"
    )
    before = set(former_database.execute(query).fetchall())
    migrate(former_url)
    after = set(former_database.execute(query).fetchall())
    lost = {(table, name) for table, name, *_ in before - after}
    assert lost == {
        ("jobs", name) for name in ("Users can view own jobs", "Users can insert own jobs", "Workers update anything")
    }
    closed = {row[0] for row in before}
    gained = {row[0] for row in after - before}
    assert gained - closed >= {"products", "company_assets", "admin_users", "admin_permissions", "job_events"}
    assert "app_config" not in gained, "it was closed to everyone on purpose"


def test_the_front_end_goes_on_reading_and_inserting(upgraded_url):
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        connection.execute("set role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', '{\"sub\": \"00000000-0000-4000-8000-000000000005\"}', false)"
        )
        page = connection.execute(
            "select id, job_type, status, payload, result, error, checkpoint_data, created_at, started_at,"
            " completed_at, user_id, count(*) over () from jobs where status = 'completed' and job_type ilike '%blog%'"
            " order by created_at desc limit 20 offset 0"
        ).fetchall()
        assert page
        assert {str(row[10]) for row in page} == {"00000000-0000-4000-8000-000000000005"}
        connection.execute(
            "insert into jobs (user_id, job_type, payload, status)"
            " values ('00000000-0000-4000-8000-000000000005', 'blog_generate', '{\"topic\": \"ISO\"}', 'queued')"
        )


VARIANTS = {
    "jobs are published already": "alter publication supabase_realtime add table public.jobs",
    "everything is published": """
        drop publication supabase_realtime; create publication supabase_realtime for all tables""",
    "there is no publication": "drop publication supabase_realtime",
    "the old rule does not know queued": """
        update jobs set status = 'pending' where status = 'queued';
        alter table jobs drop constraint jobs_status_check, alter column status set default 'pending',
          add check (status in ('pending', 'completed', 'failed') or status like 'processing%')""",
    "jobs are open to everyone": """
        alter table jobs disable row level security;
        grant all on jobs to public; grant update (status) on jobs to anon""",
    "jobs have rows of deleted people": "alter table jobs drop constraint jobs_user_id_fkey; delete from auth.users",
    "there are no jobs": "truncate jobs",
    "some columns are there already and an older trigger touches jobs": """
        alter table jobs add updated_at timestamptz, add scheduled_for timestamptz, add attempts int;
        create trigger touch before update on jobs for each row execute function touch_updated_at()""",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_the_existing_database_are_brought_to_the_same_state(former_database, former_url, variant):
    if variant == "jobs have rows of deleted people":
        former_database.execute("set session_replication_role = replica")  # other tables point at people, too
    former_database.execute(VARIANTS[variant])
    former_database.execute("reset session_replication_role")

    migrate(former_url)
    sync_catalog(former_url)

    published = former_database.execute(
        "select count(*) from pg_publication_tables"
        " where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'jobs'"
    ).fetchone()
    assert published == (1,)
    assert former_database.execute(
        "select column_default from information_schema.columns where table_name = 'jobs' and column_name = 'status'"
    ).fetchone() == ("'queued'::text",)
    assert former_database.execute(
        "select privilege_type, grantee from information_schema.role_table_grants"
        " where table_name = 'jobs' and grantee in ('anon', 'PUBLIC', 'authenticated') order by 1, 2"
    ).fetchall() == [("SELECT", "authenticated")]
    odd = former_database.execute(
        "select count(*) from jobs where status not in ('queued', 'completed', 'failed', 'cancelled')"
    ).fetchone()
    assert odd == (0,)
    loose = former_database.execute(
        "select column_name from information_schema.columns where table_schema = 'public' and table_name = 'jobs'"
        " and column_name in ('updated_at', 'scheduled_for', 'attempts', 'max_attempts', 'cost_usd')"
        " and (is_nullable = 'YES' or column_default is null)"
    ).fetchall()
    assert loose == []
    assert stories.problems_now(former_database) == {}
    assert former_database.execute(
        "select relrowsecurity from pg_class where oid = 'public.jobs'::regclass"
    ).fetchone() == (True,)
