"""Brings a database to the state of the repository: Supabase's baseline, the migrations, the catalogue of job kinds."""

import logging
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.types.json import Jsonb

from infra.local.errors import MigrationError

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

log = logging.getLogger(__name__)


def apply_baseline(url: str) -> None:
    """What a new Supabase project has. Running it again changes nothing. `url` is the superuser's."""
    with psycopg.connect(url, autocommit=True) as connection:
        # A repeated run says of everything that it is there already.
        connection.execute("set client_min_messages = warning")
        for name in _BASELINE:
            connection.execute((Path(__file__).parent / name).read_bytes())


def migrate(url: str, migrations: Path = MIGRATIONS) -> list[str]:
    """Apply the files `<version>_<name>.sql` that are not applied yet, each in one transaction, in order of version.

    Keeps the books as Supabase's CLI does. Returns the file names applied. Raises MigrationError.
    """
    done: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CREATE_BOOKKEEPING)
        applied: dict[str, Any] = dict(connection.execute(_APPLIED).fetchall())
        for path in sorted(migrations.glob("*.sql")):
            version, _, name = path.stem.partition("_")
            if version in applied:
                if applied[version] != [path.read_text()]:
                    log.warning("%s was edited after it had been applied here", path.name)
                continue
            try:
                with connection.transaction():
                    connection.execute(path.read_bytes())
                    connection.execute(_RECORD, (version, [path.read_text()], name))
            except Exception as error:
                raise MigrationError(f"{path.name}: {error}") from error
            done.append(path.name)
    return done


def sync_catalog(url: str, catalog: Path = CATALOG) -> None:
    """Write the job kinds of `shared/catalog.yaml` into the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select public.sync_catalog(%s)", (Jsonb(yaml.safe_load(catalog.read_text())),))


def prepare(url: str) -> None:
    """Baseline, migrations and catalogue, in that order. Raises MigrationError."""
    apply_baseline(url)
    migrate(url)
    sync_catalog(url)
