"""Who sent a request: the API key says for which project, the bearer token for whom."""

import hmac
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import Request

from infra.local.gateway.errors import ApiKeyError
from infra.local.gateway.keys import Keys
from infra.local.gateway.tokens import TokenRefusedError, Tokens


@dataclass(frozen=True)
class Caller:
    """`role` is the database role: anon, authenticated or service_role."""

    role: str
    claims: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def user_id(self) -> UUID | None:
        """The signed-in person, if it is one."""
        subject = self.claims.get("sub")
        return UUID(str(subject)) if subject else None

    @property
    def session_id(self) -> UUID | None:
        """The sign-in that the token came from, if any."""
        session = self.claims.get("session_id")
        return UUID(str(session)) if session else None


def check_api_key(request: Request, keys: Keys) -> str:
    """The `apikey` header, when it is one of the two. Raises `ApiKeyError`."""
    api_key = request.headers.get("apikey")
    if not api_key:
        raise ApiKeyError("No API key found in request", "No `apikey` request header was found.")
    if _role_of_api_key(api_key, keys) is None:
        raise ApiKeyError("Invalid API key", "Double check your `anon` or `service_role` API key.")
    return api_key


def identify(request: Request, tokens: Tokens) -> Caller:
    """The caller by `Authorization: Bearer …`, else by `apikey`. Raises `TokenRefusedError`, also without both."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    credential = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("apikey", "")
    if not credential:
        raise TokenRefusedError("no credentials in the request")
    role = _role_of_api_key(credential, tokens.keys)
    if role is not None:
        return Caller(role, {"iss": "supabase", "role": role})
    claims = tokens.read_access(credential)
    return Caller(str(claims["role"]), claims)


def _role_of_api_key(candidate: str, keys: Keys) -> str | None:
    encoded = candidate.encode()
    for role, key in (("anon", keys.anon_key), ("service_role", keys.service_key)):
        if hmac.compare_digest(encoded, key.encode()):
            return role
    return None
