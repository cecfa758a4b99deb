"""Which tables, columns and functions there are, asked of Postgres for each request: a new one is there at once."""

from dataclasses import dataclass
from typing import Any

from infra.local.gateway.database import Connection
from infra.local.gateway.errors import RestError

SCHEMA = "public"

_TABLE = """
select a.attname as name, coalesce(a.attnum = any(i.indkey), false) as in_key
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relnamespace = %s::regnamespace and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by a.attnum
"""
_FUNCTIONS = """
select coalesce(p.proargnames, '{}') as names, p.proargmodes::text[] as modes, p.pronargs as inputs,
       p.pronargdefaults as defaults, p.proretset as returns_set,
       t.typtype = 'c' or t.typname = 'record' as returns_row, t.typname = 'void' as returns_nothing,
       array(select pg_catalog.format_type(type_id, null) from unnest(p.proargtypes) with ordinality as _(type_id, at)
             order by at) as types
from pg_catalog.pg_proc p join pg_catalog.pg_type t on t.oid = p.prorettype
where p.pronamespace = %s::regnamespace and p.proname = %s and p.prokind = 'f' and p.provariadic = 0
  and t.typname not in ('trigger', 'event_trigger')
"""


@dataclass(frozen=True)
class Table:
    """A table or view of schema `public`."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def check(self, column: str) -> str:
        """The column's name, when there is one. Raises `RestError` as Postgres would."""
        if column not in self.columns:
            raise RestError(400, "42703", f"column {self.name}.{column} does not exist")
        return column


@dataclass(frozen=True)
class Function:
    """A function of schema `public`. `types` are SQL text as Postgres writes it, by argument."""

    name: str
    types: dict[str, str]
    required: frozenset[str]
    returns_set: bool
    returns_row: bool
    returns_nothing: bool


async def find_table(connection: Connection, name: str) -> Table:
    """Raises `RestError` (404) when there is none of that name."""
    rows = [] if "\0" in name else await (await connection.execute(_TABLE, [SCHEMA, name])).fetchall()
    if not rows:
        raise RestError(404, "PGRST205", f"Could not find the table '{SCHEMA}.{name}' in the schema cache")
    columns = tuple(row["name"] for row in rows)
    return Table(name, columns, tuple(row["name"] for row in rows if row["in_key"]))


async def find_function(connection: Connection, name: str, arguments: frozenset[str]) -> Function:
    """The function that takes these arguments by name. Raises `RestError`: 404 for none, 300 for several."""
    rows = [] if "\0" in name else await (await connection.execute(_FUNCTIONS, [SCHEMA, name])).fetchall()
    fitting = [
        function
        for function in (_function(name, row) for row in rows)
        if function.required <= arguments <= function.types.keys()
    ]
    signature = f"{SCHEMA}.{name}({', '.join(sorted(arguments))})"
    if not fitting:
        raise RestError(404, "PGRST202", f"Could not find the function {signature} in the schema cache")
    if len(fitting) > 1:
        raise RestError(300, "PGRST203", f"Could not choose the best candidate function for {signature}")
    return fitting[0]


def _function(name: str, row: dict[str, Any]) -> Function:
    modes = row["modes"] or ["i"] * len(row["names"])
    inputs = [argument for argument, mode in zip(row["names"], modes, strict=True) if mode in {"i", "b"}]
    without_name = row["inputs"] != len([argument for argument in inputs if argument])
    # An argument without a name cannot be given by name: such a function never fits.
    required = {""} if without_name else inputs[: row["inputs"] - row["defaults"]]
    return Function(
        name,
        dict(zip(inputs, row["types"], strict=False)),
        frozenset(required),
        row["returns_set"],
        row["returns_row"],
        row["returns_nothing"],
    )
