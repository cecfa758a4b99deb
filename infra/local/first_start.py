"""Fills a new stack once: `main` runs as a process of its own, so that drawing pictures does not hold up the rest."""

import os
from pathlib import Path

from infra.local.seed import seed


async def main() -> None:
    """Seed the database and the Storage named in the environment."""
    await seed(os.environ["DATABASE_URL"], os.environ["SUPABASE_URL"], Path(os.environ["STATE_DIR"]))
