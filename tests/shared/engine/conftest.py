from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from psycopg import AsyncConnection

from shared.db import create_pool
from shared.engine.store import JobStore
from tests.shared.engine.jobs import Jobs


@pytest.fixture(autouse=True)
def plain_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines to whatever stdout is now. (The default draws tracebacks with all locals, which takes seconds.)"""
    monkeypatch.setattr("shared.engine.worker.configure_logging", lambda *_, **__: None)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(["event"]),
        ],
        cache_logger_on_first_use=False,
    )


@pytest.fixture
async def jobs(connection: AsyncConnection[Any], create_user: Callable[..., Any]) -> Jobs:
    return Jobs(connection, await create_user("marketing"))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[JobStore]:
    async with create_pool(database_url, max_size=20, timeout_s=2) as pool:
        yield JobStore(pool)
