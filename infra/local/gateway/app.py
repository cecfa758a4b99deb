"""The gateway's application: `uvicorn infra.local.gateway.app:create_app --factory`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from psycopg import Error as DatabaseError
from starlette.middleware.cors import CORSMiddleware

from infra.local.gateway import identity
from infra.local.gateway.auth import routes as auth
from infra.local.gateway.auth.sessions import create_tables
from infra.local.gateway.database import create_pool
from infra.local.gateway.errors import install_error_answers, json_response
from infra.local.gateway.keys import load_or_create
from infra.local.gateway.rest import routes as rest
from infra.local.gateway.settings import GatewaySettings
from infra.local.gateway.state import Gateway, GatewayDep
from infra.local.gateway.storage import buckets, catalog, downloads, uploads
from infra.local.gateway.storage.files import FileStore
from infra.local.gateway.tokens import Tokens
from infra.local.identity import IdentityIssuer, issuer_of, load_key

_READY = "select to_regclass('auth.users') is not null and to_regclass('storage.objects') is not null as ready"


def create_app() -> FastAPI:
    """Puts the parts together from the environment."""
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue]
    gateway = Gateway(
        pool=create_pool(settings.database_url),
        tokens=Tokens(load_or_create(settings.gateway_state_dir), settings.issuer),
        files=FileStore(settings.gateway_state_dir / "storage"),
        identities=IdentityIssuer(load_key(settings.gateway_state_dir), issuer_of(settings.supabase_url)),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with gateway.pool:
            await create_tables(gateway.pool)
            yield

    app = FastAPI(title="Local Supabase gateway", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.gateway = gateway
    # A front end on another port: as open as Supabase's own proxy.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["content-range", "x-supabase-api-version"],
    )
    install_error_answers(app)
    _add_health(app)
    # `downloads.last_router` takes what the more exact paths before it left over.
    for router in (
        identity.router,
        auth.public_router,
        auth.router,
        rest.router,
        buckets.router,
        downloads.router,
        catalog.router,
        uploads.router,
        downloads.last_router,
    ):
        app.include_router(router)
    return app


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @app.get("/readyz")
    async def readyz(gateway: GatewayDep) -> Response:
        try:
            async with gateway.pool.connection(timeout=2) as connection:
                row = await (await connection.execute(_READY)).fetchone()
        except DatabaseError as error:
            return json_response({"status": "unavailable", "reason": str(error)}, 503)
        ready = bool(row and row["ready"])
        return json_response({"status": "ready" if ready else "unavailable"}, 200 if ready else 503)
