"""What a request asks for, read from its query string. Knows no SQL and no database."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infra.local.gateway.errors import RestError

# Their SQL is in `statements.py`.
COMPARISONS = ("eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "cs")
IS_VALUES = ("null", "not_null", "true", "false", "unknown")
_ALIAS = re.compile(r"(?P<alias>[A-Za-z_]\w{0,62}):(?P<column>[^:].*)", re.ASCII)
_UNSUPPORTED_IN_NAMES = ("(", ")", "->", "::", ".", "!", "*", " ")


@dataclass(frozen=True)
class Column:
    """A column of the answer. `name` is `*` for all of them."""

    name: str
    alias: str | None = None


@dataclass(frozen=True)
class Filter:
    """`column operator value`. The value of `in` has been taken apart into `values`."""

    column: str
    operator: str
    value: str = ""
    values: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class Order:
    """One column to sort by; `nulls_first` None is Postgres's own choice."""

    column: str
    descending: bool = False
    nulls_first: bool | None = None


@dataclass(frozen=True)
class Query:
    """A whole query string. `columns` are those that a bulk insert names."""

    select: tuple[Column, ...] = (Column("*"),)
    filters: tuple[Filter, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    columns: tuple[str, ...] = ()
    on_conflict: tuple[str, ...] = ()


def unsupported(what: str) -> RestError:
    """The refusal of what PostgREST would take."""
    hint = "This local gateway serves a part of PostgREST: see infra/local/gateway/rest/."
    return RestError(400, "PGRST100", f"not supported here: {what}", hint=hint)


def parse_query(parameters: Iterable[tuple[str, str]]) -> Query:
    """Reads the decoded parameters of a query string. Raises `RestError` (400) for what it does not know."""
    single: dict[str, str] = {}
    filters: list[Filter] = []
    for key, value in parameters:
        if key in {"select", "order", "limit", "offset", "columns", "on_conflict"}:
            single[key] = value
        elif key in {"and", "or", "not.and", "not.or"} or "." in key or "->" in key:
            raise unsupported(f"the filter {key}")
        else:
            filters.append(parse_filter(_name(key), value))
    return Query(
        select=tuple(_columns(single.get("select", "*"))),
        filters=tuple(filters),
        order=tuple(_order(single.get("order", ""))),
        limit=_count(single, "limit"),
        offset=_count(single, "offset") or 0,
        columns=tuple(_name(item) for item in split(single.get("columns", ""))),
        on_conflict=tuple(_name(item) for item in split(single.get("on_conflict", ""))),
    )


def parse_filter(column: str, text: str) -> Filter:
    """Reads `eq.5`, `not.is.null`, `in.(a,"b,c")`. Raises `RestError` for another operator or value."""
    operator, dot, value = text.partition(".")
    negated = operator == "not" and bool(dot)
    if negated:
        operator, dot, value = value.partition(".")
    if not dot:
        raise RestError(400, "PGRST100", f'"failed to parse filter ({text})"', details=f"no operator in {text!r}")
    if operator in COMPARISONS:
        return Filter(column, operator, value, negated=negated)
    if operator == "is" and value.lower() in IS_VALUES:
        return Filter(column, operator, value.lower(), negated=negated)
    if operator == "in" and value.startswith("(") and value.endswith(")"):
        return Filter(column, operator, values=tuple(unquote(item) for item in split(value[1:-1])), negated=negated)
    raise unsupported(f"the filter {text!r} on {column}")


def parse_range(header: str | None) -> tuple[int, int | None]:
    """Offset and limit in a `Range: 0-19` header. Raises `RestError` (416) when it runs backwards."""
    match = re.fullmatch(r"(?:items=)?(\d{1,18})-(\d{1,18})?", header or "")
    if match is None:
        return 0, None
    first, last = int(match[1]), match[2]
    if last is not None and int(last) < first:
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details="The lower boundary is greater.")
    return first, None if last is None else int(last) - first + 1


def split(text: str) -> Iterator[str]:
    """The parts between commas; a comma inside double quotes is a character like any other."""
    if not text:
        return
    part, quoted, escaped = "", False, False
    for character in text:
        if character == "," and not quoted:
            yield part
            part = ""
            continue
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and quoted and not escaped
        part += character
    if quoted:
        raise RestError(400, "PGRST100", "an opening quote has no end", details=text)
    yield part


def unquote(text: str) -> str:
    """Without the double quotes around it, and the backslashes inside of those."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _columns(text: str) -> Iterator[Column]:
    for item in split(text):
        match = _ALIAS.fullmatch(item)
        if item == "*":
            yield Column("*")
        elif match:
            yield Column(_name(match["column"]), match["alias"])
        else:
            yield Column(_name(item))


def _order(text: str) -> Iterator[Order]:
    for item in split(text):
        column, *words = item.split(".")
        if not set(words) <= {"asc", "desc", "nullsfirst", "nullslast"}:
            raise unsupported(f"the order {item!r}")
        nulls = {"nullsfirst": True, "nullslast": False}
        nulls_first = next((nulls[word] for word in words if word in nulls), None)
        yield Order(_name(column), "desc" in words, nulls_first)


def _name(text: str) -> str:
    """One column's name. What would be more than a name is refused."""
    if text.startswith('"'):
        return unquote(text)
    if not text or any(mark in text for mark in _UNSUPPORTED_IN_NAMES):
        raise unsupported(f"{text!r} in place of a column")
    return text


def _count(single: dict[str, str], key: str) -> int | None:
    text = single.get(key)
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise RestError(400, "PGRST100", f"{key} must be a whole number, not {text!r}")
    return int(text)
