"""`/auth/v1`: sign in, refresh, who am I, sign out, and the public keys."""

import asyncio
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response

from infra.local.gateway.auth import sessions
from infra.local.gateway.auth.passwords import verify_password
from infra.local.gateway.caller import Caller, identify
from infra.local.gateway.errors import AuthError, json_response
from infra.local.gateway.state import Gateway, GatewayDep, require_api_key
from infra.local.gateway.tokens import ACCESS_TOKEN_LIFETIME_S, TokenRefusedError

_API_VERSION = {"x-supabase-api-version": "2024-01-01"}
_NO_STORE = {"cache-control": "no-store"}
_MAX_BODY_BYTES = 64 * 1024
_MAX_PASSWORD_CHARACTERS = 512

public_router = APIRouter(prefix="/auth/v1")
router = APIRouter(prefix="/auth/v1", dependencies=[Depends(require_api_key)], max_body_size=_MAX_BODY_BYTES)


@public_router.get("/.well-known/jwks.json")
async def read_jwks(gateway: GatewayDep) -> Response:
    """The keys that access tokens are verified with; clients may keep them ten minutes."""
    return json_response(gateway.tokens.keys.jwks(), headers={"cache-control": "public, max-age=600"})


@router.post("/token")
async def grant_token(request: Request, gateway: GatewayDep, grant_type: str = "") -> Response:
    """A session for a password or for a refresh token."""
    body = await _json_object(request)
    match grant_type:
        case "password":
            session = await _sign_in(request, gateway, body)
        case "refresh_token":
            session = await _refresh(gateway, body)
        case _:
            raise _refused(400, "validation_failed", f"unsupported grant_type {grant_type!r}")
    access_token, expires_at = gateway.tokens.issue_access(session.user, session.id)
    answer = {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": ACCESS_TOKEN_LIFETIME_S,
        "expires_at": expires_at,
        "refresh_token": session.refresh_token,
        "user": session.user,
        "weak_password": None,
    }
    return json_response(answer, headers=_NO_STORE)


@router.get("/user")
async def read_current_user(request: Request, gateway: GatewayDep) -> Response:
    """The signed-in user, as long as the session stands."""
    _, user_id, session_id = _signed_in(request, gateway)
    user = await sessions.read_user(gateway.pool, user_id)
    if user is None:
        raise _refused(403, "user_not_found", "User from sub claim in JWT does not exist")
    if not await sessions.session_exists(gateway.pool, session_id, user_id):
        raise _refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
    return json_response(user, headers=_NO_STORE)


@router.post("/logout")
async def log_out(request: Request, gateway: GatewayDep, scope: str = "global") -> Response:
    """Ends sessions; access tokens that are out live on until they expire."""
    if scope not in {"global", "local", "others"}:
        raise _refused(400, "validation_failed", f"Unsupported logout scope {scope!r}")
    _, user_id, session_id = _signed_in(request, gateway)
    await sessions.end_sessions(gateway.pool, scope, user_id=user_id, session_id=session_id)
    return Response(status_code=204)


async def _sign_in(request: Request, gateway: Gateway, body: dict[str, Any]) -> sessions.Session:
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or len(password) > _MAX_PASSWORD_CHARACTERS:
        raise _refused(400, "validation_failed", "an e-mail address and a password are needed")
    guesser = f"{request.client.host if request.client else ''} {email.casefold()}"
    wait_s = gateway.failed_attempts.retry_after_s(guesser)
    if wait_s > 0:
        headers = {"retry-after": str(int(wait_s) + 1)}
        raise _refused(429, "over_request_rate_limit", "Request rate limit reached", headers)
    found = await sessions.find_credentials(gateway.pool, email) if "\0" not in email else None
    # Takes long on purpose: not on the event loop.
    stored = found.encrypted_password if found else None
    if not await asyncio.to_thread(verify_password, password, stored) or found is None:
        gateway.failed_attempts.record(guesser)
        raise _refused(400, "invalid_credentials", "Invalid login credentials")
    if not found.confirmed:
        raise _refused(400, "email_not_confirmed", "Email not confirmed")
    if found.banned:
        raise _refused(400, "user_banned", "User is banned")
    gateway.failed_attempts.forget(guesser)
    return await sessions.open_session(gateway.pool, found.user_id)


async def _refresh(gateway: Gateway, body: dict[str, Any]) -> sessions.Session:
    token = body.get("refresh_token")
    if not isinstance(token, str) or not token:
        raise _refused(400, "validation_failed", "refresh_token required")
    match await sessions.rotate(gateway.pool, token):
        case sessions.Session() as session:
            return session
        case sessions.Refusal.ALREADY_USED as refusal:
            raise _refused(400, refusal.value, "Invalid Refresh Token: Already Used")
        case refusal:
            raise _refused(400, refusal.value, "Invalid Refresh Token: Refresh Token Not Found")


def _signed_in(request: Request, gateway: Gateway) -> tuple[Caller, UUID, UUID]:
    try:
        caller = identify(request, gateway.tokens)
    except TokenRefusedError as error:
        raise _refused(403, "bad_jwt", str(error)) from error
    if caller.user_id is None or caller.session_id is None:
        raise _refused(401, "no_authorization", "This endpoint needs a signed-in user's token")
    return caller, caller.user_id, caller.session_id


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise _refused(400, "bad_json", "Could not parse request body as JSON") from error
    if not isinstance(body, dict):
        raise _refused(400, "bad_json", "The request body is not a JSON object")
    return body


def _refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> AuthError:
    return AuthError(status, code, message, headers=_API_VERSION | (headers or {}))
