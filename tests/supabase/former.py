"""The database in use before this product."""

from pathlib import Path

import psycopg

HERE = Path(__file__).parent


def fill_former(url: str) -> None:
    """Turns a new Supabase project into the database in use before this product, with rows in every table."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((HERE / "existing_schema.sql").read_bytes())
        connection.execute((HERE / "existing_rows.sql").read_bytes())
