"""Connections to Postgres. Every connection of a service acts as `service_role`, whoever logged in."""

import select
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


async def _prepare(connection: Connection) -> None:
    set_json_loads(orjson.loads, connection)
    set_json_dumps(orjson.dumps, connection)
    await connection.execute("set role service_role")


async def _check(connection: Connection) -> None:
    """Costs no round trip while all is well: a server says something on an idle connection only when it ends it."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def create_pool(database_url: str, *, max_size: int, min_size: int = 1, timeout_s: float = 10) -> Pool:
    """A closed pool of autocommit connections; open it with `async with pool:` or `await pool.open()`.

    JSON goes through orjson. A connection that is not to be had within `timeout_s` raises `psycopg_pool.PoolTimeout`.
    Needs a session-mode or direct connection: `set role` and prepared statements do not live through a transaction
    pooler.
    """
    return AsyncConnectionPool(
        database_url,
        connection_class=AsyncConnection[Any],
        kwargs={
            "autocommit": True,
            # A peer that vanished without a word is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 15_000,
            "connect_timeout": 5,
        },
        min_size=min(min_size, max_size),
        max_size=max_size,
        open=False,
        configure=_prepare,
        check=_check,
        timeout=timeout_s,
        max_lifetime=1800,
        reconnect_timeout=60,
    )
