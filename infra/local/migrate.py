"""Brings a database to the state of the repository: Supabase's baseline, the migrations, the catalogue of job kinds."""

from pathlib import Path
from typing import Any

import structlog
import yaml
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

ROOT = Path(__file__).parents[2]
MIGRATIONS = ROOT / "supabase" / "migrations"
CATALOG = ROOT / "shared" / "catalog.yaml"

_BASELINE = ("baseline.sql", "baseline_auth.sql", "baseline_storage.sql", "baseline_net.sql")
_CREATE_BOOKKEEPING = b"""
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text primary key,
  statements text[],
  name text
)
"""
_APPLIED = "select version, statements from supabase_migrations.schema_migrations"
_RECORD = "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)"

log = structlog.get_logger()


class MigrationError(Exception):
    """A migration failed and was rolled back; earlier ones stay applied. The message names the file and the reason."""


async def apply_baseline(url: str) -> None:
    """What a new Supabase project has. Running it again changes nothing. `url` is the superuser's."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        # A repeated run says of everything that it is there already.
        await connection.execute("set client_min_messages = warning")
        for name in _BASELINE:
            await connection.execute((Path(__file__).parent / name).read_bytes())


async def migrate(url: str, migrations: Path = MIGRATIONS) -> list[str]:
    """Apply the files `<version>_<name>.sql` that are not applied yet, each in one transaction, in order of version.

    Keeps the books as Supabase's CLI does. Returns the file names applied. Raises MigrationError.
    """
    done: list[str] = []
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_CREATE_BOOKKEEPING)
        applied: dict[str, Any] = dict(await (await connection.execute(_APPLIED)).fetchall())
        for path in sorted(migrations.glob("*.sql")):
            version, _, name = path.stem.partition("_")
            if version in applied:
                if applied[version] != [path.read_text()]:
                    log.warning("a migration was edited after it had been applied here", migration=path.name)
                continue
            try:
                async with connection.transaction():
                    await connection.execute(path.read_bytes())
                    await connection.execute(_RECORD, (version, [path.read_text()], name))
            except Exception as error:
                raise MigrationError(f"{path.name}: {error}") from error
            done.append(path.name)
    return done


async def sync_catalog(url: str, catalog: Path = CATALOG) -> None:
    """Write the job kinds of `shared/catalog.yaml` into the database."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("select public.sync_catalog(%s)", (Jsonb(yaml.safe_load(catalog.read_text())),))


async def prepare(url: str) -> None:
    """Baseline, migrations and catalogue, in that order. Raises MigrationError."""
    await apply_baseline(url)
    await migrate(url)
    await sync_catalog(url)
