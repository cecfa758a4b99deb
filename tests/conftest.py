"""Real Postgres for every test that wants one, and the whole embedded stack for those that need it."""

import json
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import structlog
from psycopg import AsyncConnection, sql

from infra.local.migrate import apply_baseline, prepare
from infra.local.postgres import Cluster
from infra.local.throwaway import throwaway
from shared.db import Pool, create_pool
from tests.identity_issuer import Issuer
from tests.running_stack import RunningStack

StartStack = Callable[..., RunningStack]
ActAs = Callable[..., AbstractAsyncContextManager[AsyncConnection[Any]]]


@dataclass
class TestDatabases:
    """Databases of one throwaway cluster: templates are made once, a test's own is a copy of one (30 ms)."""

    __test__ = False
    cluster: Cluster
    numbers: Iterator[int]

    @contextmanager
    def copy_of(self, template: str) -> Iterator[str]:
        """URL of a fresh copy, dropped afterwards together with whoever is still connected to it."""
        name = f"test_{next(self.numbers)}"
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        try:
            yield self.cluster.url(name)
        finally:
            with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Short lines to whatever stdout is now. The default draws tracebacks with all locals, which takes seconds."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        cache_logger_on_first_use=False,
    )


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """A directory outside of pytest's own: those are closed to the user that Postgres runs as when we are root."""
    directory = Path(tempfile.mkdtemp(prefix="engine-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def databases(short_directory: Path) -> Iterator[TestDatabases]:
    """One cluster without durability for each test process, with the templates `baseline` and `migrated`."""
    with throwaway(short_directory, secrets.token_hex(16)) as cluster:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute("create database baseline")
            apply_baseline(cluster.url("baseline"))
            connection.execute("create database migrated template baseline")
            prepare(cluster.url("migrated"))
        yield TestDatabases(cluster, count(1))


@pytest.fixture
def database_url(databases: TestDatabases) -> Iterator[str]:
    """Superuser's URL of a fresh database with baseline, migrations and catalogue."""
    with databases.copy_of("migrated") as url:
        yield url


@pytest.fixture
def empty_database_url(databases: TestDatabases) -> Iterator[str]:
    """Superuser's URL of a fresh database that only has what a new Supabase project has."""
    with databases.copy_of("baseline") as url:
        yield url


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """An autocommit connection of the superuser to `database_url`."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Up to 20 autocommit connections that act as `service_role`: a service's own pool."""
    async with create_pool(database_url, max_size=20) as pool:
        yield pool


@pytest.fixture
def as_user() -> ActAs:
    """`async with as_user(connection, user_id, "marketing"):` one transaction with that person's rights, as PostgREST
    opens it. Without a role the person has none; with `user_id=None` the caller is not signed in.
    """

    @asynccontextmanager
    async def act(
        connection: AsyncConnection[Any], user_id: UUID | str | None, role: str | None = None
    ) -> AsyncIterator[AsyncConnection[Any]]:
        database_role = "anon" if user_id is None else "authenticated"
        claims: dict[str, Any] = {"role": database_role, "app_metadata": {"role": role} if role else {}}
        if user_id is not None:
            claims |= {"sub": str(user_id), "aud": "authenticated"}
        async with connection.transaction():
            await connection.execute(
                "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
                (database_role, json.dumps(claims)),
            )
            yield connection

    return act


@pytest.fixture
def create_user(connection: AsyncConnection[Any]) -> Callable[..., Any]:
    """`await create_user("marketing")` adds a person to `auth.users` of `database_url` and returns the id."""

    async def create(role: str | None = None, email: str | None = None) -> UUID:
        cursor = await connection.execute(
            "insert into auth.users (id, aud, role, email, raw_app_meta_data, raw_user_meta_data)"
            " values (gen_random_uuid(), 'authenticated', 'authenticated', %s, %s, '{}') returning id",
            (email or f"{secrets.token_hex(6)}@example.test", json.dumps({"role": role} if role else {})),
        )
        row = await cursor.fetchone()
        assert row is not None
        return row[0]

    return create


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    """Issues the identity tokens that workers ask for. For tests that leave it as they found it."""
    async with Issuer().serving() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def start_stack(short_directory: Path) -> Iterator[StartStack]:
    """`start_stack(services=["template"], environment={…})` starts a stack of its own and stops it at the end of the
    session. For tests that break things, or that need a stack that is set up differently.
    """
    stacks: list[RunningStack] = []
    numbers = count(1)

    def start(
        services: Sequence[str] | None = None, environment: Mapping[str, str] | None = None, *, up: bool = True
    ) -> RunningStack:
        stack = RunningStack(short_directory / f"stack-{next(numbers)}", environment or {})
        stacks.append(stack)
        if up:
            stack.up(services)
        return stack

    yield start
    for stack in stacks:
        if stack.living():
            stack.down()


@pytest.fixture(scope="session")
def stack(start_stack: StartStack) -> RunningStack:
    """The whole embedded stack, shared by the tests of this session that leave it as they found it."""
    return start_stack()
