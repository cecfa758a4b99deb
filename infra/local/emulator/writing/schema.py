"""Walks a JSON schema, Gemini's dialect or standard, and fills it: with suggestions where they fit, else by name."""

import copy
from typing import Any

from infra.local.emulator.writing.fields import FieldWriter, listed
from infra.local.emulator.writing.fit import fit

_ABSENT: Any = object()
_DEEPEST = 8
_LONGEST_TEXT = 4000

Json = dict[str, Any]


class SchemaFiller:
    """Makes instances of one schema."""

    def __init__(self, root: Json, writer: FieldWriter) -> None:
        self._root = root
        self._writer = writer

    def fill(self, suggestion: Any = _ABSENT) -> Any:
        """A valid instance, with the suggested values where the schema has a place for them."""
        return self._value(self._root, suggestion, name="", depth=0)

    def properties(self) -> dict[str, Json]:
        """The top-level properties, references resolved."""
        resolved = self._resolved(self._root)
        return {name: self._resolved(schema) for name, schema in (resolved.get("properties") or {}).items()}

    def _value(self, schema: Json, suggestion: Any, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema or schema.get("enum"):
            options = schema.get("enum") or [schema["const"]]
            return suggestion if suggestion in options else self._writer.choice(options, name)
        if suggestion is None and _nullable(schema):
            return None
        match _kind(schema):
            case "object":
                found: Any = self._object(schema, suggestion, depth)
            case "array":
                found = self._array(schema, suggestion, name, depth)
            case "integer" | "number" as kind:
                found = self._number(schema, suggestion, name, whole=kind == "integer")
            case "boolean":
                found = suggestion if isinstance(suggestion, bool) else self._writer.truth(name)
            case "null":
                found = None
            case _:
                found = self._string(schema, suggestion, name)
        return found

    def _object(self, schema: Json, suggestion: Any, depth: int) -> Json:
        given = suggestion if isinstance(suggestion, dict) else {}
        properties: dict[str, Json] = schema.get("properties") or {}
        required = schema.get("required") or []
        if not properties:
            return copy.deepcopy(given)
        order = schema.get("propertyOrdering") or schema.get("property_ordering") or list(properties)
        found: Json = {}
        for name in [*order, *(name for name in properties if name not in order)]:
            # A recursive schema ends where nothing more is required.
            if name in properties and (name in required or depth < _DEEPEST):
                found[name] = self._value(properties[name], given.get(name, _ABSENT), name, depth + 1)
        return found

    def _array(self, schema: Json, suggestion: Any, name: str, depth: int) -> list[Any]:
        low, high = _bound(schema, "minItems", 0), _bound(schema, "maxItems", 50)
        items = schema.get("items") or {"type": "string"}
        given = list(suggestion)[:high] if isinstance(suggestion, list) else None
        if given is None and _kind(self._resolved(items)) == "string" and not self._resolved(items).get("enum"):
            known = self._writer.items(name)
            given = known[: listed(schema.get("description", ""), low, high)] if known else None
        if given is None:
            too_deep = depth >= _DEEPEST - 1
            given = [_ABSENT] * (low if too_deep else listed(schema.get("description", ""), max(low, 1), high))
        given += [_ABSENT] * (low - len(given))
        return [self._value(items, value, _singular(name), depth + 1) for value in given]

    def _number(self, schema: Json, suggestion: Any, name: str, *, whole: bool) -> float | int:
        low, high = _edge(schema, "minimum", "exclusiveMinimum", +1), _edge(schema, "maximum", "exclusiveMaximum", -1)
        wanted = suggestion if isinstance(suggestion, int | float) and not isinstance(suggestion, bool) else None
        value = wanted if wanted is not None else self._writer.number(name)
        if value is None:
            value = (low + high) / 2 if low is not None and high is not None else (low if low is not None else 1)
        if wanted is None and high is not None and value > high >= 1 and value > 1:
            value = high * min(value, 100) / 100
        value = min(value, high) if high is not None else value
        value = max(value, low) if low is not None else value
        return round(value) if whole else float(value)

    def _string(self, schema: Json, suggestion: Any, name: str) -> str:
        low, high = _bound(schema, "minLength", 0), _bound(schema, "maxLength", _LONGEST_TEXT)
        if schema.get("format") in {"date", "date-time"}:
            date = self._writer.text("date", "", 0, 10)
            return date if schema["format"] == "date" else f"{date}T00:00:00Z"
        if isinstance(suggestion, str):
            return fit(suggestion, low, high, [suggestion]) if suggestion or low else suggestion
        if isinstance(suggestion, int | float):
            return str(suggestion)
        return self._writer.text(name, f"{schema.get('title', '')} {schema.get('description', '')}", low, high)

    def _resolved(self, schema: Json, depth: int = 0) -> Json:
        if depth > _DEEPEST or not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            target: Any = self._root
            for step in schema["$ref"].lstrip("#/").split("/"):
                target = target.get(step, {}) if isinstance(target, dict) else {}
            return self._resolved(
                {**target, **{key: value for key, value in schema.items() if key != "$ref"}}, depth + 1
            )
        for name in ("anyOf", "any_of", "oneOf"):
            if schema.get(name):
                options = [self._resolved(option, depth + 1) for option in schema[name]]
                solid = [option for option in options if _kind(option) != "null"]
                chosen = solid[0] if solid else options[0]
                outer = {key: value for key, value in schema.items() if key != name and value is not None}
                return {**chosen, **outer, "nullable": _nullable(schema) or len(solid) < len(options)}
        if schema.get("allOf"):
            merged: Json = {key: value for key, value in schema.items() if key != "allOf"}
            for option in schema["allOf"]:
                merged = {**self._resolved(option, depth + 1), **merged}
            return merged
        return schema


def _kind(schema: Json) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind).lower()


def _nullable(schema: Json) -> bool:
    return bool(schema.get("nullable")) or (isinstance(schema.get("type"), list) and "null" in schema["type"])


def _bound(schema: Json, name: str, default: int) -> int:
    snake = {"minItems": "min_items", "maxItems": "max_items", "minLength": "min_length", "maxLength": "max_length"}[
        name
    ]
    value = schema.get(name, schema.get(snake))
    # Gemini's own dialect writes 64-bit numbers as text.
    return default if value is None else int(value)


def _edge(schema: Json, inclusive: str, exclusive: str, step: int) -> float | None:
    if schema.get(inclusive) is not None:
        return float(schema[inclusive])
    if schema.get(exclusive) is not None:
        return float(schema[exclusive]) + (step if _kind(schema) == "integer" else step * 1e-6)
    return None


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name.removesuffix("s") if len(name) > 3 else name
