"""`/storage/v1/object/…` without contents: list, describe, remove, move, copy."""

from typing import Any, LiteralString
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from psycopg import sql

from infra.local.gateway.database import as_caller
from infra.local.gateway.errors import StorageError, json_response
from infra.local.gateway.state import Gateway, GatewayDep
from infra.local.gateway.storage.access import (
    CallerDep,
    find_object,
    json_body,
    storage_refusals,
    text_field,
    whole_number,
)
from infra.local.gateway.storage.names import check_object_name

_MAX_BODY_BYTES = 1024 * 1024
_MAX_LISTED = 1000

# One level of a folder: objects in it, and the folders in it, which are only parts of names and have no id.
_LIST: LiteralString = """
with below as (
  select *, substr(name, length(%(prefix)s) + 1) as rest
  from storage.objects
  where bucket_id = %(bucket_id)s and starts_with(name, %(prefix)s)
), entries as (
  select rest as name, id, updated_at, created_at, last_accessed_at, metadata from below where strpos(rest, '/') = 0
  union all
  select distinct split_part(rest, '/', 1),
         null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
  from below where strpos(rest, '/') > 0
)
select * from entries where starts_with(lower(name), lower(%(search)s))
order by {column} {direction}, name limit %(limit)s offset %(offset)s
"""
_SORTED_BY = {"name", "updated_at", "created_at", "last_accessed_at"}
_REMOVE = """
delete from storage.objects where bucket_id = %s and name = any(%s)
returning name, bucket_id, owner, id, version, updated_at, created_at, last_accessed_at, metadata
"""
_MOVE = "update storage.objects set name = %s, updated_at = now() where bucket_id = %s and name = %s returning id"
_COPY = """
insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata)
select %(id)s, bucket_id, %(to)s, %(owner)s, %(owner_id)s, %(version)s, metadata, user_metadata
from storage.objects where bucket_id = %(bucket_id)s and name = %(from)s
"""

router = APIRouter(prefix="/storage/v1/object", max_body_size=_MAX_BODY_BYTES)


@router.post("/list/{bucket_id}")
async def list_objects(bucket_id: str, request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """What a folder holds, of the objects that the caller sees; `search` is the start of a name, in any case."""
    body = await json_body(request)
    sort = body.get("sortBy") or {}
    column, direction = str(sort.get("column", "name")), str(sort.get("order", "asc")).lower()
    if column not in _SORTED_BY or direction not in {"asc", "desc"}:
        raise StorageError(400, "InvalidRequest", f"cannot sort by {column} {direction}")
    folder = text_field(body, "prefix", "").strip("/")
    parameters = {
        "bucket_id": bucket_id.replace("\0", ""),
        "prefix": f"{folder}/" if folder else "",
        "search": text_field(body, "search", "") if body.get("search") is not None else "",
        "limit": whole_number(body, "limit", 100, at_least=1, at_most=_MAX_LISTED),
        "offset": whole_number(body, "offset", 0, at_least=0, at_most=2**31),
    }
    query = sql.SQL(_LIST).format(
        column=sql.Identifier(column), direction=sql.SQL("desc" if direction == "desc" else "asc")
    )
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        return json_response(await (await connection.execute(query, parameters)).fetchall())


@router.get("/info/{bucket_id}/{name:path}")
async def describe(bucket_id: str, name: str, gateway: GatewayDep, caller: CallerDep) -> Response:
    """Size, type and times of one object."""
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        row = await find_object(connection, bucket_id, name)
    metadata = row["metadata"] or {}
    answer = {
        "id": row["id"],
        "name": name,
        "version": row["version"],
        "bucket_id": bucket_id,
        "size": metadata.get("size"),
        "content_type": metadata.get("mimetype"),
        "cache_control": metadata.get("cacheControl"),
        "etag": metadata.get("eTag"),
        "last_modified": row["updated_at"],
        "created_at": row["created_at"],
        "metadata": row["user_metadata"] or {},
    }
    return json_response(answer)


@router.delete("/{bucket_id}")
async def remove_many(bucket_id: str, request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """Removes what the caller may remove of a list of names, and says what that was."""
    names = (await json_body(request)).get("prefixes")
    if not isinstance(names, list) or not 0 < len(names) <= _MAX_LISTED:
        raise StorageError(400, "InvalidRequest", f"prefixes must be a list of 1 to {_MAX_LISTED} names")
    return json_response(await _remove(gateway, caller, bucket_id, [str(name) for name in names]))


@router.delete("/{bucket_id}/{name:path}")
async def remove_one(bucket_id: str, name: str, gateway: GatewayDep, caller: CallerDep) -> Response:
    """Removes one object."""
    if not await _remove(gateway, caller, bucket_id, [name]):
        raise StorageError(404, "not_found", "Object not found")
    return json_response({"message": "Successfully deleted"})


@router.post("/move")
async def move(request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """Gives an object another name in its bucket."""
    bucket_id, old_name, new_name = _two_names(await json_body(request))
    with storage_refusals():
        async with as_caller(gateway.pool, caller) as connection:
            row = await (await connection.execute(_MOVE, [new_name, bucket_id, old_name])).fetchone()
    if row is None:
        raise StorageError(404, "not_found", "Object not found")
    return json_response({"message": "Successfully moved", "Id": row["id"], "Key": f"{bucket_id}/{new_name}"})


@router.post("/copy")
async def copy(request: Request, gateway: GatewayDep, caller: CallerDep) -> Response:
    """A second object with the same contents."""
    bucket_id, old_name, new_name = _two_names(await json_body(request))
    async with as_caller(gateway.pool, caller, read_only=True) as connection:
        source = await find_object(connection, bucket_id, old_name)
    try:
        version = await gateway.files.copy(source["version"] or "")
    except (FileNotFoundError, ValueError) as error:
        raise StorageError(404, "not_found", "Object not found") from error
    row = {"id": uuid4(), "bucket_id": bucket_id, "from": old_name, "to": new_name, "version": version}
    row |= {"owner": caller.user_id, "owner_id": caller.claims.get("sub")}
    try:
        with storage_refusals():
            async with as_caller(gateway.pool, caller) as connection:
                await connection.execute(_COPY, row)
    except BaseException:
        await gateway.files.delete([version])
        raise
    return json_response({"Id": row["id"], "Key": f"{bucket_id}/{new_name}"})


async def _remove(gateway: Gateway, caller: CallerDep, bucket_id: str, names: list[str]) -> list[dict[str, Any]]:
    if any("\0" in name for name in [bucket_id, *names]):
        return []
    with storage_refusals():
        async with as_caller(gateway.pool, caller) as connection:
            removed = await (await connection.execute(_REMOVE, [bucket_id, names])).fetchall()
    await gateway.files.delete([row["version"] for row in removed if row["version"]])
    return removed


def _two_names(body: dict[str, Any]) -> tuple[str, str, str]:
    bucket_id = text_field(body, "bucketId")
    if body.get("destinationBucket") not in {None, bucket_id}:
        raise StorageError(400, "InvalidRequest", "objects stay in their bucket here")
    return bucket_id, text_field(body, "sourceKey"), check_object_name(text_field(body, "destinationKey"))
