"""The emulator served to the tests, and gateways that use it with little patience."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import uvicorn
from google.genai import Client
from google.oauth2.credentials import Credentials
from pydantic import SecretStr

from infra.local.emulator.app import create_app
from shared.db import Pool
from shared.engine.job import Lease
from shared.model.client import open_client
from shared.model.gateway import JobModels, ModelGateway
from shared.model.ledger import CallLedger
from shared.model.prices import PriceTable
from shared.model.retries import POLICIES, CallPolicy
from shared.settings import ModelSettings

IMPATIENT = CallPolicy(request_timeout_s=20, deadline_s=30, max_tries=3, base_s=0.01, cap_s=0.02)


@dataclass(frozen=True)
class Meter:
    """What the provider served since its last reset."""

    requests: int
    served: int
    cost_usd: Decimal


@contextmanager
def emulator() -> Generator[str]:
    """The address of an emulator that runs in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(create_app(), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the emulator did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


class Provider:
    """A provider with faults on demand and a meter, for one test."""

    def __init__(self, url: str, http: httpx.AsyncClient, client: Client, pool: Pool) -> None:
        self.url = url
        self._http = http
        self._client = client
        self._pool = pool

    async def script(self, *faults: str, slow_ms: float = 200, retry_after_s: float = 0.01) -> None:
        """The next requests fail like this, one after the other."""
        await self._plan({"script": list(faults), "slow_ms": slow_ms, "retry_after_s": retry_after_s})

    async def rates(self, *, slow_ms: float = 200, **rates: float) -> None:
        """This share of all requests fails like this."""
        await self._plan({"rates": rates, "slow_ms": slow_ms, "retry_after_s": 0.01})

    async def reset(self) -> None:
        """No faults, nothing counted."""
        await self._plan({})
        (await self._http.post("/__emulator/meter/reset")).raise_for_status()

    async def meter(self) -> Meter:
        """What was served, with its cost."""
        totals = (await self._http.get("/__emulator/meter")).json()["totals"]
        return Meter(totals["requests"], totals["served"], Decimal(str(totals["cost_usd"])))

    async def was_reached(self) -> bool:
        """True once the requests that the script waits for have come."""
        return not (await self._http.get("/__emulator/faults")).json()["script"]

    def gateway(self, *, policy: CallPolicy = IMPATIENT, concurrency: int = 16, **models: str) -> ModelGateway:
        """A gateway to this provider."""
        return self._gateway(self._client, policy, concurrency, models)

    def models(
        self, lease: Lease, *, policy: CallPolicy = IMPATIENT, concurrency: int = 16, **models: str
    ) -> JobModels:
        """Models for an attempt whose running stage is `write`."""
        gateway = self.gateway(policy=policy, concurrency=concurrency, **models)
        return gateway.for_job(lease, lambda: "write")

    @asynccontextmanager
    async def elsewhere(self, url: str, *, key: str = "test") -> AsyncGenerator[ModelGateway]:
        """A gateway to another address."""
        async with open_client(settings(url, key)) as client:
            yield self._gateway(client, IMPATIENT, 16, {})

    @asynccontextmanager
    async def vertex(self) -> AsyncGenerator[ModelGateway]:
        """A gateway that speaks to this provider as to Vertex AI."""
        there = ModelSettings(google_cloud_project="project", model_base_url=self.url)
        async with open_client(there, credentials=Credentials(token="test")) as client:
            yield self._gateway(client, IMPATIENT, 16, {})

    def _gateway(self, client: Client, policy: CallPolicy, concurrency: int, models: dict[str, str]) -> ModelGateway:
        return ModelGateway(
            client,
            CallLedger(self._pool),
            PriceTable.load(),
            ModelSettings().by_role | models,
            policies=dict.fromkeys(POLICIES, policy),
            concurrency=concurrency,
        )

    async def _plan(self, plan: dict[str, Any]) -> None:
        (await self._http.post("/__emulator/faults", json=plan)).raise_for_status()


def settings(url: str, key: str = "test") -> ModelSettings:
    """Settings of a service that finds the Gemini API at `url`."""
    return ModelSettings(gemini_api_key=SecretStr(key), model_base_url=url)


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float = 10) -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)
