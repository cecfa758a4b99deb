"""What every service's HTTP side has alike: JSON errors, headers, health. No page describes it to strangers."""

import gc
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.engine.deadline import within

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

READY_WITHIN_S = 2.0

_log = structlog.get_logger(__name__)

_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
}


class Refusal(Exception):
    """An answer other than success. `error` is for programs, `message` says what to do."""

    def __init__(self, status: int, error: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers

    def response(self) -> JSONResponse:
        """The refusal as `{"error", "message"}`."""
        return error_response(self.status, self.error, self.message, self.headers)


def error_response(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The one shape of errors: `{"error": …, "message": …}`."""
    return JSONResponse({"error": error, "message": message}, status, headers)


class Problem(BaseModel):
    """The body of every error."""

    error: str
    message: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: the errors that it may answer, in the description of the service."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}


def create_service_app(
    title: str,
    *,
    lifespan: Lifespan,
    is_ready: Callable[[], Coroutine[Any, Any, bool]],
) -> FastAPI:
    """An application with `GET /healthz` (the process runs), `GET /readyz` (`is_ready` says so), and nothing else.

    `is_ready` may raise `psycopg.Error`, which counts as no, as does no answer within two seconds. Errors say nothing
    of the server's insides.
    """
    app = FastAPI(title=title, lifespan=_settled(lifespan), docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_SecurityHeaders)
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_defect)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    async def readyz() -> JSONResponse:
        try:
            ready = await within(READY_WITHIN_S, is_ready())
        except (psycopg.Error, TimeoutError) as error:
            _log.warning("not_ready", error=str(error).strip() or "no answer in time")
            ready = False
        if ready:
            return JSONResponse({"status": "ready"})
        return error_response(
            503, "not_ready", "The service cannot take work at the moment. Try again in a few seconds."
        )

    app.get("/healthz")(healthz)
    app.get("/readyz", responses=refusals(503))(readyz)
    return app


def _settled(lifespan: Lifespan) -> Lifespan:
    """The lifespan, with what was loaded by its start kept out of the garbage collector's rounds.

    Modules and routes live as long as the process; walking them again and again took a tenth of a worker's CPU time.
    """

    @asynccontextmanager
    async def settled(app: FastAPI) -> AsyncGenerator[None]:
        async with lifespan(app):
            gc.collect()
            gc.freeze()
            yield
        gc.unfreeze()

    return settled


async def _on_refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)  # noqa: S101  FastAPI calls handlers by type
    return error.response()


async def _on_http_exception(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = HTTPStatus(error.status_code)
    return error_response(status, status.name.lower(), str(error.detail), dict(error.headers or {}))


async def _on_validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
    return error_response(422, "invalid_request", "; ".join(problems))


async def _on_defect(_: Request, error: Exception) -> JSONResponse:
    _log.error("request_crashed", exc_info=error)
    return error_response(500, "internal", "Something went wrong on our side. Try again; the log has the details.")


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
