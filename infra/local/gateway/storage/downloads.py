"""`GET /storage/v1/object/…`: a file goes out, to its readers, to everybody, or to who holds a signed URL."""

import asyncio
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from infra.local.gateway.caller import Caller
from infra.local.gateway.database import as_caller
from infra.local.gateway.errors import StorageError, json_response
from infra.local.gateway.state import Gateway, GatewayDep
from infra.local.gateway.storage.access import (
    CallerDep,
    caller_of,
    find_bucket,
    find_object,
    json_body,
    whole_number,
)
from infra.local.gateway.tokens import TokenRefusedError

_SIGNED_URL = "storage:read"  # audience of the tokens in signed URLs: no access token, and none for another purpose
_LONGEST_S = 10 * 365 * 24 * 3600
_MAX_SIGNED_AT_ONCE = 1000
_MAX_BODY_BYTES = 1024 * 1024

# Everything else is downloaded, not shown. No browser may guess a type, and none runs a script in what it shows.
_SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "application/pdf", "text/plain")
_INERT = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}

router = APIRouter(prefix="/storage/v1/object", max_body_size=_MAX_BODY_BYTES)


@router.api_route("/public/{bucket_id}/{name:path}", methods=["GET", "HEAD"])
async def download_public(bucket_id: str, name: str, request: Request, gateway: GatewayDep) -> Response:
    """For everybody, from a public bucket."""
    async with gateway.pool.connection() as connection:
        if not (await find_bucket(connection, bucket_id))["public"]:
            raise StorageError(404, "Bucket not found", "Bucket not found")
    return await _serve(request, gateway, None, bucket_id, name)


@router.api_route("/sign/{bucket_id}/{name:path}", methods=["GET", "HEAD"])
async def download_signed(
    bucket_id: str, name: str, request: Request, gateway: GatewayDep, token: str = ""
) -> Response:
    """For who holds the token, until it expires."""
    try:
        signed = gateway.tokens.read_object(token, purpose=_SIGNED_URL)
    except TokenRefusedError as error:
        raise StorageError(400, "InvalidJWT", str(error)) from error
    if signed != f"{bucket_id}/{name}":
        raise StorageError(400, "InvalidSignature", "The token is for another object")
    return await _serve(request, gateway, None, bucket_id, name)


@router.post("/sign/{bucket_id}/{name:path}")
async def sign(bucket_id: str, name: str, request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """A URL that opens one object for a time, for a caller who may read it."""
    expires_in_s = _expiry(await json_body(request))
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        await find_object(connection, bucket_id, name)
    return json_response({"signedURL": _signed_url(gateway, bucket_id, name, expires_in_s)})


@router.post("/sign/{bucket_id}")
async def sign_many(bucket_id: str, request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """The same for a list of names; one that the caller cannot read has an `error` in its place."""
    body = await json_body(request)
    expires_in_s = _expiry(body)
    names = body.get("paths")
    if not isinstance(names, list) or len(names) > _MAX_SIGNED_AT_ONCE:
        raise StorageError(400, "InvalidRequest", f"paths must be a list of at most {_MAX_SIGNED_AT_ONCE} names")
    answer: list[dict[str, Any]] = []
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        for name in map(str, names):
            try:
                await find_object(connection, bucket_id, name)
            except StorageError:
                error = "Either the object does not exist or you do not have access to it"
                answer.append({"error": error, "path": name, "signedURL": None})
            else:
                url = _signed_url(gateway, bucket_id, name, expires_in_s)
                answer.append({"error": None, "path": name, "signedURL": url})
    return json_response(answer)


@router.api_route("/authenticated/{bucket_id}/{name:path}", methods=["GET", "HEAD"])
async def download_authenticated(
    bucket_id: str, name: str, request: Request, gateway: GatewayDep, caller: CallerDep
) -> Response:
    """For a caller whom the policies let read it."""
    return await _serve(request, gateway, caller, bucket_id, name)


# After the routes above: a bucket cannot be called `public` or `sign`.
last_router = APIRouter(prefix="/storage/v1/object")


@last_router.api_route("/{bucket_id}/{name:path}", methods=["GET", "HEAD"])
async def download(bucket_id: str, name: str, request: Request, gateway: GatewayDep) -> Response:
    """As `authenticated`, but a public bucket needs no caller."""
    async with gateway.pool.connection() as connection:
        public = (await find_bucket(connection, bucket_id))["public"]
    caller = None if public else await caller_of(request, gateway)
    return await _serve(request, gateway, caller, bucket_id, name)


async def _serve(request: Request, gateway: Gateway, caller: Caller | None, bucket_id: str, name: str) -> Response:
    """The object as the caller sees it, or (None) whatever the policies say."""
    for _ in range(3):  # a version may be replaced between reading its row and its file
        row = await _find(gateway, caller, bucket_id, name)
        headers = _headers(row, download=request.query_params.get("download"), shared=caller is None)
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        try:
            content = await asyncio.to_thread(gateway.files.path(row["version"] or "").read_bytes)
        except (FileNotFoundError, ValueError):
            continue
        return Response(content, headers=headers)
    raise StorageError(404, "not_found", "Object not found")


async def _find(gateway: Gateway, caller: Caller | None, bucket_id: str, name: str) -> dict[str, Any]:
    if caller is None:
        async with gateway.pool.connection() as connection:
            return await find_object(connection, bucket_id, name)
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        return await find_object(connection, bucket_id, name)


def _headers(row: dict[str, Any], *, download: str | None, shared: bool) -> dict[str, str]:
    metadata = row["metadata"] or {}
    mime_type = str(metadata.get("mimetype", "application/octet-stream"))
    bare = mime_type.partition(";")[0].strip().lower()
    shown = download is None and (bare in _SHOWN or bare.startswith(("video/", "audio/")))
    filename = quote(download or row["name"].rpartition("/")[2], safe="")
    cache_control = str(metadata.get("cacheControl", "no-cache"))
    return _INERT | {
        "content-type": mime_type,
        "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{filename}",
        "cache-control": cache_control if shared else f"private, {cache_control}",
        "etag": str(metadata.get("eTag", "")),
    }


def _expiry(body: dict[str, Any]) -> int:
    return whole_number(body, "expiresIn", None, at_least=1, at_most=_LONGEST_S)


def _signed_url(gateway: Gateway, bucket_id: str, name: str, expires_in_s: int) -> str:
    object_path = f"{bucket_id}/{name}"
    token = gateway.tokens.sign_object(purpose=_SIGNED_URL, object_path=object_path, expires_in_s=expires_in_s)
    return f"/object/sign/{quote(object_path)}?token={token}"
