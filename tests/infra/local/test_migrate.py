"""The migration step applies each file once, in order, all of it or nothing, and keeps the books as Supabase does."""

import logging
from pathlib import Path

import psycopg
import pytest
import yaml

from infra.local.errors import MigrationError
from infra.local.migrate import CATALOG, MIGRATIONS, migrate, prepare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20260101000000_first.sql").write_text("create table a (x int);\ninsert into a values (1);\n")
    (tmp_path / "20260102000000_second_one.sql").write_text("alter table a add y int default 2;\n")
    return tmp_path


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_migrations_are_applied_in_order_and_written_into_supabases_table(empty_database_url, folder):
    assert migrate(empty_database_url, folder) == ["20260101000000_first.sql", "20260102000000_second_one.sql"]
    assert rows(empty_database_url, "select x, y from a") == [(1, 2)]
    books = (
        "select version, name, array_to_string(statements, '') from supabase_migrations.schema_migrations order by 1"
    )
    assert rows(empty_database_url, books) == [
        ("20260101000000", "first", (folder / "20260101000000_first.sql").read_text()),
        ("20260102000000", "second_one", "alter table a add y int default 2;\n"),
    ]


def test_applied_migrations_are_not_applied_again(empty_database_url, folder):
    migrate(empty_database_url, folder)
    (folder / "20260103000000_third.sql").write_text("insert into a values (3);")
    assert migrate(empty_database_url, folder) == ["20260103000000_third.sql"]
    assert migrate(empty_database_url, folder) == []
    assert rows(empty_database_url, "select x from a order by x") == [(1,), (3,)]


def test_a_failing_migration_changes_nothing_and_is_named(empty_database_url, folder):
    (folder / "20260103000000_broken.sql").write_text("create table b (x int); insert into b values ('no number');")
    with pytest.raises(MigrationError, match=r"20260103000000_broken\.sql: invalid input syntax for type integer"):
        migrate(empty_database_url, folder)
    assert rows(empty_database_url, "select to_regclass('b')::text") == [(None,)]
    assert rows(empty_database_url, "select count(*) from supabase_migrations.schema_migrations") == [(2,)]
    (folder / "20260103000000_broken.sql").write_text("create table b (x int);")
    assert migrate(empty_database_url, folder) == ["20260103000000_broken.sql"]


def test_a_migration_that_was_edited_later_is_pointed_out(empty_database_url, folder, caplog):
    migrate(empty_database_url, folder)
    (folder / "20260102000000_second_one.sql").write_text("alter table a add z int;\n")
    with caplog.at_level(logging.WARNING):
        assert migrate(empty_database_url, folder) == []
    assert "20260102000000_second_one.sql was edited" in caplog.text


def test_the_repositorys_migrations_and_catalogue_are_in_the_prepared_database(database_url):
    versions = [path.name.partition("_")[0] for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert rows(database_url, "select version from supabase_migrations.schema_migrations order by 1") == [
        (version,) for version in versions
    ]
    kinds = yaml.safe_load(CATALOG.read_text())["kinds"]
    assert {name for (name,) in rows(database_url, "select name from job_kinds")} == set(kinds)


def test_preparing_twice_changes_nothing(database_url):
    before = rows(database_url, "select to_jsonb(k) from job_kinds k order by name")
    prepare(database_url)
    assert rows(database_url, "select to_jsonb(k) from job_kinds k order by name") == before
