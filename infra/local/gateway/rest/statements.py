"""The SQL of a request. Names are quoted identifiers that were found in the catalogue; values are parameters."""

from collections.abc import Sequence
from typing import Any, LiteralString, cast

from psycopg import sql

from infra.local.gateway.errors import RestError
from infra.local.gateway.rest.query import Column, Filter, Order, Query, unsupported
from infra.local.gateway.rest.schema import SCHEMA, Function, Table

Statement = tuple[sql.Composed, dict[str, Any]]

_OPERATORS: dict[str, LiteralString] = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "like",
    "ilike": "ilike",
    "cs": "@>",
}
_IS: dict[str, LiteralString] = {
    "null": "is null",
    "not_null": "is not null",
    "true": "is true",
    "false": "is false",
    "unknown": "is unknown",
}

# Postgres writes the JSON: types come out as PostgREST's do. `total` is null when nobody asked to count.
# `_answer` stands for a whole row as long as no column has that name.
_SELECT = sql.SQL("""
with _answer as (select {columns} from {table} {where} {order} {limit})
select coalesce(json_agg(_answer), '[]')::text as body, count(*) as rows, {total} as total from _answer
""")
_WRITE = sql.SQL("""
with _answer as ({write} returning {columns})
select coalesce(json_agg(_answer), '[]')::text as body, count(*) as rows, null as total from _answer
""")
_WRITE_UNSEEN = sql.SQL("""
with _answer as ({write} returning 1)
select '' as body, count(*) as rows, null as total from _answer
""")
_COUNT = sql.SQL("(select count(*) from {table} {where})")
_INSERT = sql.SQL("""
insert into {table} ({columns})
select {columns} from json_populate_recordset(null::{table}, %(body)s::json) {conflict}
""")
_INSERT_DEFAULTS = sql.SQL("insert into {table} default values")
_UPDATE = sql.SQL("""
update {table} set {changes} from json_populate_record(null::{table}, %(body)s::json) as given_values {where}
""")
_DELETE = sql.SQL("delete from {table} {where}")
_CALL = sql.SQL("""
with given as (select * from {given}),
_answer as (select {picked} from given, lateral {function}({arguments}) as called)
select {body}::text as body, count(*) as rows, null as total from _answer
""")


def select_rows(table: Table, query: Query, *, counted: bool) -> Statement:
    """Rows with their number, and of all the pages together if asked."""
    parameters: dict[str, Any] = {"limit": query.limit, "offset": query.offset}
    where = _where(table, query.filters, parameters)
    statement = _SELECT.format(
        columns=_columns(table, query.select),
        table=_table(table),
        where=where,
        order=_order(table, query.order),
        limit=sql.SQL("limit %(limit)s offset %(offset)s"),
        total=_COUNT.format(table=_table(table), where=where) if counted else sql.SQL("null"),
    )
    return statement, parameters


def insert_rows(
    table: Table, query: Query, columns: Sequence[str], body: str, *, merge: bool | None, seen: bool
) -> Statement:
    """New rows. `merge`: None refuses duplicates, True overwrites the old row, False keeps it."""
    if not columns:
        return _returning(table, query, _INSERT_DEFAULTS.format(table=_table(table)), seen=seen), {}
    write = _INSERT.format(
        table=_table(table),
        columns=_names(table, columns),
        conflict=sql.SQL("") if merge is None else _on_conflict(table, query, columns, merge=merge),
    )
    return _returning(table, query, write, seen=seen), {"body": body}


def update_rows(table: Table, query: Query, columns: Sequence[str], body: str, *, seen: bool) -> Statement:
    """Changes the rows that the filters find. Raises `RestError` without a filter, as a Supabase project does."""
    _needs_filter("UPDATE", query)
    parameters: dict[str, Any] = {"body": body}
    changes = sql.SQL(", ").join(
        sql.SQL("{name} = given_values.{name}").format(name=sql.Identifier(table.check(column))) for column in columns
    )
    write = _UPDATE.format(table=_table(table), changes=changes, where=_where(table, query.filters, parameters))
    return _returning(table, query, write, seen=seen), parameters


def delete_rows(table: Table, query: Query, *, seen: bool) -> Statement:
    """Removes the rows that the filters find. Raises `RestError` without a filter, as a Supabase project does."""
    _needs_filter("DELETE", query)
    parameters: dict[str, Any] = {}
    write = _DELETE.format(table=_table(table), where=_where(table, query.filters, parameters))
    return _returning(table, query, write, seen=seen), parameters


def call_function(function: Function, given: Sequence[str], body: str) -> Statement:
    """Calls it once, with the arguments given by name in a JSON object."""
    # Type names are Postgres's own text (format_type), quoted where they need it: not a client's.
    typed = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(cast("LiteralString", function.types[name])))
        for name in given
    ]
    source = sql.SQL("json_to_record(%(body)s::json) as _({})").format(sql.SQL(", ").join(typed))
    value = sql.SQL("json_agg(_answer)" if function.returns_row else "json_agg(_answer.value)")
    statement = _CALL.format(
        given=source if given else sql.SQL("(select 1) as _"),
        picked=sql.SQL("called.*" if function.returns_row else "called as value"),
        function=sql.Identifier(SCHEMA, function.name),
        arguments=sql.SQL(", ").join(sql.SQL("{name} => given.{name}").format(name=sql.Identifier(n)) for n in given),
        body=sql.SQL("coalesce({}, '[]')" if function.returns_set else "({} -> 0)").format(value),
    )
    return statement, {"body": body} if given else {}


def _returning(table: Table, query: Query, write: sql.Composed, *, seen: bool) -> sql.Composed:
    if not seen:
        return _WRITE_UNSEEN.format(write=write)
    return _WRITE.format(write=write, columns=_columns(table, query.select))


def _on_conflict(table: Table, query: Query, columns: Sequence[str], *, merge: bool) -> sql.Composed:
    target = query.on_conflict or table.key
    if not target:
        raise unsupported(f"an upsert into {table.name}, which has no primary key, without on_conflict")
    changes = sql.SQL(", ").join(sql.SQL("{name} = excluded.{name}").format(name=sql.Identifier(c)) for c in columns)
    action = sql.SQL("do update set {}").format(changes) if merge else sql.SQL("do nothing")
    return sql.SQL("on conflict ({}) {}").format(_names(table, target), action)


def _needs_filter(verb: str, query: Query) -> None:
    if not query.filters:
        raise RestError(400, "21000", f"{verb} requires a WHERE clause")
    if query.order or query.limit is not None or query.offset:
        raise unsupported(f"order, limit and offset of {verb}")


def _table(table: Table) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table.name)


def _column(table: Table, name: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table.name, table.check(name))


def _names(table: Table, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(table.check(name)) for name in names)


def _columns(table: Table, columns: Sequence[Column]) -> sql.Composed:
    parts: list[sql.Composable] = []
    for column in columns:
        if column.name == "*":
            parts.extend(_column(table, name) for name in table.columns)
        elif column.alias:
            parts.append(sql.SQL("{} as {}").format(_column(table, column.name), sql.Identifier(column.alias)))
        else:
            parts.append(_column(table, column.name))
    return sql.SQL(", ").join(parts)


def _where(table: Table, filters: Sequence[Filter], parameters: dict[str, Any]) -> sql.Composed:
    if not filters:
        return sql.Composed([])
    conditions = [_condition(table, item, parameters) for item in filters]
    return sql.SQL("where {}").format(sql.SQL(" and ").join(conditions))


def _condition(table: Table, item: Filter, parameters: dict[str, Any]) -> sql.Composed:
    column = _column(table, item.column)
    negation = sql.SQL("not " if item.negated else "")
    if item.operator == "is":
        return sql.SQL("({}{} {})").format(negation, column, sql.SQL(_IS[item.value]))
    if item.operator == "in":
        if not item.values:
            return sql.SQL("({}false)").format(negation)
        placeholders = sql.SQL(", ").join(_placeholder(parameters, value) for value in item.values)
        return sql.SQL("({}{} in ({}))").format(negation, column, placeholders)
    value = item.value.replace("*", "%") if item.operator in {"like", "ilike"} else item.value
    operator = sql.SQL(_OPERATORS[item.operator])
    return sql.SQL("({}{} {} {})").format(negation, column, operator, _placeholder(parameters, value))


def _placeholder(parameters: dict[str, Any], value: str) -> sql.Placeholder:
    """Sent as text of no type, so that Postgres reads it as the column's type, as it would a literal."""
    name = f"p{len(parameters)}"
    parameters[name] = value
    return sql.Placeholder(name)


def _order(table: Table, order: Sequence[Order]) -> sql.Composed:
    if not order:
        return sql.Composed([])
    nulls: dict[bool | None, LiteralString] = {None: "", True: " nulls first", False: " nulls last"}
    parts = [
        sql.SQL("{} {}{}").format(
            _column(table, item.column), sql.SQL("desc" if item.descending else "asc"), sql.SQL(nulls[item.nulls_first])
        )
        for item in order
    ]
    return sql.SQL("order by {}").format(sql.SQL(", ").join(parts))
