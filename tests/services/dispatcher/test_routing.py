"""Deliveries that are made inside the request, and those that fail."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from services.dispatcher.app import create_app
from services.dispatcher.settings import DispatcherSettings
from shared.engine.job import DueJob
from tests.services.dispatcher.conftest import NotedDelivery, client_of
from tests.services.dispatcher.test_webhook import URL, hint
from tests.shared.engine.jobs import Jobs, eventually


class QueuedElsewhere(NotedDelivery):
    """As Cloud Tasks: nothing may be left to do after the answer."""

    keeps_in_memory = False

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        yield

    async def deliver(self, job: DueJob) -> None:
        if self.broken:
            raise ConnectionError("the queue is away")
        await super().deliver(job)


@pytest.fixture
def elsewhere() -> QueuedElsewhere:
    return QueuedElsewhere()


@pytest.fixture
async def cloud_dispatcher(
    settings: DispatcherSettings, elsewhere: QueuedElsewhere
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings, elsewhere)) as client:
        yield client


async def test_a_queue_elsewhere_has_the_jobs_before_the_answer(
    cloud_dispatcher: httpx.AsyncClient, elsewhere: QueuedElsewhere, jobs: Jobs
) -> None:
    ids = await jobs.enqueue_many(50)
    assert (await cloud_dispatcher.post(URL, json=hint(*ids))).status_code == 202
    assert {job.id for job in elsewhere.jobs} == set(ids)


async def test_a_queue_that_is_away_loses_a_hint_and_the_sweep_finds_its_job(
    cloud_dispatcher: httpx.AsyncClient, elsewhere: QueuedElsewhere, jobs: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = await jobs.enqueue_many(30)
    elsewhere.broken = True
    assert (await cloud_dispatcher.post(URL, json=hint(*ids))).status_code == 202
    lines = [line for line in capsys.readouterr().out.splitlines() if "not_delivered" in line]
    assert len(lines) == 1
    assert "jobs=30" in lines[0]
    elsewhere.broken = False
    assert (await cloud_dispatcher.post("/sweep")).json() == {"due": 30}
    assert {job.id for job in elsewhere.jobs} == set(ids)


async def test_a_hint_that_breaks_something_is_not_the_last_one(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await jobs.enqueue(), await jobs.enqueue()
    with monkeypatch.context() as broken:
        broken.setattr("shared.engine.store.JobStore.due", None)
        await dispatcher.post(URL, json=hint(first))
        await dispatcher.get("/healthz")
    await eventually(lambda: _delivered(dispatcher, delivery, second))


async def _delivered(dispatcher: httpx.AsyncClient, delivery: NotedDelivery, job_id: object) -> bool:
    await dispatcher.post(URL, json={"table": "jobs", "record": {"id": str(job_id)}})
    return job_id in {job.id for job in delivery.jobs}
