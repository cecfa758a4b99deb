"""The real Cloud Tasks client against a gRPC server that keeps names as Cloud Tasks does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.tasks_v2 import CloudTasksAsyncClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from google.cloud.tasks_v2.types import CreateTaskRequest, HttpMethod, Task

from shared.engine.cloud_tasks import CloudTasksDelivery, task_id
from shared.engine.job import DueJob

WAITING_SINCE = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB = DueJob(UUID("11111111-2222-3333-4444-555555555555"), "lead_score", "lead_scoring", 1, WAITING_SINCE)
METHOD = "/google.cloud.tasks.v2.CloudTasks/CreateTask"


class FakeCloudTasks(grpc.GenericRpcHandler):
    """CreateTask alone: remembers each task, and refuses a name that it has seen."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.requests: list[CreateTaskRequest] = []
        self.fail_with: grpc.StatusCode | None = None

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.create, request_deserializer=CreateTaskRequest.deserialize, response_serializer=Task.serialize
        )

    async def create(self, request: CreateTaskRequest, context: grpc.aio.ServicerContext[Any, Any]) -> Task:
        self.requests.append(request)
        if self.fail_with:
            await context.abort(self.fail_with, "as the test wants")
        if request.task.name in self.tasks:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "The task was there before.")
        self.tasks[request.task.name] = request.task
        return request.task


@pytest.fixture
async def cloud() -> AsyncIterator[tuple[FakeCloudTasks, CloudTasksDelivery]]:
    fake = FakeCloudTasks()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((fake,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    delivery = CloudTasksDelivery(
        lambda: CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel)),
        project="p",
        location="southamerica-east1",
        invoker="dispatcher@p.iam.gserviceaccount.com",
        worker_urls={"lead_scoring": "https://lead-scoring.run.app/"},
        now=WAITING_SINCE.timestamp,
    )
    async with delivery.running():
        yield fake, delivery
    await server.stop(None)


async def test_a_task_calls_the_worker_with_an_identity(cloud: tuple[FakeCloudTasks, CloudTasksDelivery]) -> None:
    fake, delivery = cloud
    await delivery.deliver(JOB)
    (request,) = fake.requests
    task = request.task
    assert request.parent == "projects/p/locations/southamerica-east1/queues/jobs-lead-scoring"
    assert task.name.startswith(f"{request.parent}/tasks/{JOB.id}-")
    assert task.http_request.url == f"https://lead-scoring.run.app/jobs/{JOB.id}"
    assert task.http_request.http_method == HttpMethod.POST
    assert task.http_request.oidc_token.service_account_email == "dispatcher@p.iam.gserviceaccount.com"
    assert task.http_request.oidc_token.audience == "https://lead-scoring.run.app"
    assert task.dispatch_deadline == timedelta(minutes=30)


async def test_duplicates_of_a_hint_are_one_task(cloud: tuple[FakeCloudTasks, CloudTasksDelivery]) -> None:
    fake, delivery = cloud
    for _ in range(50):
        await delivery.deliver(JOB)
    assert (len(fake.requests), len(fake.tasks)) == (50, 1)


async def test_an_error_of_the_api_is_told(cloud: tuple[FakeCloudTasks, CloudTasksDelivery]) -> None:
    fake, delivery = cloud
    fake.fail_with = grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(GoogleAPICallError):
        await delivery.deliver(JOB)


def test_a_new_wait_of_the_job_has_a_new_name() -> None:
    now = WAITING_SINCE.timestamp()
    again = DueJob(JOB.id, JOB.kind, JOB.service, 1, WAITING_SINCE + timedelta(milliseconds=1))
    assert task_id(JOB, now) == task_id(JOB, now + 1)
    assert task_id(JOB, now) != task_id(again, now)


def test_a_name_is_good_for_ten_minutes() -> None:
    now = WAITING_SINCE.timestamp()
    assert task_id(JOB, now) != task_id(JOB, now + 600)


def test_a_name_is_one_that_cloud_tasks_takes() -> None:
    name = task_id(JOB, WAITING_SINCE.timestamp())
    assert len(name) <= 500
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
