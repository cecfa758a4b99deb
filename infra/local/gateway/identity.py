"""Identity tokens as a machine of Google's has them from its metadata server, and the keys to check them with."""

from fastapi import APIRouter, Request, Response

from infra.local.gateway.errors import GatewayError, json_response
from infra.local.gateway.state import GatewayDep
from infra.local.identity import KEYS_PATH, TOKEN_PATH

_FLAVOR = {"metadata-flavor": "Google"}
_MAX_AUDIENCE_CHARACTERS = 512

router = APIRouter()


@router.get(TOKEN_PATH)
async def read_token(request: Request, gateway: GatewayDep, audience: str = "") -> Response:
    """A token for `audience`. The header that must be there, and the ones that must not, keep browsers out."""
    if request.headers.get("metadata-flavor") != "Google" or {"origin", "x-forwarded-for"} & set(request.headers):
        raise GatewayError(403, "forbidden", "Missing Metadata-Flavor:Google header.", headers=_FLAVOR)
    if not 0 < len(audience) <= _MAX_AUDIENCE_CHARACTERS:
        raise GatewayError(400, "bad_request", "The parameter audience is missing or too long.", headers=_FLAVOR)
    return Response(gateway.identities.token(audience), media_type="text/plain", headers=_FLAVOR)


@router.get(KEYS_PATH)
async def read_keys(gateway: GatewayDep) -> Response:
    """The issuer's public keys."""
    return json_response(gateway.identities.jwks(), headers={"cache-control": "public, max-age=600"})
