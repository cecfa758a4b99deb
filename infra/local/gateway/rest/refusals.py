"""What the database refuses, as PostgREST answers it: the SQLSTATE decides the HTTP status."""

import re

from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from infra.local.gateway.errors import RestError

_EXACT = {
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "57P01": 503,
    "P0001": 400,
}
_CLASS = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}
_INSUFFICIENT_PRIVILEGE = "42501"


def refusal_of(error: DatabaseError, *, anonymous: bool) -> RestError:
    """The answer to an error of Postgres. `PT4xx` raised by a function is HTTP status 4xx."""
    if error.sqlstate is None or isinstance(error, PoolTimeout):
        if error.__class__.__name__ == "DataError":  # found by the driver before it was sent, such as a NUL in a text
            return RestError(400, "22P05", str(error))
        return RestError(503, "PGRST000", "Could not connect with the database", details=str(error))
    return RestError(
        _status(error.sqlstate, anonymous=anonymous),
        error.sqlstate,
        error.diag.message_primary or "",
        details=error.diag.message_detail,
        hint=error.diag.message_hint,
    )


def _status(sqlstate: str, *, anonymous: bool) -> int:
    if sqlstate == _INSUFFICIENT_PRIVILEGE:
        return 401 if anonymous else 403
    if re.fullmatch(r"PT[1-5]\d\d", sqlstate):
        return int(sqlstate[2:])
    return _EXACT.get(sqlstate) or _CLASS.get(sqlstate[:2]) or 400
