from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from psycopg import AsyncConnection
from pydantic import SecretStr

from services.dispatcher import app as app_module
from services.dispatcher.app import create_app
from services.dispatcher.settings import DispatcherSettings
from shared.engine.job import DueJob
from tests.shared.engine.jobs import Jobs

SECRET = "the-secret-of-today-0123456789"
PREVIOUS = "the-secret-of-yesterday-0123456789"


class NotedDelivery:
    """Notes what it is given, and does nothing with it."""

    keeps_in_memory = True

    def __init__(self) -> None:
        self.jobs: list[DueJob] = []

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        yield

    async def deliver(self, job: DueJob) -> None:
        self.jobs.append(job)


@pytest.fixture(autouse=True)
def own_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The applications under test leave the logging of the tests alone."""
    monkeypatch.setattr("services.dispatcher.app.configure_logging", lambda *_, **__: None)


@pytest.fixture
async def jobs(connection: AsyncConnection[Any], create_user: Callable[..., Any]) -> Jobs:
    return Jobs(connection, await create_user("marketing"))


@pytest.fixture
def delivery() -> NotedDelivery:
    return NotedDelivery()


@pytest.fixture
def settings(database_url: str) -> DispatcherSettings:
    return DispatcherSettings(
        database_url=SecretStr(database_url),
        webhook_secret=SecretStr(SECRET),
        webhook_secret_previous=SecretStr(PREVIOUS),
        worker_urls={},
    )


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    """The running dispatcher's client, with the secret in its headers."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://d", headers={"x-webhook-secret": SECRET}) as client,
    ):
        yield client


@pytest.fixture
async def dispatcher(settings: DispatcherSettings, delivery: NotedDelivery) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings, delivery)) as client:
        yield client


@pytest.fixture
async def dispatcher_without_database(
    monkeypatch: pytest.MonkeyPatch, delivery: NotedDelivery
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(app_module, "DATABASE_TIMEOUT_S", 0.2)
    settings = DispatcherSettings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        webhook_secret=SecretStr(SECRET),
        webhook_secret_previous=SecretStr(PREVIOUS),
        worker_urls={},
    )
    async with client_of(create_app(settings, delivery)) as client:
        yield client
