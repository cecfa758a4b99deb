"""The desk, and the templates of the former database before and after its migration."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from infra.local.migrate import prepare
from tests.conftest import TestDatabases
from tests.supabase import stories
from tests.supabase.desk import Desk, connect
from tests.supabase.former import fill_former
from tests.supabase.recycled import RecycledDatabase

CreateUser = Callable[..., Awaitable[UUID]]


@pytest.fixture(scope="session")
def recycled(databases: TestDatabases) -> Iterator[RecycledDatabase]:
    database = RecycledDatabase(databases)
    yield database
    database.close()


@pytest.fixture
def database_url(recycled: RecycledDatabase) -> Iterator[str]:
    """Superuser's URL of a database that looks as if it had just been migrated."""
    with recycled.lend() as url:
        yield url


@pytest.fixture
async def desk(database_url: str, connection: AsyncConnection, create_user: CreateUser) -> AsyncIterator[Desk]:
    """A desk on a fresh database. Whatever the test did, the events of every job must tell one consistent story."""
    async with await connect(database_url, "service_role") as worker:
        yield Desk(database_url, connection, worker, await create_user())
        assert await stories.problems_of_all(connection) == {}


@pytest.fixture(scope="session")
def former(databases: TestDatabases) -> TestDatabases:
    """`databases` with the templates `former`, the database in use before this product, and `upgraded`."""

    def create(name: str, template: str) -> str:
        with psycopg.connect(databases.cluster.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return databases.cluster.url(name)

    fill_former(create("former", template="baseline"))
    prepare(create("upgraded", template="former"))
    return databases


@pytest.fixture
def former_url(former: TestDatabases) -> Iterator[str]:
    """Superuser's URL of the database in use before this product."""
    with former.copy_of("former") as url:
        yield url


@pytest.fixture
def upgraded_url(former: TestDatabases) -> Iterator[str]:
    """Superuser's URL of that database after the migrations."""
    with former.copy_of("upgraded") as url:
        yield url
