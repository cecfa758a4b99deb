from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from shared.db import Pool
from shared.engine.job import Lease
from shared.engine.store import JobStore
from tests.shared.model.books import Books, Jobs


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
