"""Refusals, each in the shape of the interface that was spoken to.

Supabase's Storage answers most errors with HTTP status 400 and the real one in the body. Here both are the real one:
clients read the body.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout


class GatewayError(Exception):
    """An answer other than success. Each interface has a subclass with its own body."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        return {"message": self.message, "code": self.code}


class ApiKeyError(GatewayError):
    """No API key, or an unknown one: refused before any of the interfaces is reached, as Supabase's proxy does."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(401, "api_key", message)
        self.hint = hint

    def body(self) -> dict[str, Any]:
        return {"message": self.message, "hint": self.hint}


class AuthError(GatewayError):
    """Auth's shape of its dated API version, which the clients ask for in a header, and of the one before."""

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "error_code": self.code, "msg": self.message}


class StorageError(GatewayError):
    """Storage's shape: the status as text, a short name, a sentence."""

    def body(self) -> dict[str, Any]:
        return {"statusCode": str(self.status), "error": self.code, "message": self.message}


class RestError(GatewayError):
    """PostgREST's shape. `code` is an SQLSTATE or one of PostgREST's own codes."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message, headers=headers)
        self.details = details
        self.hint = hint

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "details": self.details, "hint": self.hint}


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON; dates and UUIDs as text."""
    return Response(orjson.dumps(content, default=str), status, dict(headers or {}), "application/json")


def install_error_answers(app: FastAPI) -> None:
    """Makes the app answer `GatewayError`s in their shape, and a database that is away with 503."""

    async def answer(_request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)
        return json_response(error.body(), error.status, error.headers)

    async def answer_database(_request: Request, error: Exception) -> Response:
        busy = isinstance(error, PoolTimeout) or getattr(error, "sqlstate", None) is None
        status = 503 if busy else 500
        return json_response({"code": "unexpected_failure", "message": str(error), "msg": str(error)}, status)

    app.add_exception_handler(GatewayError, answer)
    app.add_exception_handler(DatabaseError, answer_database)
