"""`/storage/v1/bucket`: row level security decides who sees and makes buckets; without a policy, only the service."""

from typing import Any

from fastapi import APIRouter, Request, Response

from infra.local.gateway.database import as_caller
from infra.local.gateway.errors import StorageError, json_response
from infra.local.gateway.state import GatewayDep
from infra.local.gateway.storage.access import CallerDep, json_body, storage_refusals, text_field, whole_number
from infra.local.gateway.storage.names import check_bucket_name

MAX_OBJECT_BYTES = 50 * 1024 * 1024
_MAX_BODY_BYTES = 64 * 1024

_COLUMNS = """
select id, name, coalesce(owner::text, '') as owner, coalesce(public, false) as public, file_size_limit,
       allowed_mime_types, created_at, updated_at
from storage.buckets
"""
_LIST = _COLUMNS + "order by name"
_GET = _COLUMNS + "where id = %s"
_INSERT = """
insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
values (%(id)s, %(name)s, %(owner)s, %(owner_id)s, %(public)s, %(file_size_limit)s, %(allowed_mime_types)s)
"""

router = APIRouter(prefix="/storage/v1/bucket", max_body_size=_MAX_BODY_BYTES)


@router.get("")
async def list_buckets(gateway: GatewayDep, caller: CallerDep) -> Response:
    """All the buckets that the caller sees."""
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        rows = await (await connection.execute(_LIST)).fetchall()
    return json_response([row | {"type": "STANDARD"} for row in rows])


@router.get("/{bucket_id}")
async def get_bucket(bucket_id: str, gateway: GatewayDep, caller: CallerDep) -> Response:
    """One bucket."""
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        row = await (await connection.execute(_GET, [bucket_id.replace("\0", "")])).fetchone()
    if row is None:
        raise StorageError(404, "Bucket not found", "Bucket not found")
    return json_response(row | {"type": "STANDARD"})


@router.post("")
async def create_bucket(request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """A new bucket with its limits."""
    row = _read_bucket(await json_body(request)) | {"owner": caller.user_id, "owner_id": caller.claims.get("sub")}
    with storage_refusals():
        async with as_caller(gateway.pool, caller) as connection:
            await connection.execute(_INSERT, row)
    return json_response({"name": row["name"]})


def _read_bucket(body: dict[str, Any]) -> dict[str, Any]:
    name = check_bucket_name(text_field(body, "name"))
    limit = body.get("file_size_limit")
    types = body.get("allowed_mime_types")
    if types is not None and not (isinstance(types, list) and all(isinstance(entry, str) for entry in types)):
        raise StorageError(400, "InvalidRequest", "allowed_mime_types must be a list of texts")
    return {
        "id": check_bucket_name(text_field(body, "id", name)),
        "name": name,
        "public": body.get("public") is True,
        "file_size_limit": limit and whole_number(body, "file_size_limit", None, at_least=1, at_most=MAX_OBJECT_BYTES),
        "allowed_mime_types": types,
    }
