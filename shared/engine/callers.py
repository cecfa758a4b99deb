"""The door of a worker: its routes are for callers with an identity token."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.auth import Caller, Callers, KeysUnavailable, NotAllowed, NotIdentified
from shared.engine.service_app import Refusal

_BEARER = HTTPBearer(
    scheme_name="identity_token",
    bearerFormat="JWT",
    description="An OpenID Connect identity token, made for this service's address.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


def for_callers(callers: Callers) -> Callable[[Credentials], Coroutine[Any, Any, Caller]]:
    """A dependency of routes that only `callers` may use: 401 without a good token, 403 for somebody else.

    503 when the issuer's keys cannot be had: nobody is let in on trust.
    """

    async def caller(credentials: Credentials) -> Caller:
        if credentials is None:
            raise _unauthorized("Send an identity token as Authorization: Bearer.")
        try:
            return await callers.identify(credentials.credentials)
        except NotIdentified as error:
            raise _unauthorized(str(error)) from None
        except NotAllowed:
            raise Refusal(403, "forbidden", "This identity may not call this service.") from None
        except KeysUnavailable:
            message = "The token cannot be checked at the moment. Send the request again."
            raise Refusal(503, "keys_unavailable", message, headers={"retry-after": "3"}) from None

    return caller


def _unauthorized(message: str) -> Refusal:
    return Refusal(401, "unauthorized", message, headers={"www-authenticate": "Bearer"})
