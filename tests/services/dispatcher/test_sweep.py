"""What no webhook announced is found all the same."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from services.dispatcher.app import create_app
from services.dispatcher.settings import DispatcherSettings
from shared.db import create_pool
from shared.engine.store import JobStore
from tests.services.dispatcher.conftest import SECRET, NotedDelivery
from tests.shared.engine.jobs import Jobs, eventually
from tests.shared.engine.wire import wire


async def test_a_sweep_delivers_what_is_due_and_nothing_else(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs
) -> None:
    unannounced = await jobs.enqueue()
    await jobs.enqueue(scheduled_for=datetime.now(UTC) + timedelta(hours=1))
    cancelled = await jobs.enqueue()
    await jobs.cancel(cancelled)
    response = await dispatcher.post("/sweep")
    assert (response.status_code, response.json()) == (200, {"due": 1})
    assert [job.id for job in delivery.jobs] == [unannounced]


async def test_a_sweep_takes_back_the_jobs_of_silent_workers(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs, database_url: str
) -> None:
    job_id = await jobs.enqueue()
    async with create_pool(database_url, max_size=1) as pool:
        assert await JobStore(pool).claim(job_id, "silent", ["echo"]) is not None
    assert (await dispatcher.post("/sweep")).json() == {"due": 0}
    await jobs.expire_lease(job_id)
    assert (await dispatcher.post("/sweep")).json() == {"due": 1}
    assert await jobs.events(job_id) == ["queued", "claimed", "lease_expired"]


async def test_its_own_sweeps_go_on_through_a_database_outage(
    database_url: str, delivery: NotedDelivery, jobs: Jobs
) -> None:
    async with wire(database_url) as line:
        settings = DispatcherSettings(
            database_url=SecretStr(line.url),
            webhook_secret=SecretStr(SECRET),
            worker_urls={},
            sweep_interval_s=0.05,
        )
        app = create_app(settings, delivery)
        async with app.router.lifespan_context(app):
            first = await jobs.enqueue()
            await eventually(lambda: first in {job.id for job in delivery.jobs})
            await line.cut()
            await asyncio.sleep(0.2)
            second = await jobs.enqueue()
            await line.mend()
            await eventually(lambda: second in {job.id for job in delivery.jobs}, within_s=20)


async def test_a_job_whose_time_comes_between_two_sweeps_wakes_the_sweeper(
    settings: DispatcherSettings, delivery: NotedDelivery, jobs: Jobs
) -> None:
    seldom = settings.model_copy(update={"sweep_interval_s": 3600.0})
    due_at = [datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (2, 2.05, 3)]
    ids = [await jobs.enqueue(scheduled_for=moment) for moment in due_at]
    app = create_app(seldom, delivery)
    async with app.router.lifespan_context(app):
        await eventually(lambda: list(dict.fromkeys(job.id for job in delivery.jobs)) == ids)
    assert datetime.now(UTC) >= due_at[-1]


async def test_without_a_database_a_sweep_says_so_and_the_dispatcher_is_not_ready(
    dispatcher_without_database: httpx.AsyncClient,
) -> None:
    client = dispatcher_without_database
    swept, ready, alive = await asyncio.gather(client.post("/sweep"), client.get("/readyz"), client.get("/healthz"))
    assert (swept.status_code, swept.json()["error"]) == (503, "database_unavailable")
    assert (ready.status_code, alive.status_code) == (503, 200)


async def test_the_dispatcher_is_ready_when_the_database_has_the_engine(dispatcher: httpx.AsyncClient) -> None:
    assert (await dispatcher.get("/readyz")).json() == {"status": "ready"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_secret": SecretStr("short")},
        {"webhook_secret_previous": SecretStr("short")},
        {"delivery": "cloud_tasks"},
        {"sweep_interval_s": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: DispatcherSettings, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DispatcherSettings(**(settings.model_dump() | wrong))
