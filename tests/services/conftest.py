from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg import AsyncConnection

from shared.content.platforms.base import Platform
from shared.db import Pool
from shared.model.client import open_client
from shared.pieces.job import Write
from shared.pieces.pictures import JobPictures
from shared.storage import Storage
from tests.conftest import TestDatabases
from tests.infra.local.gateway.process import RunningGateway, fresh_gateway
from tests.shared.model.provider import Provider, emulator, settings
from tests.shared.pieces.desk import Desk

OpenDesk = Callable[[str, Platform, Write], Awaitable[Desk]]


@pytest.fixture(scope="session")
def models_url() -> Iterator[str]:
    with emulator() as url:
        yield url


@pytest.fixture(scope="session")
def storage_gateway(databases: TestDatabases) -> Iterator[RunningGateway]:
    with fresh_gateway(databases) as gateway:
        yield gateway


@pytest.fixture
async def open_desk(
    models_url: str,
    storage_gateway: RunningGateway,
    pool: Pool,
    connection: AsyncConnection[Any],
    create_user: Callable[..., Awaitable[UUID]],
) -> AsyncIterator[OpenDesk]:
    """`open_desk(kind, platform, write)`: a worker for pieces around this test's database."""
    async with (
        httpx.AsyncClient(base_url=models_url) as http,
        open_client(settings(models_url)) as client,
        Storage(storage_gateway.url, storage_gateway.keys.service_key) as storage,
    ):
        provider = Provider(models_url, http, client, pool)
        await provider.reset()

        async def desk(kind: str, platform: Platform, write: Write) -> Desk:
            return Desk(
                kind=kind,
                platform=platform,
                write=write,
                pool=pool,
                connection=connection,
                user_id=await create_user("marketing"),
                gateway=provider.gateway(),
                provider=provider,
                pictures=JobPictures(storage),
                project=storage_gateway.url,
            )

        yield desk
