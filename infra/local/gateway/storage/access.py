"""Who asks Storage, which objects are theirs, and what the database's refusals mean there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from psycopg import DataError
from psycopg import errors as sqlstate

from infra.local.gateway.caller import Caller, identify
from infra.local.gateway.database import Connection
from infra.local.gateway.errors import StorageError
from infra.local.gateway.state import GatewayDep
from infra.local.gateway.tokens import TokenRefusedError

_FIND_BUCKET = "select id, public, file_size_limit, allowed_mime_types from storage.buckets where id = %s"
_FIND_OBJECT = """
select id, name, bucket_id, version, metadata, user_metadata, created_at, updated_at, last_accessed_at
from storage.objects where bucket_id = %s and name = %s
"""


async def caller_of(request: Request, gateway: GatewayDep) -> Caller:
    """The caller of a Storage request. Raises `StorageError`."""
    try:
        return identify(request, gateway.tokens)
    except TokenRefusedError as error:
        raise StorageError(401, "Unauthorized", str(error)) from error


CallerDep = Annotated[Caller, Depends(caller_of)]


@contextmanager
def storage_refusals() -> Iterator[None]:
    """Says what the database refuses in Storage's words."""
    try:
        yield
    except sqlstate.InsufficientPrivilege as error:
        raise StorageError(403, "Unauthorized", error.diag.message_primary or "not allowed") from error
    except sqlstate.UniqueViolation as error:
        raise StorageError(409, "Duplicate", "The resource already exists") from error
    except sqlstate.ForeignKeyViolation as error:
        raise StorageError(404, "Bucket not found", "Bucket not found") from error
    except DataError as error:
        raise StorageError(400, "InvalidRequest", error.diag.message_primary or str(error)) from error
    except (sqlstate.QueryCanceled, sqlstate.LockNotAvailable) as error:
        raise StorageError(504, "DatabaseTimeout", "The connection to the database timed out") from error


async def find_bucket(connection: Connection, bucket_id: str) -> dict[str, Any]:
    """A bucket's limits. Raises `StorageError` when the connection's role sees none of that name."""
    row = None if "\0" in bucket_id else await (await connection.execute(_FIND_BUCKET, [bucket_id])).fetchone()
    if row is None:
        raise StorageError(404, "Bucket not found", "Bucket not found")
    return row


async def find_object(connection: Connection, bucket_id: str, name: str) -> dict[str, Any]:
    """An object's row. Raises `StorageError` when the connection's role sees none of that name."""
    if "\0" not in bucket_id + name:
        row = await (await connection.execute(_FIND_OBJECT, [bucket_id, name])).fetchone()
        if row is not None:
            return row
    raise StorageError(404, "not_found", "Object not found")


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises `StorageError`."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise StorageError(400, "InvalidRequest", "The request body is not JSON") from error
    if not isinstance(body, dict):
        raise StorageError(400, "InvalidRequest", "The request body is not a JSON object")
    return body


def text_field(body: dict[str, Any], name: str, default: str | None = None) -> str:
    """A text in a JSON body. Raises `StorageError` when it is missing, of another type, long, or holds a NUL."""
    value = body.get(name, default)
    if not isinstance(value, str) or len(value) > 1024 or "\0" in value:
        raise StorageError(400, "InvalidRequest", f"{name} must be a text of at most 1024 characters")
    return value


def whole_number(body: dict[str, Any], name: str, default: int | None, *, at_least: int, at_most: int) -> int:
    """A whole number in a JSON body, also as text. Raises `StorageError` when it is missing or out of range."""
    try:
        value = int(body.get(name, default))
    except (TypeError, ValueError):
        value = None
    if value is None or not at_least <= value <= at_most:
        raise StorageError(400, "InvalidRequest", f"{name} must be a whole number from {at_least} to {at_most}")
    return value
