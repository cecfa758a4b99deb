from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from shared.db import create_pool
from shared.engine.draining import Drain
from shared.engine.runner import AttemptEnd, Handler, run_attempt
from shared.engine.store import JobStore
from tests.shared.engine.jobs import Jobs

Run = Callable[..., Coroutine[Any, Any, AttemptEnd]]


@pytest.fixture(autouse=True)
def own_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The applications under test leave the logging of the tests alone."""
    monkeypatch.setattr("shared.engine.worker.configure_logging", lambda *_, **__: None)


@pytest.fixture
async def jobs(connection: AsyncConnection[Any], create_user: Callable[..., Any]) -> Jobs:
    return Jobs(connection, await create_user("marketing"))


@pytest.fixture
def run(store: JobStore) -> Run:
    """`await run(handler, job_id)` is one attempt."""

    async def run(handler: Handler, job_id: UUID, *, drain: Drain | None = None) -> AttemptEnd:
        return await run_attempt(store, {"echo": handler}, job_id, "w", drain)

    return run


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[JobStore]:
    async with create_pool(database_url, max_size=20, timeout_s=2) as pool:
        yield JobStore(pool)
