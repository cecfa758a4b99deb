"""The embedded Postgres: made once, guarded by a password, and never left in pieces."""

import dataclasses
import os
import socket
from pathlib import Path

import psycopg
import pytest

from infra.local.errors import PostgresError
from infra.local.ports import free_port
from infra.local.postgres import DURABLE, Cluster, system_user
from infra.local.throwaway import THROWAWAY, running


@pytest.fixture(scope="module")
def cluster(short_directory: Path) -> Cluster:
    directory = short_directory / "postgres"
    directory.mkdir()
    return Cluster(directory / "data", free_port(), "a pass/word", THROWAWAY)


@pytest.fixture
def log(cluster: Cluster) -> Path:
    return cluster.data_dir.with_name("log")


def test_data_survives_stop_and_start_on_another_port(cluster, log):
    with running(cluster, log), psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("create table kept (x int)")
        assert not cluster.data_dir.with_name("data.new").exists()
        assert not cluster.data_dir.with_name("data.pw").exists()
    moved = dataclasses.replace(cluster, port=free_port())
    with running(moved, log), psycopg.connect(moved.url()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_nobody_gets_in_without_the_password(cluster, log):
    wrong = dataclasses.replace(cluster, password="wrong")
    with running(cluster, log):
        for url in (wrong.url(), f"postgresql://postgres@127.0.0.1:{cluster.port}/postgres"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(url)
    assert "a pass/word" not in repr(cluster)


def test_a_half_made_cluster_is_made_anew(short_directory):
    directory = short_directory / "half"
    (directory / "data.new").mkdir(parents=True)
    (directory / "data.new" / "PG_VERSION").write_text("18")
    cluster = Cluster(directory / "data", free_port(), "secret", THROWAWAY)
    assert not cluster.initialised
    with running(cluster, directory / "log"), psycopg.connect(cluster.url()) as connection:
        assert connection.execute("select lower('ÉÇÃ')").fetchone() == ("éçã",)


def test_the_process_id_file_of_a_crash_does_not_stop_the_next_start(cluster, log):
    cluster.initialise()
    # After a restart of the machine the id in the file may be that of anything; here it is this test's.
    (cluster.data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data_dir}\n0\n{cluster.port}\n")
    assert cluster.server_pid() is None
    with running(cluster, log), psycopg.connect(cluster.url()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert cluster.server_pid() is not None


def test_a_start_that_fails_says_what_postgres_said(cluster, log):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        blocked = dataclasses.replace(cluster, port=taken.getsockname()[1])
        with pytest.raises(PostgresError, match="Address already in use"), running(blocked, log):
            pytest.fail("it should not have started")


def test_the_stacks_own_cluster_loses_nothing_when_the_power_fails():
    assert not {"fsync", "synchronous_commit", "full_page_writes"} & set(DURABLE)


def test_the_server_runs_as_us_or_when_we_are_root_as_a_user_of_its_own(cluster, log):
    user = system_user()
    assert (user is None) == (os.geteuid() != 0)
    with running(cluster, log):
        owner = Path(f"/proc/{cluster.server_pid()}").stat().st_uid
        assert owner == (os.geteuid() if user is None else user.pw_uid)
        assert owner != 0


def test_nothing_of_our_environment_is_handed_to_the_server(cluster, log, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "a key")
    with running(cluster, log):
        assert b"GEMINI_API_KEY" not in Path(f"/proc/{cluster.server_pid()}/environ").read_bytes()
