"""What a new local stack starts with: three people, the company's products, pictures of them, and past work."""

from pathlib import Path

from psycopg import AsyncConnection

from infra.local.gateway.keys import load_or_create
from infra.local.seed.catalog import add_catalog, read_catalog
from infra.local.seed.past_work import add_past_work
from infra.local.seed.pictures import upload_pictures
from infra.local.seed.users import User, add_users

__all__ = ["User", "seed"]


async def seed(dsn: str, gateway_url: str, state_dir: Path) -> list[User]:
    """Fills the database (`dsn` is the superuser's, migrated) and the Storage behind a running gateway.

    `state_dir` is the gateway's. Running it again changes nothing but the addresses of the pictures. Returns the people
    with their passwords, as kept in `users.json`. Raises `UploadError` and psycopg's errors.
    """
    catalog = read_catalog()
    names = [asset["file"] for asset in catalog["assets"]]
    urls = await upload_pictures(gateway_url, load_or_create(state_dir).service_key, names)
    async with await AsyncConnection.connect(dsn) as connection:
        users = await add_users(connection, state_dir)
        await add_catalog(connection, catalog, urls)
        await add_past_work(connection, {user.role: user.id for user in users})
    return users
