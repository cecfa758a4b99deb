from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.genai import Client
from psycopg import AsyncConnection

from shared.db import Pool, create_pool
from shared.engine.job import Lease
from shared.engine.store import JobStore
from shared.model.client import open_client
from shared.model.gateway import JobModels
from tests.shared.model.books import Books, Jobs
from tests.shared.model.provider import Provider, emulator, settings


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections as a service has them."""
    async with create_pool(database_url, max_size=10) as pool:
        yield pool


@pytest.fixture
def books(connection: AsyncConnection[Any]) -> Books:
    return Books(connection)


@pytest.fixture
async def jobs(connection: AsyncConnection[Any], pool: Pool, create_user: Callable[..., Awaitable[UUID]]) -> Jobs:
    return Jobs(connection, JobStore(pool), await create_user("marketing"))


@pytest.fixture
async def lease(jobs: Jobs) -> Lease:
    """The lease of a job that was just claimed."""
    return await jobs.claimed()


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    with emulator() as url:
        yield url


@pytest.fixture(scope="session")
async def client(emulator_url: str) -> AsyncIterator[Client]:
    """The SDK's client, as a service has one for all its jobs."""
    async with open_client(settings(emulator_url)) as client:
        yield client


@pytest.fixture(scope="session")
async def http(emulator_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """For the emulator's own paths."""
    async with httpx.AsyncClient(base_url=emulator_url) as http:
        yield http


@pytest.fixture
async def provider(emulator_url: str, http: httpx.AsyncClient, client: Client, pool: Pool) -> Provider:
    """The emulator without faults, its meter at zero."""
    provider = Provider(emulator_url, http, client, pool)
    await provider.reset()
    return provider


@pytest.fixture
def models(provider: Provider, lease: Lease) -> JobModels:
    """The models for the job that was just claimed."""
    return provider.models(lease)
