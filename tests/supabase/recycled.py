"""One migrated database for many tests: its rows are put back between them, which is quicker than a copy for each."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql

from tests.conftest import TestDatabases

TABLES = """
    select schemaname, tablename from pg_tables
    where schemaname in ('public', 'engine', 'auth', 'net', 'storage') order by 1, 2
"""
# Changes with every table, column, function, trigger, policy and grant that does.
FINGERPRINT = """
    select sum(hashtextextended(format('%s %s %s', catalog, oid, version), 0)) from (
      select 'class', oid, xmin::text from pg_class where relnamespace <> 'pg_toast'::regnamespace
      union all select 'proc', oid, xmin::text from pg_proc
      union all select 'policy', oid, xmin::text from pg_policy
      union all select 'trigger', oid, xmin::text from pg_trigger
      union all select 'namespace', oid, xmin::text from pg_namespace
      union all select 'constraint', oid, xmin::text from pg_constraint
    ) made (catalog, oid, version)
"""


class RecycledDatabase:
    """Gives out the same database again and again, and a new one after a test that changed more than rows."""

    def __init__(self, databases: TestDatabases) -> None:
        self._databases = databases
        self._copy: AbstractContextManager[str] | None = None
        self._url = ""
        self._fingerprint: Any = None
        self._rows: list[tuple[sql.Identifier, bytes]] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """URL of a database whose rows are those that the migrations and the catalogue made."""
        if self._copy is None:
            self._copy = self._databases.copy_of("migrated")
            self._url = self._copy.__enter__()
            with psycopg.connect(self._url, autocommit=True) as connection:
                self._fingerprint = connection.execute(FINGERPRINT).fetchone()
                tables = [sql.Identifier(*names) for names in connection.execute(TABLES).fetchall()]
                self._rows = [(table, self._copied_out(connection, table)) for table in tables]
        try:
            yield self._url
        finally:
            with psycopg.connect(self._url, autocommit=True) as connection:
                same = connection.execute(FINGERPRINT).fetchone() == self._fingerprint
                if same:
                    self._put_back(connection)
            if not same:
                self.close()

    def close(self) -> None:
        if self._copy is not None:
            self._copy.__exit__(None, None, None)
            self._copy = None

    def _put_back(self, connection: Connection[Any]) -> None:
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")  # no triggers, no foreign keys
            for table, content in self._rows:
                connection.execute(sql.SQL("delete from {}").format(table))
                if content:
                    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(table)) as copy:
                        copy.write(content)

    def _copied_out(self, connection: Connection[Any], table: sql.Identifier) -> bytes:
        with connection.cursor().copy(sql.SQL("copy {} to stdout").format(table)) as copy:
            return b"".join(bytes(part) for part in copy)
