"""Users, their sessions and the rotation of refresh tokens, as rows of schema `auth`.

Refresh tokens are kept as SHA-256, so that a copy of the table opens nothing.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

from infra.local.gateway.database import Connection, Pool

_TABLES = Path(__file__).with_name("tables.sql")

# A client that lost the answer to a refresh may ask again with the same token this long.
_REUSE_INTERVAL_S = 10

_USER_BY_EMAIL = """
select id, encrypted_password, email_confirmed_at is not null as confirmed,
       coalesce(banned_until > now(), false) as banned
from auth.users where lower(email) = lower(%s) and deleted_at is null and not is_sso_user
"""
_USER = """
select id::text, coalesce(aud, 'authenticated') as aud, coalesce(role, 'authenticated') as role, email,
       coalesce(phone, '') as phone, email_confirmed_at, confirmed_at, last_sign_in_at,
       coalesce(raw_app_meta_data, '{}') as app_metadata, coalesce(raw_user_meta_data, '{}') as user_metadata,
       '[]'::jsonb as identities, created_at, updated_at, is_anonymous
from auth.users where id = %s and deleted_at is null
"""
_SIGNED_IN = "update auth.users set last_sign_in_at = now() where id = %s"
_INSERT_SESSION = "insert into auth.sessions (id, user_id) values (%s, %s)"
_INSERT_TOKEN = """
insert into auth.refresh_tokens (token, user_id, session_id, parent, revoked) values (%s, %s, %s, %s, false)
"""
_LOCK_TOKEN = """
select token.session_id, session.user_id,
       token.revoked and token.updated_at < now() - make_interval(secs => %s) as stale
from auth.refresh_tokens token
join auth.sessions session on session.id = token.session_id
join auth.users holder on holder.id = session.user_id and holder.deleted_at is null
where token.token = %s and coalesce(holder.banned_until < now(), true) for update of token
"""
_REVOKE_TOKEN = "update auth.refresh_tokens set revoked = true, updated_at = now() where token = %s and not revoked"
_REFRESHED = "update auth.sessions set updated_at = now() where id = %s"
_SESSION_EXISTS = "select 1 from auth.sessions where id = %s and user_id = %s"
_END_ALL = "delete from auth.sessions where user_id = %(user_id)s"
_END_THIS = "delete from auth.sessions where user_id = %(user_id)s and id = %(session_id)s"
_END_OTHERS = "delete from auth.sessions where user_id = %(user_id)s and id <> %(session_id)s"

_END: dict[str, LiteralString] = {"global": _END_ALL, "local": _END_THIS, "others": _END_OTHERS}


@dataclass(frozen=True)
class Credentials:
    """What a password is checked against."""

    user_id: UUID
    encrypted_password: str | None
    confirmed: bool
    banned: bool


@dataclass(frozen=True)
class Session:
    """A signed-in user (in Auth's description), with the refresh token to hand out."""

    id: str
    user: dict[str, Any]
    refresh_token: str


class Refusal(Enum):
    """Why a refresh token gave no session. The value is Auth's error code."""

    NOT_FOUND = "refresh_token_not_found"
    ALREADY_USED = "refresh_token_already_used"


async def create_tables(pool: Pool) -> None:
    """Makes the tables of sessions where they are not there yet."""
    async with pool.connection() as connection:
        await connection.execute(_TABLES.read_bytes())


async def find_credentials(pool: Pool, email: str) -> Credentials | None:
    """By e-mail, whatever its case."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_USER_BY_EMAIL, [email])).fetchone()
    if row is None:
        return None
    return Credentials(row["id"], row["encrypted_password"], row["confirmed"], row["banned"])


async def read_user(pool: Pool, user_id: UUID) -> dict[str, Any] | None:
    """A user as Auth describes one."""
    async with pool.connection() as connection:
        return await (await connection.execute(_USER, [user_id])).fetchone()


async def session_exists(pool: Pool, session_id: UUID, user_id: UUID) -> bool:
    """Whether the sign-in that a token came from still stands."""
    async with pool.connection() as connection:
        return await (await connection.execute(_SESSION_EXISTS, [session_id, user_id])).fetchone() is not None


async def open_session(pool: Pool, user_id: UUID) -> Session:
    """A new session after a sign-in."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_SIGNED_IN, [user_id])
        session_id = uuid4()
        await connection.execute(_INSERT_SESSION, [session_id, user_id])
        return await _hand_out(connection, session_id, user_id, parent=None)


async def rotate(pool: Pool, refresh_token: str) -> Session | Refusal:
    """Trades a refresh token for a new one.

    A token that was traded before ends its whole session: two parties hold it, and one of them stole it.
    """
    digest = _digest(refresh_token)
    async with pool.connection() as connection, connection.transaction():
        row = await (await connection.execute(_LOCK_TOKEN, [_REUSE_INTERVAL_S, digest])).fetchone()
        if row is None:
            return Refusal.NOT_FOUND
        if row["stale"]:
            await connection.execute(_END_THIS, row)
            return Refusal.ALREADY_USED
        await connection.execute(_REVOKE_TOKEN, [digest])
        await connection.execute(_REFRESHED, [row["session_id"]])
        return await _hand_out(connection, row["session_id"], row["user_id"], parent=digest)


async def end_sessions(pool: Pool, scope: str, *, user_id: UUID, session_id: UUID | None) -> None:
    """Signs out: `scope` is global, local (this session) or others (all but this)."""
    async with pool.connection() as connection:
        await connection.execute(_END[scope], {"user_id": user_id, "session_id": session_id})


async def _hand_out(connection: Connection, session_id: UUID, user_id: UUID, *, parent: str | None) -> Session:
    refresh_token = secrets.token_urlsafe(24)
    await connection.execute(_INSERT_TOKEN, [_digest(refresh_token), user_id, session_id, parent])
    user = await (await connection.execute(_USER, [user_id])).fetchone()
    assert user is not None  # the session's foreign key holds it
    return Session(str(session_id), user, refresh_token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
