"""How the caller wants the answer: the headers `Prefer`, `Accept` and the schema."""

from dataclasses import dataclass

from fastapi import Request

from infra.local.gateway.errors import RestError
from infra.local.gateway.rest.query import unsupported
from infra.local.gateway.rest.schema import SCHEMA

_ONE_OBJECT = "application/vnd.pgrst.object+json"
_ROWS = {"application/json", "application/vnd.pgrst.array+json", "application/*", "*/*"}
_KNOWN = {
    "return": {"representation", "minimal", "headers-only"},
    "count": {"exact", "planned", "estimated"},
    "resolution": {"merge-duplicates", "ignore-duplicates"},
    "missing": {"default", "null"},
    "handling": {"strict", "lenient"},
}


@dataclass(frozen=True)
class Preferences:
    """`merge` says what to do with duplicates (None: refuse them). A planned or estimated count is exact here."""

    seen: bool
    counted: bool
    merge: bool | None
    missing_is_default: bool
    one_object: bool


def read_preferences(request: Request) -> Preferences:
    """Reads the headers. Raises `RestError` for a preference, type or schema that is not served."""
    for header in ("accept-profile", "content-profile"):
        if request.headers.get(header, SCHEMA) != SCHEMA:
            raise RestError(406, "PGRST106", f"The schema must be one of the following: {SCHEMA}")
    wanted: dict[str, str] = {}
    for item in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = item.strip().partition("=")
        if name and value not in _KNOWN.get(name, ()):
            raise unsupported(f"the preference {item.strip()!r}")
        wanted[name] = value
    return Preferences(
        seen=wanted.get("return") == "representation",
        counted="count" in wanted,
        merge={"merge-duplicates": True, "ignore-duplicates": False}.get(wanted.get("resolution", "")),
        missing_is_default=wanted.get("missing") == "default",
        one_object=_wants_one_object(request.headers.get("accept", "*/*")),
    )


def _wants_one_object(accept: str) -> bool:
    types = [entry.replace(" ", "").partition(";q=")[0] for entry in accept.split(",")]
    if _ONE_OBJECT in types:
        return True
    if not _ROWS & {entry.partition(";")[0] for entry in types if "nulls=stripped" not in entry}:
        raise RestError(406, "PGRST107", f"None of these media types are available: {accept}")
    return False
