"""Deliveries through Google Cloud Tasks: one queue a service, which holds its rate and concurrency.

`google-cloud-tasks` takes 0.5 s and 40 MiB to import, so only a dispatcher that is set to use it does.
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from shared.engine.job import DueJob

if TYPE_CHECKING:
    from google.cloud.tasks_v2 import CloudTasksAsyncClient

DISPATCH_DEADLINE_S = 1_800  # the most that Cloud Tasks allows; longer work gives its slot back with Continue
CREATE_TIMEOUT_S = 5.0
NAME_PERIOD_S = 600


class CloudTasksDelivery:
    """Creates a task in the queue `jobs-<service>` (underscores become hyphens: queue names have none).

    Cloud Tasks refuses a name that it has seen within about an hour, so the name is what makes duplicates collapse: the
    job, the moment since when it waits (a retried or continued job waits anew), and the current ten minutes. The last
    part bounds the harm when a task was used up without the job being claimed, as when its kind was switched off then.
    """

    keeps_in_memory = False

    def __init__(
        self,
        connect: "Callable[[], CloudTasksAsyncClient] | None" = None,
        *,
        project: str,
        location: str,
        invoker: str,
        worker_urls: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._connect = connect or _connect
        self._client: CloudTasksAsyncClient | None = None
        self._location = f"projects/{project}/locations/{location}"
        self._invoker = invoker
        self._urls = worker_urls
        self._now = now

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Connects, and closes the connection at the end of the block."""
        self._client = self._connect()
        try:
            yield
        finally:
            await self._client.transport.close()

    async def deliver(self, job: DueJob) -> None:
        """Creates the task; that it exists already is success.

        Raises `LookupError` for a service without an address, `RuntimeError` outside of `running`, and
        `google.api_core.exceptions.GoogleAPICallError` when the task cannot be created.
        """
        from google.api_core.exceptions import AlreadyExists  # noqa: PLC0415  see the module's docstring

        url = self._urls.get(job.service)
        if url is None:
            raise LookupError(f"WORKER_URLS has no address for the service {job.service}")
        if self._client is None:
            raise RuntimeError("CloudTasksDelivery is not running")
        try:
            request = self._request(job, url.rstrip("/"))
            await self._client.create_task(request, timeout=CREATE_TIMEOUT_S)  # pyright: ignore[reportUnknownMemberType]
        except AlreadyExists:
            return

    def _request(self, job: DueJob, url: str) -> dict[str, Any]:
        queue = f"{self._location}/queues/jobs-{job.service.replace('_', '-')}"
        return {
            "parent": queue,
            "task": {
                "name": f"{queue}/tasks/{task_id(job, self._now())}",
                "http_request": {
                    "http_method": "POST",
                    "url": f"{url}/jobs/{job.id}",
                    "oidc_token": {"service_account_email": self._invoker, "audience": url},
                },
                "dispatch_deadline": {"seconds": DISPATCH_DEADLINE_S},
            },
        }


def _connect() -> "CloudTasksAsyncClient":
    from google.cloud.tasks_v2 import CloudTasksAsyncClient  # noqa: PLC0415  see the module's docstring

    return CloudTasksAsyncClient()


def task_id(job: DueJob, now: float) -> str:
    """The task's name for this wait of the job at `now` (epoch seconds): duplicates have the same."""
    return f"{job.id}-{int(job.scheduled_for.timestamp() * 1_000_000)}-{int(now // NAME_PERIOD_S)}"
