"""The baseline behaves as a new Supabase project does, as far as this product can tell."""

import json
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from infra.local.migrate import apply_baseline
from infra.local.throwaway import throwaway

USER = "7b0c6f6e-5c5b-4c0e-9d9c-0f6a3ad0c0de"


@pytest.fixture
async def empty(empty_database_url: str):
    async with await AsyncConnection.connect(empty_database_url, autocommit=True) as connection:
        yield connection


async def value(connection: AsyncConnection[Any], query: bytes, *parameters: object) -> Any:
    row = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None
    return row[0]


async def test_a_new_table_in_public_is_open_to_the_three_roles_until_a_migration_closes_it(empty):
    await empty.execute("create table public.note (id bigint generated always as identity, body text)")
    for role in ("anon", "authenticated", "service_role"):
        await empty.execute("select set_config('role', %s, false)", (role,))
        await empty.execute("insert into public.note (body) values ('x')")
        await empty.execute("reset role")
    assert await value(empty, b"select count(*) from public.note") == 3


async def test_only_service_role_passes_by_row_level_security(empty):
    await empty.execute("create table public.note (body text); alter table public.note enable row level security")
    await empty.execute("insert into public.note values ('x')")
    seen = {}
    for role in ("anon", "authenticated", "service_role"):
        await empty.execute("select set_config('role', %s, false)", (role,))
        seen[role] = await value(empty, b"select count(*) from public.note")
        await empty.execute("reset role")
    assert seen == {"anon": 0, "authenticated": 0, "service_role": 1}


async def test_authenticator_has_no_rights_of_its_own_and_may_become_the_three(empty):
    await empty.execute("create table public.note (body text)")
    await empty.execute("set session authorization authenticator")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await empty.execute("select from public.note")
    for role in ("anon", "authenticated", "service_role"):
        await empty.execute("select set_config('role', %s, false)", (role,))
        assert await value(empty, b"select current_user::text") == role


async def test_auth_functions_read_the_claims_of_the_request(empty):
    claims = {"sub": USER, "role": "authenticated", "email": "ana@example.test", "app_metadata": {"role": "sales"}}
    async with empty.transaction():
        await empty.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
        await empty.execute("set local role authenticated")
        row = await (await empty.execute("select auth.uid()::text, auth.role(), auth.email(), auth.jwt()")).fetchone()
    assert row == (USER, "authenticated", "ana@example.test", claims)


async def test_auth_functions_are_null_outside_of_a_request(empty):
    row = await (await empty.execute("select auth.uid(), auth.role(), auth.email(), auth.jwt()")).fetchone()
    assert row == (None, None, None, None)
    # A transaction that set the claims leaves an empty string behind on its connection.
    await empty.execute("select set_config('request.jwt.claims', '', false)")
    assert await value(empty, b"select auth.uid()") is None


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
async def test_people_cannot_be_read_by_any_role_of_the_api(empty, role):
    await empty.execute("select set_config('role', %s, false)", (role,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await empty.execute("select from auth.users")


async def test_stored_objects_are_hidden_until_a_policy_shows_them(empty):
    await empty.execute("insert into storage.buckets (id, name) values ('assets', 'assets')")
    await empty.execute("insert into storage.objects (bucket_id, name) values ('assets', 'a/b/c.png')")
    await empty.execute("set role authenticated")
    assert await value(empty, b"select count(*) from storage.objects") == 0
    await empty.execute("reset role")
    await empty.execute(
        "create policy p on storage.objects for select to authenticated"
        " using (bucket_id = 'assets' and (storage.foldername(name))[1] = 'a')"
    )
    await empty.execute("set role authenticated")
    query = "select path_tokens, storage.foldername(name), storage.filename(name), storage.extension(name)"
    row = await (await empty.execute(query + " from storage.objects")).fetchone()
    assert row == (["a", "b", "c.png"], ["a", "b"], "c.png", "png")


async def test_vector_resolves_without_its_schema(empty):
    await empty.execute("create table public.thing (embedding vector(3))")
    await empty.execute("insert into public.thing values ('[1,2,3]')")
    assert await value(empty, b"select embedding <-> '[1,2,5]' from public.thing") == 2
    await empty.execute("set role service_role")
    assert await value(empty, b"select embedding <-> '[1,2,5]' from public.thing") == 2


async def test_realtime_publication_takes_tables(empty):
    await empty.execute("create table public.note (id bigint primary key)")
    await empty.execute("alter publication supabase_realtime add table public.note")
    assert await value(empty, b"select tablename from pg_publication_tables where pubname = 'supabase_realtime'")


async def test_http_post_queues_a_request_with_the_defaults_of_pg_net(empty):
    number = await value(empty, b"select net.http_post('http://127.0.0.1:9/hook')")
    row = await (await empty.execute("select * from net.http_request_queue")).fetchone()
    assert row == (number, "POST", "http://127.0.0.1:9/hook", {"Content-Type": "application/json"}, b"{}", 5000)


async def test_http_post_encodes_parameters_and_adds_the_content_type(empty):
    await empty.execute(
        """select net.http_post(
          url := 'http://127.0.0.1:9/hook?a=1', body := '{"x": "é"}', params := '{"q r": "ç&d"}',
          headers := '{"x-webhook-secret": "s"}', timeout_milliseconds := 900)"""
    )
    row = await (
        await empty.execute("select url, headers, body, timeout_milliseconds from net.http_request_queue")
    ).fetchone()
    assert row == (
        "http://127.0.0.1:9/hook?a=1&q%20r=%C3%A7%26d",
        {"x-webhook-secret": "s", "Content-Type": "application/json"},
        '{"x": "é"}'.encode(),
        900,
    )


async def test_http_post_refuses_another_content_type(empty):
    with pytest.raises(psycopg.errors.RaiseException, match="Content-Type"):
        await empty.execute("""select net.http_post('http://x', headers := '{"content-type": "text/plain"}')""")


async def test_http_post_works_for_a_person_who_cannot_see_the_queue(empty):
    await empty.execute("set role authenticated")
    assert await value(empty, b"select net.http_post('http://127.0.0.1:9/')") > 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await empty.execute("select from net.http_request_queue")


async def test_the_baseline_can_be_applied_twice_and_keeps_what_is_there(empty_database_url, empty):
    await empty.execute("insert into auth.users (id, email) values (%s, 'ana@example.test')", (USER,))
    apply_baseline(empty_database_url)
    assert await value(empty, b"select email from auth.users") == "ana@example.test"


def test_the_baseline_fits_an_older_postgres(short_directory):
    directory = short_directory / "postgres-16"
    directory.mkdir()
    with throwaway(directory, "secret", version=16) as cluster:
        apply_baseline(cluster.url())
        with psycopg.connect(cluster.url()) as connection:
            row = connection.execute("select current_setting('server_version_num')::int / 10000").fetchone()
    assert row == (16,)
