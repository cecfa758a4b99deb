"""The parts that the routes share, put together once in `app.py`."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from infra.local.gateway.auth.attempts import FailedAttempts
from infra.local.gateway.caller import check_api_key
from infra.local.gateway.database import Pool
from infra.local.gateway.storage.files import FileStore
from infra.local.gateway.tokens import Tokens
from infra.local.identity import IdentityIssuer


@dataclass(frozen=True)
class Gateway:
    """One per process."""

    pool: Pool
    tokens: Tokens
    files: FileStore
    identities: IdentityIssuer
    failed_attempts: FailedAttempts = field(default_factory=FailedAttempts)


async def gateway_of(request: Request) -> Gateway:  # async: FastAPI sends what is not to a thread
    """The process's parts, for a route."""
    return request.app.state.gateway


GatewayDep = Annotated[Gateway, Depends(gateway_of)]


async def require_api_key(request: Request, gateway: GatewayDep) -> None:
    """For routers that Supabase's proxy guards with the API key."""
    check_api_key(request, gateway.tokens.keys)
