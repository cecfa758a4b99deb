"""Single statements past the pool: many tasks on few connections, whatever happens to them."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from shared.db import Pool, create_pool
from tests.shared.engine.jobs import eventually


async def connections(observer: AsyncConnection[Any]) -> int:
    cursor = await observer.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def test_every_connection_acts_as_service_role(pool: Pool) -> None:
    assert await pool.fetch("select current_user::text") == [("service_role",)]
    async with pool.connection() as connection:
        assert await (await connection.execute("select current_user::text")).fetchone() == ("service_role",)


async def test_many_statements_share_four_connections(pool: Pool, connection: AsyncConnection[Any]) -> None:
    answers = await asyncio.gather(
        *(pool.fetch("select %s::int, pg_backend_pid()", (number,)) for number in range(500))
    )
    assert [rows[0][0] for rows in answers] == list(range(500))
    assert len({rows[0][1] for rows in answers}) <= 4
    assert await connections(connection) <= 5


async def test_an_error_of_one_statement_is_its_own(pool: Pool) -> None:
    async def divide(by: int) -> Any:
        return await pool.fetch("select 6 / %s::int", (by,))

    answers = await asyncio.gather(*(divide(by) for by in (1, 0, 2, 0, 3, 0, 6)), return_exceptions=True)
    assert [answer if isinstance(answer, list) else type(answer) for answer in answers] == [
        [(6,)],
        psycopg.errors.DivisionByZero,
        [(3,)],
        psycopg.errors.DivisionByZero,
        [(2,)],
        psycopg.errors.DivisionByZero,
        [(1,)],
    ]


async def test_a_cancelled_statement_ends_and_frees_its_place(pool: Pool, connection: AsyncConnection[Any]) -> None:
    slow = [asyncio.create_task(pool.fetch("select pg_sleep(60)")) for _ in range(4)]
    waiting = [asyncio.create_task(pool.fetch("select 1")) for _ in range(4)]
    await eventually(lambda: _sleepers(connection, 4))
    for task in (*slow, *waiting[:2]):
        task.cancel()
    assert await asyncio.wait_for(asyncio.gather(*waiting[2:]), 5) == [[(1,)], [(1,)]]
    await asyncio.gather(*slow, *waiting, return_exceptions=True)
    assert await _sleepers(connection, 0)


async def _sleepers(connection: AsyncConnection[Any], count: int) -> bool:
    cursor = await connection.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'active'"
        " and query like 'select pg_sleep%'"
    )
    row = await cursor.fetchone()
    return row == (count,)


async def test_connections_that_the_server_ended_are_replaced(pool: Pool, connection: AsyncConnection[Any]) -> None:
    await asyncio.gather(*(pool.fetch("select 1") for _ in range(50)))
    await connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    assert await asyncio.gather(*(pool.fetch("select 1") for _ in range(50))) == [[(1,)]] * 50


async def test_a_closed_pool_leaves_no_connection_behind(database_url: str, connection: AsyncConnection[Any]) -> None:
    async with create_pool(database_url, max_size=6) as pool:
        await asyncio.gather(*(pool.fetch("select 1") for _ in range(50)))
        busy = asyncio.create_task(pool.fetch("select pg_sleep(0.3)"))
        await eventually(lambda: _sleepers(connection, 1))
    await asyncio.gather(busy, return_exceptions=True)

    async def none_left() -> bool:
        return await connections(connection) == 0

    await eventually(none_left)
    with pytest.raises(psycopg.OperationalError):
        await pool.fetch("select 1")
