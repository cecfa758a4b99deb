"""`/rest/v1/<table>` and `/rest/v1/rpc/<function>`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from psycopg import Error as DatabaseError

from infra.local.gateway.caller import Caller, identify
from infra.local.gateway.database import Connection, as_caller
from infra.local.gateway.errors import RestError
from infra.local.gateway.rest.preferences import Preferences, read_preferences
from infra.local.gateway.rest.query import Query, parse_query, parse_range, unsupported
from infra.local.gateway.rest.refusals import refusal_of
from infra.local.gateway.rest.schema import find_function, find_table
from infra.local.gateway.rest.statements import (
    Statement,
    call_function,
    delete_rows,
    insert_rows,
    select_rows,
    update_rows,
)
from infra.local.gateway.state import GatewayDep, require_api_key
from infra.local.gateway.tokens import TokenRefusedError

_MAX_BODY_BYTES = 20 * 1024 * 1024

router = APIRouter(prefix="/rest/v1", dependencies=[Depends(require_api_key)], max_body_size=_MAX_BODY_BYTES)


@router.api_route("/rpc/{name}", methods=["GET", "HEAD"])
async def call_reading(name: str, request: Request, gateway: GatewayDep) -> Response:
    """Calls a function that changes nothing, with the arguments in the query string."""
    arguments = dict(request.query_params)
    return await _call(request, gateway, name, arguments, orjson.dumps(arguments).decode())


@router.post("/rpc/{name}")
async def call(name: str, request: Request, gateway: GatewayDep) -> Response:
    """Calls a function with the arguments in a JSON object."""
    if request.query_params:
        raise unsupported("filters on what a function returns")
    arguments, body = await _json_body(request, empty={})
    if not isinstance(arguments, dict):
        raise RestError(400, "PGRST102", "The arguments must be a JSON object")
    return await _call(request, gateway, name, arguments, body)


@router.api_route("/{name}", methods=["GET", "HEAD"])
async def select(name: str, request: Request, gateway: GatewayDep) -> Response:
    """Rows of a table."""
    preferences = read_preferences(request)
    query = _paged(parse_query(request.query_params.multi_items()), request)
    async with _acting(request, gateway) as connection:
        table = await find_table(connection, name)
        answer = await _run(connection, select_rows(table, query, counted=preferences.counted), preferences)
    total, rows = answer["total"], answer["rows"]
    if total is not None and query.offset > total:
        details = f"An offset of {query.offset} was requested, but there are only {total} rows."
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details=details)
    seen = f"{query.offset}-{query.offset + rows - 1}" if rows else "*"
    headers = {"content-range": f"{seen}/{'*' if total is None else total}", "range-unit": "items"}
    status = 206 if total is not None and rows < total else 200
    return _json(answer["body"], status, headers)


@router.post("/{name}")
async def insert(name: str, request: Request, gateway: GatewayDep) -> Response:
    """New rows: a JSON object or a list of them."""
    preferences = read_preferences(request)
    query = parse_query(request.query_params.multi_items())
    if query.filters:
        raise unsupported("filters on new rows")
    rows, body = await _json_body(request)
    columns = _columns_of(rows, query, preferences)
    if columns is None:  # an empty list
        return _json("[]" if preferences.seen else "", 201, {"content-range": "*/*"})
    async with _acting(request, gateway) as connection:
        table = await find_table(connection, name)
        as_list = body if isinstance(rows, list) else f"[{body}]"
        statement = insert_rows(table, query, columns, as_list, merge=preferences.merge, seen=preferences.seen)
        answer = await _run(connection, statement, preferences)
    return _json(answer["body"], 201, {"content-range": "*/*"})


@router.patch("/{name}")
async def update(name: str, request: Request, gateway: GatewayDep) -> Response:
    """New values for the rows that the filters find."""
    preferences = read_preferences(request)
    query = parse_query(request.query_params.multi_items())
    values, body = await _json_body(request)
    if not isinstance(values, dict) or not values:
        raise RestError(400, "PGRST102", "The changes must be a JSON object with at least one column")
    async with _acting(request, gateway) as connection:
        table = await find_table(connection, name)
        statement = update_rows(table, query, list(values), body, seen=preferences.seen)
        answer = await _run(connection, statement, preferences)
    return _written(answer, preferences)


@router.delete("/{name}")
async def delete(name: str, request: Request, gateway: GatewayDep) -> Response:
    """Removes the rows that the filters find."""
    preferences = read_preferences(request)
    query = parse_query(request.query_params.multi_items())
    async with _acting(request, gateway) as connection:
        table = await find_table(connection, name)
        answer = await _run(connection, delete_rows(table, query, seen=preferences.seen), preferences)
    return _written(answer, preferences)


async def _call(request: Request, gateway: GatewayDep, name: str, arguments: dict[str, Any], body: str) -> Response:
    preferences = read_preferences(request)
    async with _acting(request, gateway) as connection:
        function = await find_function(connection, name, frozenset(arguments))
        # A function that returns one row has one object as its answer anyway.
        wanted = replace(preferences, one_object=preferences.one_object and function.returns_set)
        answer = await _run(connection, call_function(function, list(arguments), body), wanted)
    if function.returns_nothing:
        return Response(status_code=204)
    return _json(answer["body"], 200, {"content-range": f"0-{answer['rows'] - 1}/*" if answer["rows"] else "*/*"})


@asynccontextmanager
async def _acting(request: Request, gateway: GatewayDep) -> AsyncIterator[Connection]:
    """A transaction as the caller, which may write unless the method only reads."""
    caller = _caller_of(request, gateway)
    try:
        async with as_caller(gateway.pool, caller, read_only=request.method in {"GET", "HEAD"}) as connection:
            yield connection
    except DatabaseError as error:
        raise refusal_of(error, anonymous=caller.role == "anon") from error


def _caller_of(request: Request, gateway: GatewayDep) -> Caller:
    try:
        return identify(request, gateway.tokens)
    except TokenRefusedError as error:
        raise RestError(401, "PGRST301", str(error), headers={"www-authenticate": "Bearer"}) from error


async def _run(connection: Connection, statement: Statement, preferences: Preferences) -> dict[str, Any]:
    """Runs the statement. Raises `RestError`, which undoes it, when one object was asked for and it is not one."""
    answer = await (await connection.execute(*statement)).fetchone()
    assert answer is not None  # it aggregates
    if not preferences.one_object:
        return answer
    if answer["rows"] != 1:
        details = f"The result contains {answer['rows']} rows"
        raise RestError(406, "PGRST116", "Cannot coerce the result to a single JSON object", details=details)
    return answer | {"body": orjson.dumps(orjson.loads(answer["body"])[0]).decode() if answer["body"] else ""}


def _paged(query: Query, request: Request) -> Query:
    """With the page of the `Range` header, when the query string names none."""
    offset, limit = parse_range(request.headers.get("range"))
    if query.limit is not None or query.offset or (limit is None and not offset):
        return query
    return replace(query, offset=offset, limit=limit)


def _columns_of(rows: Any, query: Query, preferences: Preferences) -> list[str] | None:
    """The columns that new rows have values for; None when there are no rows."""
    listed = rows if isinstance(rows, list) else [rows]
    if not all(isinstance(row, dict) for row in listed):
        raise RestError(400, "PGRST102", "New rows must be a JSON object or a list of them")
    if not listed:
        return None
    alike = all(row.keys() == listed[0].keys() for row in listed)
    if not alike and (not query.columns or preferences.missing_is_default):
        raise RestError(400, "PGRST102", "All object keys must match")
    return list(query.columns or listed[0])


async def _json_body(request: Request, *, empty: Any = None) -> tuple[Any, str]:
    """The body as values and as text."""
    body = await request.body()
    if not body.strip() and empty is not None:
        return empty, orjson.dumps(empty).decode()
    try:
        return orjson.loads(body), body.decode()
    except orjson.JSONDecodeError as error:
        raise RestError(400, "PGRST102", "Empty or invalid json", details=str(error)) from error


def _written(answer: dict[str, Any], preferences: Preferences) -> Response:
    headers = {"content-range": f"0-{answer['rows'] - 1}/*" if answer["rows"] else "*/*"}
    return _json(answer["body"], 200, headers) if preferences.seen else Response(status_code=204, headers=headers)


def _json(body: str, status: int, headers: dict[str, str]) -> Response:
    """`body` is JSON text already, written by Postgres."""
    return Response(body, status, headers, "application/json; charset=utf-8")
