"""The migrations on an empty database, on each Postgres that is at hand, and among parts that may be missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from infra.local.migrate import MIGRATIONS, apply_baseline, migrate, prepare, sync_catalog
from infra.local.throwaway import throwaway
from tests.supabase import stories
from tests.supabase.former import fill_former

USER = "7b0c6f6e-5c5b-4c0e-9d9c-0f6a3ad0c0de"


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Connection[Any]]:
    """Superuser in a database without migrations, with the user USER."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("insert into auth.users (id) values (%s)", (USER,))
        yield connection


def insert_job(connection: Connection[Any]) -> Any:
    row = connection.execute(
        "insert into jobs (user_id, job_type) values (%s, 'echo') returning id", (USER,)
    ).fetchone()
    assert row is not None
    return row[0]


def run_one_job(connection: Connection[Any]) -> None:
    """Every function once, as far as one job allows."""
    one = connection.execute
    job_id = insert_job(connection)
    one("set role service_role")
    for step in ("release_job(%s, %s)", "continue_job(%s, %s, 0)", """fail_job(%s, %s, '{"message": "no"}', true)"""):
        claim = one("select lease_token from claim_job(%s, 'w')", (job_id,)).fetchone()
        assert claim is not None
        one(f"select {step}".encode(), (job_id, claim[0]))
    one("reset role")
    one("update jobs set scheduled_for = now() where id = %s", (job_id,))
    one("set role service_role")
    claim = one("select lease_token from claim_job(%s, 'w')", (job_id,)).fetchone()
    assert claim is not None
    token = claim[0]
    assert one("select held, cancelled from heartbeat_job(%s, %s)", (job_id, token)).fetchone() == (True, False)
    one("""select checkpoint_job(%s, %s, '{"a": 1}', '{"stage": "write"}')""", (job_id, token))
    call = one("select * from reserve_call(%s, %s, 'k', 'write', 'text', 'm', 'p@1', 0.5)", (job_id, token)).fetchone()
    assert call is not None
    assert one("select settle_call(%s, %s, 0.1, '{}', '{}')", (call[0], token)).fetchone() == (True,)
    one("reset role")
    one("update jobs set lease_expires_at = now() where id = %s", (job_id,))
    one("set role service_role")
    assert one("select id from sweep_jobs(10)").fetchall() == [(job_id,)]
    assert one("select id from due_jobs(%s)", ([job_id],)).fetchall() == [(job_id,)]
    claim = one("select lease_token from claim_job(%s, 'w')", (job_id,)).fetchone()
    assert claim is not None
    one("""select complete_job(%s, %s, '{"ok": true}')""", (job_id, claim[0]))
    one("reset role")
    assert one("select status, result, cost_usd::text from jobs").fetchone() == ("completed", {"ok": True}, "0.1")
    assert stories.problems_now(connection) == {}


def test_a_job_runs_on_a_database_that_was_empty(empty, empty_database_url):
    prepare(empty_database_url)
    run_one_job(empty)


@pytest.mark.parametrize("version", [16, 18])
def test_empty_and_existing_databases_migrate_on_each_postgres(short_directory: Path, version: int):
    directory = short_directory / f"migrations-{version}"
    directory.mkdir()
    with throwaway(directory, "secret", version) as cluster:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute("create database fresh")
            connection.execute("create database former")
        for name in ("fresh", "former"):
            url = cluster.url(name)
            apply_baseline(url)
            if name == "former":
                fill_former(url)
            assert migrate(url) == [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
            sync_catalog(url)
            with psycopg.connect(url, autocommit=True) as connection:
                assert connection.info.server_version // 10000 == version
                assert stories.problems_now(connection) == {}
                connection.execute("delete from jobs")
                connection.execute("insert into auth.users (id) values (%s)", (USER,))
                run_one_job(connection)


# As Supabase's `postgres` is: it owns the database and what the migrations make, but is no superuser. (That it may make
# policies on storage.objects, which it does not own there either, comes from an extension of Supabase's.)
OWNER = """
    create role owner login password 'secret' createrole bypassrls;
    alter role owner set search_path = "$user", public, extensions;
    grant anon, authenticated, service_role to owner;
    alter database {database} owner to owner;
    grant all on schema public, auth, storage, extensions, net to owner;
    grant all on all tables in schema auth to owner;
    alter table storage.objects owner to owner;
    alter table storage.buckets owner to owner;
    alter publication supabase_realtime owner to owner;
    alter default privileges for role owner in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges for role owner in schema public grant all on routines to anon, authenticated, service_role;
    alter default privileges for role owner in schema public
      grant all on sequences to anon, authenticated, service_role;
"""


@pytest.mark.parametrize("database", ["empty", "existing"])
def test_the_migrations_need_no_superuser(empty_database_url, databases, database):
    name = empty_database_url.rpartition("/")[2]
    with psycopg.connect(empty_database_url, autocommit=True) as root:
        root.execute(OWNER.format(database=name).encode())
    url = f"postgresql://owner:secret@127.0.0.1:{databases.cluster.port}/{name}"
    try:
        if database == "existing":
            fill_former(url)
        migrate(url)
        sync_catalog(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("delete from jobs")
            connection.execute("insert into auth.users (id) values (%s)", (USER,))
            run_one_job(connection)
    finally:
        with psycopg.connect(empty_database_url, autocommit=True) as root:
            root.execute("reassign owned by owner to postgres; drop owned by owner; drop role owner")


def test_migrating_twice_changes_nothing(empty, empty_database_url):
    prepare(empty_database_url)
    before = ours(empty)
    assert migrate(empty_database_url) == []
    prepare(empty_database_url)
    assert ours(empty) == before
    books = empty.execute("select version, name from supabase_migrations.schema_migrations order by 1").fetchall()
    assert [f"{version}_{name}.sql" for version, name in books] == [
        path.name for path in sorted(MIGRATIONS.glob("*.sql"))
    ]


def ours(connection: Connection[Any]) -> list[Any]:
    """What the migrations made, with the transaction that made it."""
    return connection.execute(
        "select p.oid, p.xmin::text, proname::text from pg_proc p"
        " where pronamespace in ('engine'::regnamespace, 'public'::regnamespace)"
        " union all select c.oid, c.xmin::text, relname::text from pg_class c"
        " where relnamespace in ('engine'::regnamespace, 'public'::regnamespace) and relkind = 'r' order by 1"
    ).fetchall()


def test_every_migration_is_under_300_lines():
    assert all(len(path.read_text().splitlines()) < 300 for path in MIGRATIONS.glob("*.sql"))


def test_a_secret_is_in_no_migration():
    for path in MIGRATIONS.glob("*.sql"):
        text = path.read_text()
        assert "http://" not in text
        assert "https://" not in text


def test_without_pg_net_jobs_are_taken_and_no_hint_is_sent(empty, empty_database_url):
    empty.execute("drop schema net cascade")
    migrate(empty_database_url)
    sync_catalog(empty_database_url)
    empty.execute("select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs')")
    run_one_job(empty)


def test_pg_net_that_comes_later_is_used_at_once(empty, empty_database_url):
    empty.execute("drop schema net cascade")
    migrate(empty_database_url)
    sync_catalog(empty_database_url)
    empty.execute("select engine.set_setting('dispatcher_url', 'http://dispatcher.test/webhooks/jobs')")
    apply_baseline(empty_database_url)
    insert_job(empty)
    assert empty.execute("select count(*) from net.http_request_queue").fetchone() == (1,)


def test_the_vault_is_asked_before_the_settings(empty, empty_database_url):
    prepare(empty_database_url)
    empty.execute("select engine.set_setting('dispatcher_url', 'http://settings.test')")
    empty.execute("select engine.set_setting('webhook_secret', 'from settings')")
    empty.execute("create schema vault; create table vault.decrypted_secrets (name text, decrypted_secret text)")
    empty.execute("insert into vault.decrypted_secrets values ('webhook_secret', 'from the vault'), ('other', 'x')")
    insert_job(empty)
    sent = empty.execute("select url, headers ->> 'x-webhook-secret' from net.http_request_queue").fetchone()
    assert sent == ("http://settings.test", "from the vault")


def test_a_vault_that_cannot_be_read_does_not_lose_the_job(empty, empty_database_url):
    prepare(empty_database_url)
    empty.execute(
        "create schema vault; create view vault.decrypted_secrets as select 1 / 0 as name, 'x' as decrypted_secret"
    )
    assert insert_job(empty) is not None
    assert empty.execute("select count(*) from net.http_request_queue").fetchone() == (0,)
