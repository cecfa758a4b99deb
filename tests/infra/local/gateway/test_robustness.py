"""Nothing that a client sends is answered with a server error, and a restart loses nothing."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.gateway.auth.attempts import FailedAttempts
from infra.local.gateway.auth.passwords import hash_password, verify_password
from infra.local.gateway.errors import RestError
from infra.local.gateway.keys import load_or_create
from infra.local.gateway.rest.query import parse_query, split, unquote
from tests.conftest import TestDatabases
from tests.infra.local.gateway.process import RunningGateway, running_gateway

_few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_keys = st.sampled_from(
    ["select", "order", "limit", "offset", "columns", "on_conflict", "id", "status", "payload", "or"]
)
_marks = st.sampled_from(
    ["eq", "in", "is", "not", "ilike", ".", ",", "(", ")", '"', "\\", "*", "id", "status", ":", "->", "null", "%", "1"]
)
_pieces = st.lists(_marks | st.text(max_size=5), max_size=8).map("".join)
_anything = st.text(max_size=12) | _pieces


@_few
@given(st.lists(st.tuples(_keys | _anything, _anything), max_size=4))
def test_any_query_string_is_read_or_refused(parameters: list[tuple[str, str]]) -> None:
    with suppress(RestError):
        parse_query(parameters)


@_few
@given(st.lists(st.tuples(_keys, _pieces), max_size=3))
def test_any_query_is_answered_without_a_server_error(
    gateway: RunningGateway, parameters: list[tuple[str, str]]
) -> None:
    query = "&".join(f"{quote(key)}={quote(value)}" for key, value in parameters)
    answer = gateway.http.get(f"{gateway.url}/rest/v1/jobs?{query}", headers=gateway.headers(gateway.keys.service_key))
    assert answer.status_code < 500, answer.text


@_few
@given(st.text(min_size=1, max_size=30))
def test_any_object_name_is_answered_without_a_server_error(gateway: RunningGateway, name: str) -> None:
    url = f"{gateway.url}/storage/v1/object/assets/{quote(name, safe='', errors='replace')}"
    headers = gateway.headers(gateway.keys.service_key) | {"content-type": "image/png", "x-upsert": "true"}
    for answer in (
        gateway.http.post(url, headers=headers, content=b"x"),
        gateway.http.get(url, headers=headers),
        gateway.http.request("DELETE", url, headers=headers),
    ):
        assert answer.status_code < 500, answer.text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=5))
def test_quoted_values_survive_the_client_and_back(values: list[str]) -> None:
    """As the client writes a list for `in`: everything in quotes, quotes and backslashes escaped."""
    escaped = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
    assert [unquote(part) for part in split(",".join(escaped))] == values


def test_a_restart_keeps_sessions_files_and_keys(databases: TestDatabases) -> None:
    with databases.copy_of("migrated") as database_url, tempfile.TemporaryDirectory() as directory:
        with running_gateway(database_url, Path(directory)) as first:
            first.service().storage.from_("assets").upload("kept.png", b"x", {"content-type": "image/png"})
            service_key = first.keys.service_key
        with running_gateway(database_url, Path(directory)) as second:
            assert second.keys.service_key == service_key
            assert second.http.get(f"{second.url}/storage/v1/object/public/assets/kept.png").content == b"x"


def test_readiness_follows_the_database(databases: TestDatabases, tmp_path: Path) -> None:
    with databases.copy_of("migrated") as database_url, running_gateway(database_url, tmp_path) as gateway:
        gateway.execute("alter table auth.users rename to users_away")
        assert gateway.http.get(f"{gateway.url}/readyz").status_code == 503
        assert gateway.http.get(f"{gateway.url}/healthz").status_code == 200
        gateway.execute("alter table auth.users_away rename to users")
        # Every connection is cut, as by a restart of Postgres.
        gateway.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        assert gateway.http.get(f"{gateway.url}/readyz").status_code == 200
        assert gateway.anonymous().table("products").select("id").execute().data == []


def test_two_processes_that_start_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: load_or_create(tmp_path / "state").service_key, range(8)))
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    "stored", [None, "", "plain", "$2a$10$abcdefghijklmnopqrstuv", "$scrypt$x$y$z", "$scrypt$ln=99$a$b"]
)
def test_a_broken_or_foreign_hash_never_matches(stored: str | None) -> None:
    assert not verify_password("password", stored)


def test_each_hash_is_salted() -> None:
    first, second = hash_password("same"), hash_password("same")
    assert first != second
    assert verify_password("same", first)
    assert not verify_password("Same", first)


def test_the_brake_on_guessing_lets_go_after_its_window() -> None:
    now = [0.0]
    attempts = FailedAttempts(allowed=2, window_s=60, clock=lambda: now[0])
    attempts.record("a")
    assert attempts.retry_after_s("a") == 0
    now[0] = 20
    attempts.record("a")
    assert attempts.retry_after_s("a") == 40
    assert attempts.retry_after_s("b") == 0
    now[0] = 61
    assert attempts.retry_after_s("a") == 0
    attempts.record("a")
    assert attempts.retry_after_s("a") == 0
    attempts.forget("a")
