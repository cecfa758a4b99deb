"""The worker's HTTP side, on real Postgres."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from shared.db import create_pool
from shared.engine.outcome import Done, Outcome
from shared.engine.runner import Handler, JobContext
from shared.engine.worker import WorkerSettings, create_worker_app
from tests.identity_issuer import Issuer
from tests.shared.engine.jobs import Jobs, eventually

WorkerApp = Callable[..., FastAPI]
Running = Callable[[FastAPI], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def worker_app(database_url: str, issuer: Issuer) -> WorkerApp:
    """`worker_app(handler)` is a worker for echo jobs."""

    def create(handler: Handler, *, drain_grace_s: float = 8) -> FastAPI:
        settings = WorkerSettings(
            database_url=SecretStr(database_url), drain_grace_s=drain_grace_s, **issuer.settings()
        )
        return create_worker_app("template", {"echo": handler}, settings=settings)

    return create


@pytest.fixture
def running(issuer: Issuer) -> Running:
    """`async with running(app)`: its client, with an identity token."""

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://w", headers=issuer.headers()) as client,
        ):
            yield client

    return running


async def done(_: JobContext) -> Outcome:
    return Done({})


async def test_the_answer_comes_when_the_attempt_is_over(jobs: Jobs, worker_app: WorkerApp, running: Running) -> None:
    job_id = await jobs.enqueue()
    async with running(worker_app(done)) as client:
        response = await client.post(f"/jobs/{job_id}")
        again = await client.post(f"/jobs/{job_id}")
    assert (response.status_code, response.json()) == (200, {"job_id": str(job_id), "outcome": "completed"})
    assert again.json()["outcome"] == "not_claimed"
    assert (await jobs.row(job_id))["worker"].startswith("template:")


async def test_an_unknown_job_is_not_claimed(jobs: Jobs, worker_app: WorkerApp, running: Running) -> None:
    async with running(worker_app(done)) as client:
        response = await client.post(f"/jobs/{uuid4()}")
    assert (response.status_code, response.json()["outcome"]) == (200, "not_claimed")


@pytest.mark.parametrize("path", ["/jobs/not-a-uuid", "/jobs/1;drop table jobs"])
async def test_an_id_that_is_none_is_refused(path: str, worker_app: WorkerApp, running: Running) -> None:
    async with running(worker_app(done)) as client:
        response = await client.post(path)
    assert response.status_code == 422
    assert set(response.json()) == {"error", "message"}


async def test_the_attempt_goes_on_when_the_caller_goes_away(
    jobs: Jobs, worker_app: WorkerApp, running: Running
) -> None:
    job_id = await jobs.enqueue()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(_: JobContext) -> Outcome:
        started.set()
        await go_on.wait()
        return Done({})

    async with running(worker_app(handler)) as client:
        request = asyncio.create_task(client.post(f"/jobs/{job_id}"))
        await started.wait()
        request.cancel()
        go_on.set()
        await eventually(lambda: _has_status(jobs, job_id, "completed"))


async def _has_status(jobs: Jobs, job_id: Any, status: str) -> bool:
    return await jobs.status(job_id) == status


async def test_a_full_worker_says_so(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, worker_app: WorkerApp, running: Running
) -> None:
    ids = await jobs.enqueue_many(49)
    go_on = asyncio.Event()
    running_now = 0

    async def handler(_: JobContext) -> Outcome:
        nonlocal running_now
        running_now += 1
        await go_on.wait()
        return Done({})

    async with running(worker_app(handler)) as client:
        first = [asyncio.create_task(client.post(f"/jobs/{job_id}")) for job_id in ids[:48]]
        await eventually(lambda: running_now == 48, within_s=30)
        response = await client.post(f"/jobs/{ids[48]}")
        assert (response.status_code, response.json()["error"]) == (503, "at_capacity")
        assert await jobs.status(ids[48]) == "queued"
        go_on.set()
        assert {(await each).json()["outcome"] for each in first} == {"completed"}


async def test_an_application_that_ends_gives_its_jobs_back(
    jobs: Jobs, worker_app: WorkerApp, running: Running
) -> None:
    job_id = await jobs.enqueue()
    started = asyncio.Event()

    async def handler(_: JobContext) -> Outcome:
        started.set()
        await asyncio.Event().wait()
        return Done({})

    async with running(worker_app(handler, drain_grace_s=0.1)) as client:
        request = asyncio.create_task(client.post(f"/jobs/{job_id}"))
        await started.wait()
    assert (await request).json()["outcome"] == "released"
    assert await jobs.status(job_id) == "queued"


async def test_without_a_database_nothing_is_begun_and_the_service_is_not_ready(
    worker_app: WorkerApp, running: Running, issuer: Issuer
) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    app = create_worker_app(
        "template",
        {"echo": done},
        settings=WorkerSettings(database_url=SecretStr(url), **issuer.settings()),
        pool=create_pool(url, max_size=1, timeout_s=0.2),
    )
    async with running(app) as client:
        request = asyncio.create_task(client.post(f"/jobs/{uuid4()}"))
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
        response = await request
    assert (ready.status_code, ready.json()["error"]) == (503, "not_ready")
    assert alive.status_code == 200
    assert (response.status_code, response.json()["error"]) == (503, "database_unavailable")
    assert "127.0.0.1" not in response.text


async def test_readiness_headers_and_unknown_paths(worker_app: WorkerApp, running: Running) -> None:
    async with running(worker_app(done)) as client:
        ready = await client.get("/readyz")
        unknown = await client.get("/docs")
        wrong_method = await client.get(f"/jobs/{uuid4()}")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert ready.headers["x-content-type-options"] == "nosniff"
    assert ready.headers["cache-control"] == "no-store"
    assert (unknown.status_code, unknown.json()) == (404, {"error": "not_found", "message": "Not Found"})
    assert (wrong_method.status_code, wrong_method.json()["error"]) == (405, "method_not_allowed")


def test_a_handler_for_a_foreign_kind_is_refused_at_the_start(database_url: str, issuer: Issuer) -> None:
    settings = WorkerSettings(database_url=SecretStr(database_url), **issuer.settings())
    with pytest.raises(ValueError, match="does not give the service template"):
        create_worker_app("template", {"blog": done}, settings=settings)
