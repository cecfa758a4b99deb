"""The three people of a local stack."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from infra.local.gateway.auth.passwords import hash_password

_FILE = "users.json"
_PEOPLE = {"admin": "Administração", "marketing": "Marketing", "sales": "Vendas"}

_UPSERT = """
insert into auth.users
  (id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data)
values
  (gen_random_uuid(), 'authenticated', 'authenticated', %(email)s, %(hash)s, now(), %(app_metadata)s, %(user_metadata)s)
on conflict (email) where not is_sso_user do update
set encrypted_password = excluded.encrypted_password, raw_app_meta_data = excluded.raw_app_meta_data, updated_at = now()
returning id::text
"""
_ADMIN = """
insert into public.admin_users (user_id, permission_level) values (%s, 'super_admin') on conflict (user_id) do nothing
"""


@dataclass(frozen=True)
class User:
    """Somebody who can sign in; `role` is admin, marketing or sales."""

    email: str
    password: str
    id: str
    role: str


async def add_users(connection: AsyncConnection[Any], state_dir: Path) -> list[User]:
    """Makes the three people, with random passwords that stay the same for a state directory (`users.json`, 0600)."""
    known = {user["role"]: user for user in _read(state_dir)}
    users: list[User] = []
    for role, name in _PEOPLE.items():
        email = f"{role}@lifetrek.test"
        password = known[role]["password"] if role in known else secrets.token_urlsafe(12)
        row = {
            "email": email,
            "hash": hash_password(password),
            "app_metadata": Jsonb({"provider": "email", "providers": ["email"], "role": role}),
            "user_metadata": Jsonb({"name": name}),
        }
        [user_id] = await (await connection.execute(_UPSERT, row)).fetchone() or [None]
        users.append(User(email, password, str(user_id), role))
        if role == "admin":
            await connection.execute(_ADMIN, [user_id])
    _write(state_dir, users)
    return users


def _read(state_dir: Path) -> list[dict[str, str]]:
    path = state_dir / _FILE
    return json.loads(path.read_text()) if path.exists() else []


def _write(state_dir: Path, users: list[User]) -> None:
    draft = state_dir / f".{_FILE}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump([asdict(user) for user in users], file, indent=2)
    draft.replace(state_dir / _FILE)
