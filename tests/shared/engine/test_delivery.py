"""Deliveries over real HTTP, to a worker that does as the test says."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from shared.engine import delivery as delivery_module
from shared.engine.delivery import HttpDelivery
from shared.engine.job import DueJob
from tests.shared.engine.jobs import eventually
from tests.shared.engine.metadata import MetadataServer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def due(job_id: UUID | None = None, *, later_s: float = 0, service: str = "template") -> DueJob:
    return DueJob(job_id or uuid4(), "echo", service, 0, NOW + timedelta(seconds=later_s))


class StubWorker:
    """Takes jobs, and holds each until told to answer."""

    def __init__(self) -> None:
        self.received: list[UUID] = []
        self.authorized: list[str] = []
        self.running = 0
        self.most = 0
        self.dropped = 0
        self.answers: list[int] = []
        self.hold = False
        self.release = asyncio.Event()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(UUID(request.match_info["id"]))
        self.authorized.append(request.headers["authorization"])
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.hold:
                await self.release.wait()
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        finally:
            self.running -= 1
        return web.json_response({}, status=self.answers.pop(0) if self.answers else 200)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator["StubWorker"]:
        app = web.Application()
        app.router.add_post("/jobs/{id}", self.take)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


@asynccontextmanager
async def delivering(worker: StubWorker, concurrency: int = 3) -> AsyncGenerator[HttpDelivery]:
    async with MetadataServer().serving() as metadata:
        delivery = HttpDelivery({"template": worker.url}, {"template": concurrency}, metadata.url)
        async with delivery.running():
            yield delivery


async def test_jobs_arrive_in_order() -> None:
    jobs = [due() for _ in range(20)]
    async with StubWorker().serving() as worker, delivering(worker, concurrency=1) as delivery:
        for job in jobs:
            await delivery.deliver(job)
        await eventually(lambda: len(worker.received) == 20)
    assert worker.received == [job.id for job in jobs]


async def test_a_worker_never_gets_more_than_it_takes() -> None:
    async with StubWorker().serving() as worker, delivering(worker, concurrency=3) as delivery:
        worker.hold = True
        for _ in range(2000):
            await delivery.deliver(due())
        await eventually(lambda: worker.running == 3)
        worker.release.set()
        await eventually(lambda: len(worker.received) == 2000, within_s=60)
    assert worker.most == 3


async def test_a_hint_doubled_fifty_times_is_one_request() -> None:
    job = due()
    async with StubWorker().serving() as worker, delivering(worker) as delivery:
        worker.hold = True
        for _ in range(25):
            await delivery.deliver(job)
        await eventually(lambda: worker.running == 1)
        for _ in range(25):
            await delivery.deliver(job)
        worker.release.set()
        await eventually(lambda: worker.running == 0)
        last = due()
        await delivery.deliver(last)
        await eventually(lambda: last.id in worker.received)
    assert worker.received == [job.id, last.id]


async def test_a_job_that_is_due_again_before_its_answer_came_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "SUPERSEDED_GRACE_S", 0.1)
    job = due()
    async with StubWorker().serving() as worker, delivering(worker, concurrency=1) as delivery:
        worker.hold = True
        await delivery.deliver(job)
        await eventually(lambda: worker.running == 1)
        for _ in range(3):
            await delivery.deliver(due(job.id, later_s=5))  # it came back to the queue
        await eventually(lambda: worker.received == [job.id, job.id])
        await eventually(lambda: worker.dropped == 1)
        worker.release.set()
        await eventually(lambda: worker.running == 0)


async def test_a_job_that_is_due_again_after_its_answer_is_sent_again() -> None:
    job = due()
    async with StubWorker().serving() as worker, delivering(worker) as delivery:
        await delivery.deliver(job)
        await eventually(lambda: len(worker.received) == 1 and worker.running == 0)
        await delivery.deliver(due(job.id, later_s=5))
        await eventually(lambda: len(worker.received) == 2)


@pytest.mark.parametrize(("answers", "requests"), [([503, 200], 2), ([503, 503, 200], 2), ([500, 200], 1)])
async def test_a_worker_that_is_being_replaced_gets_one_more_try(answers: list[int], requests: int) -> None:
    job = due()
    async with StubWorker().serving() as worker, delivering(worker) as delivery:
        worker.answers = list(answers)
        await delivery.deliver(job)
        await eventually(lambda: len(worker.received) == requests)
        last = due()
        await delivery.deliver(last)
        await eventually(lambda: last.id in worker.received)
    assert worker.received == [job.id] * requests + [last.id]


async def test_a_worker_that_comes_up_a_moment_later_gets_the_job() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    worker = StubWorker()
    worker.url = f"http://127.0.0.1:{port}"
    async with delivering(worker) as delivery:
        job = due()
        await delivery.deliver(job)
        async with worker.serving(port):
            await eventually(lambda: worker.received == [job.id])


async def test_a_worker_that_is_gone_costs_nothing_but_the_delivery(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    worker = StubWorker()
    worker.url = f"http://127.0.0.1:{port}"
    logged = ""

    def failed() -> bool:
        nonlocal logged
        logged += capsys.readouterr().out
        return logged.count("delivery_failed") == 5

    async with delivering(worker, concurrency=1) as delivery:
        for _ in range(5):
            await delivery.deliver(due())
        await eventually(failed)


async def test_what_does_not_fit_is_left_to_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "MAX_WAITING", 3)
    async with StubWorker().serving() as worker, delivering(worker, concurrency=1) as delivery:
        worker.hold = True
        for _ in range(10):
            await delivery.deliver(due())
        worker.release.set()
        await eventually(lambda: len(worker.received) == 4 and worker.running == 0)
        last = due()
        await delivery.deliver(last)
        await eventually(lambda: last.id in worker.received)
    assert len(worker.received) == 5


async def test_a_service_without_an_address_is_named() -> None:
    delivery = HttpDelivery({}, {}, "http://127.0.0.1:1/identity")
    async with delivery.running():
        with pytest.raises(LookupError, match="carousel"):
            await delivery.deliver(due(service="carousel"))
