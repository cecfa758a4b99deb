"""Work in the database on behalf of a caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from infra.local.gateway.caller import Caller

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

# Of the transaction alone. The time limits are those of a Supabase project.
_BECOME = """
select set_config('role', %(role)s, true),
       set_config('request.jwt.claims', %(claims)s, true),
       set_config('search_path', 'public, extensions', true),
       set_config('statement_timeout', %(timeout)s, true),
       set_config('transaction_read_only', %(read_only)s, true)
"""
_STATEMENT_TIMEOUT = {"anon": "3s", "authenticated": "8s"}


def create_pool(database_url: str) -> Pool:
    """A closed pool of autocommit connections whose rows are dictionaries."""
    return AsyncConnectionPool(
        database_url,
        connection_class=AsyncConnection[DictRow],
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=1,
        max_size=8,
        open=False,
        check=_check,
    )


async def _check(connection: Connection) -> None:
    await connection.execute("")  # fails when the server was restarted since


@asynccontextmanager
async def as_caller(pool: Pool, caller: Caller, *, read_only: bool = False) -> AsyncIterator[Connection]:
    """One transaction as the caller's role with the caller's claims: row level security sees who it is."""
    async with pool.connection() as connection, connection.transaction():
        await become(connection, caller, read_only=read_only)
        yield connection


async def become(connection: Connection, caller: Caller, *, read_only: bool = False) -> None:
    """From here to its end, the open transaction acts as the caller."""
    parameters: dict[str, Any] = {
        "role": caller.role,
        "claims": orjson.dumps(caller.claims).decode(),
        "timeout": _STATEMENT_TIMEOUT.get(caller.role, "0"),
        "read_only": "on" if read_only else "off",
    }
    await connection.execute(_BECOME, parameters)
