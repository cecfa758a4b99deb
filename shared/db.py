"""Connections to Postgres. Every connection of a service acts as `service_role`, whoever logged in."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


async def _act_as_service_role(connection: Connection) -> None:
    await connection.execute("set role service_role")


def create_pool(database_url: str, *, max_size: int) -> Pool:
    """A closed pool of autocommit connections; open it with `async with pool:` or `await pool.open()`.

    Needs a session-mode or direct connection: `set role` and LISTEN do not live through a transaction pooler.
    """
    return AsyncConnectionPool(
        database_url,
        connection_class=AsyncConnection[Any],
        kwargs={"autocommit": True},
        min_size=1,
        max_size=max_size,
        open=False,
        configure=_act_as_service_role,
        check=AsyncConnectionPool.check_connection,
        max_lifetime=1800,
        reconnect_timeout=60,
    )
