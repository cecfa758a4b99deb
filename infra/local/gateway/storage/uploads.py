"""`POST` and `PUT /storage/v1/object/<bucket>/<name>`: a file comes in."""

import base64
import binascii
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request, Response
from psycopg.types.json import Jsonb
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from infra.local.gateway.caller import Caller
from infra.local.gateway.database import become
from infra.local.gateway.errors import StorageError, json_response
from infra.local.gateway.state import Gateway, GatewayDep
from infra.local.gateway.storage.access import CallerDep, find_bucket, storage_refusals
from infra.local.gateway.storage.buckets import MAX_OBJECT_BYTES
from infra.local.gateway.storage.files import StoredFile
from infra.local.gateway.storage.names import check_mime_type, check_object_name

_MULTIPART_EXTRA_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 1024 * 1024

# Writers of one object take turns, so that each knows which version it replaces.
_LOCK = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"
_VERSION = "select version from storage.objects where bucket_id = %s and name = %s"
_INSERT = """
insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata)
values (%(id)s, %(bucket_id)s, %(name)s, %(owner)s, %(owner_id)s, %(version)s, %(metadata)s, %(user_metadata)s)
"""
_UPSERT = (
    _INSERT
    + """
on conflict (bucket_id, name) do update
set version = excluded.version, metadata = excluded.metadata, user_metadata = excluded.user_metadata,
    owner = excluded.owner, owner_id = excluded.owner_id, updated_at = now()
returning id
"""
)

router = APIRouter(prefix="/storage/v1", max_body_size=MAX_OBJECT_BYTES + _MULTIPART_EXTRA_BYTES)


@dataclass(frozen=True)
class _Upload:
    file: IO[bytes]
    mime_type: str
    cache_control: str
    user_metadata: dict[str, Any] | None


@router.post("/object/{bucket_id}/{name:path}")
async def upload(bucket_id: str, name: str, request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """A new object; with the header `x-upsert: true` also in place of an old one."""
    upsert = request.headers.get("x-upsert", "").lower() == "true"
    return await _take(request, gateway, caller, bucket_id, name, upsert=upsert)


@router.put("/object/{bucket_id}/{name:path}")
async def update(bucket_id: str, name: str, request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """An object in place of the one of that name."""
    return await _take(request, gateway, caller, bucket_id, name, upsert=True)


async def _take(
    request: Request, gateway: Gateway, caller: Caller, bucket_id: str, name: str, *, upsert: bool
) -> Response:
    check_object_name(name)
    async with gateway.pool.connection() as connection:
        bucket = await find_bucket(connection, bucket_id)
    limit = min(bucket["file_size_limit"] or MAX_OBJECT_BYTES, MAX_OBJECT_BYTES)
    if int(request.headers.get("content-length") or 0) > limit + _MULTIPART_EXTRA_BYTES:
        raise _too_large()
    async with _received(request) as received:
        check_mime_type(received.mime_type, bucket["allowed_mime_types"])
        received.file.seek(0, 2)
        if received.file.tell() > limit:
            raise _too_large()
        stored = await gateway.files.write(received.file)
        try:
            object_id, replaced = await _record(
                gateway, caller, upsert=upsert, row=_row(bucket_id, name, caller, received, stored)
            )
        except BaseException:
            await gateway.files.delete([stored.version])
            raise
    await gateway.files.delete([replaced] if replaced else [])
    return json_response({"Id": object_id, "Key": f"{bucket_id}/{name}"})


async def _record(gateway: Gateway, caller: Caller, *, upsert: bool, row: dict[str, Any]) -> tuple[str, str | None]:
    """Writes the row as the caller. Returns the object's id and the version it had before."""
    with storage_refusals():
        async with gateway.pool.connection() as connection, connection.transaction():
            await connection.execute(_LOCK, [f"{row['bucket_id']}/{row['name']}"])
            old = await (await connection.execute(_VERSION, [row["bucket_id"], row["name"]])).fetchone()
            await become(connection, caller)
            if not upsert:
                await connection.execute(_INSERT, row)
                return str(row["id"]), None
            written = await (await connection.execute(_UPSERT, row)).fetchone()
            assert written is not None
            return str(written["id"]), old["version"] if old else None


def _row(bucket_id: str, name: str, caller: Caller, received: _Upload, stored: StoredFile) -> dict[str, Any]:
    metadata = {
        "eTag": stored.etag,
        "size": stored.size,
        "mimetype": received.mime_type,
        "cacheControl": received.cache_control,
        "lastModified": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "contentLength": stored.size,
        "httpStatusCode": 200,
    }
    return {
        "id": uuid4(),
        "bucket_id": bucket_id,
        "name": name,
        "owner": caller.user_id,
        "owner_id": caller.claims.get("sub"),
        "version": stored.version,
        "metadata": Jsonb(metadata),
        "user_metadata": Jsonb(received.user_metadata) if received.user_metadata is not None else None,
    }


@asynccontextmanager
async def _received(request: Request) -> AsyncIterator[_Upload]:
    """The file in the body, as a form (the clients' way) or bare; gone after the block."""
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            async with request.form(max_files=1, max_fields=10) as form:
                file = next((value for _, value in form.multi_items() if isinstance(value, UploadFile)), None)
                if file is None:
                    raise StorageError(400, "InvalidRequest", "The form holds no file")
                fields = {key: value for key, value in form.items() if isinstance(value, str)}
                mime_type = file.content_type or "application/octet-stream"
                metadata = _user_metadata(fields.get("metadata"))
                yield _Upload(file.file, mime_type, _cache_control(fields.get("cacheControl")), metadata)
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            async for chunk in request.stream():
                file.write(chunk)
            mime_type = request.headers.get("content-type") or "application/octet-stream"
            metadata = _user_metadata(_from_base64(request.headers.get("x-metadata")))
            yield _Upload(file, mime_type, _cache_control(request.headers.get("cache-control")), metadata)
    except HTTPException as error:
        if error.status_code == 413:
            raise _too_large() from error
        raise StorageError(error.status_code, "InvalidRequest", str(error.detail)) from error


def _too_large() -> StorageError:
    return StorageError(413, "Payload too large", "The object exceeded the maximum allowed size")


def _cache_control(asked: str | None) -> str:
    """Clients send seconds in a form and a whole directive in a header."""
    if asked and asked.strip().isdigit():
        return f"max-age={int(asked.strip()[:10])}"
    return "no-cache" if not asked or not asked.isascii() or not asked.isprintable() else asked[:100]


def _from_base64(text: str | None) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode() if text else None
    except (binascii.Error, UnicodeDecodeError) as error:
        raise StorageError(400, "InvalidRequest", "x-metadata is not base64") from error


def _user_metadata(text: str | None) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        metadata = orjson.loads(text)
    except orjson.JSONDecodeError:
        metadata = None
    if not isinstance(metadata, dict):
        raise StorageError(400, "InvalidRequest", "The metadata is not a JSON object")
    return metadata
