"""Jobs of the kind `index_assets` on real Postgres, through the gateway and its ledger to the emulator."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from services.assets import job as assets_job
from services.assets.app import create_app
from services.assets.job import index_assets
from services.assets.steps import SLICE_TEXTS
from shared.db import Pool
from shared.engine.attempt import Attempt
from shared.engine.context import JobContext
from shared.engine.draining import Drain
from shared.engine.errors import InvalidPayload
from shared.engine.outcome import Continue, Done
from shared.engine.store import JobStore
from shared.model.gateway import ModelGateway, open_gateway
from shared.retrieval.indexing import AssetTexts
from tests.shared.model.provider import emulator, settings

CreateUser = Callable[..., Awaitable[UUID]]
Claim = Callable[..., Awaitable[JobContext]]


@pytest.fixture(scope="module")
def emulator_url() -> Iterator[str]:
    with emulator() as url:
        yield url


@pytest.fixture
async def gateway(emulator_url: str, pool: Pool) -> AsyncIterator[ModelGateway]:
    async with open_gateway(settings(emulator_url), pool) as gateway:
        yield gateway


@pytest.fixture
def texts(pool: Pool, gateway: ModelGateway) -> AssetTexts:
    return AssetTexts(pool, gateway.models["embedding"])


@pytest.fixture
async def claim(connection: AsyncConnection[Any], pool: Pool, create_user: CreateUser) -> Claim:
    """`claim()` puts a new job into its handler's hands; `claim(context)` the same one, for another attempt."""
    store = JobStore(pool)
    user = await create_user("marketing")

    async def claim(before: JobContext | None = None, payload: str = "{}") -> JobContext:
        if before is None:
            insert = "insert into jobs (user_id, job_type, payload) values (%s, 'index_assets', %s) returning id"
            row = await (await connection.execute(insert, (user, payload))).fetchone()
            assert row is not None
            job_id = row[0]
        else:
            job_id = before.job.id
            await store.release(before.lease)
        claimed = await store.claim(job_id, "test", ["index_assets"])
        assert claimed is not None
        return JobContext(claimed[0], Attempt(claimed[1], Drain(), time.monotonic()), store)

    return claim


async def add_products(connection: AsyncConnection[Any], count: int) -> None:
    await connection.execute(
        "insert into product_catalog (name, image_url)"
        " select 'Produto ' || n, 'https://x.test/' || n || '.png' from generate_series(1, %s) n",
        (count,),
    )


async def run(context: JobContext, texts: AssetTexts, gateway: ModelGateway) -> Any:
    return await index_assets(context, texts, gateway.for_job(context.lease, lambda: context.running_stage))


async def calls(connection: AsyncConnection[Any]) -> list[Any]:
    query = "select status, stage, cost_usd > 0 from model_calls order by created_at"
    return await (await connection.execute(query)).fetchall()


async def test_what_waits_is_embedded_and_booked(
    connection: AsyncConnection[Any], claim: Claim, texts: AssetTexts, gateway: ModelGateway
):
    await add_products(connection, SLICE_TEXTS + 20)
    assert await run(await claim(), texts, gateway) == Done({"out_of_step": 0, "embedded": SLICE_TEXTS + 20})
    assert await texts.count_waiting() == 0
    assert await calls(connection) == [("settled", "embed", True)] * 2


async def test_nothing_to_do_costs_nothing(
    connection: AsyncConnection[Any], claim: Claim, texts: AssetTexts, gateway: ModelGateway
):
    assert await run(await claim(), texts, gateway) == Done({"out_of_step": 0, "embedded": 0})
    assert await calls(connection) == []


async def test_after_some_slices_it_gives_its_slot_back_and_goes_on(
    connection: AsyncConnection[Any],
    claim: Claim,
    texts: AssetTexts,
    gateway: ModelGateway,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(assets_job, "SLICES_AT_A_TIME", 1)
    await add_products(connection, SLICE_TEXTS + 5)
    first = await claim()
    assert await run(first, texts, gateway) == Continue()
    second = await claim(first)
    assert await run(second, texts, gateway) == Continue()
    assert await run(await claim(second), texts, gateway) == Done({"out_of_step": 0, "embedded": SLICE_TEXTS + 5})


async def test_it_brings_in_what_the_triggers_missed(
    connection: AsyncConnection[Any], claim: Claim, texts: AssetTexts, gateway: ModelGateway
):
    await connection.execute("set session_replication_role = replica")
    await add_products(connection, 3)
    await connection.execute("reset session_replication_role")
    assert await run(await claim(), texts, gateway) == Done({"out_of_step": 3, "embedded": 3})


async def test_a_payload_has_nothing_to_say(claim: Claim, texts: AssetTexts, gateway: ModelGateway):
    with pytest.raises(InvalidPayload):
        await run(await claim(payload='{"source": "products"}'), texts, gateway)


def test_the_service_is_put_together(monkeypatch: pytest.MonkeyPatch, database_url: str):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("OIDC_AUDIENCE", "http://assets.test")
    monkeypatch.setenv("OIDC_INVOKERS", '["dispatcher@example.test"]')
    assert "/jobs/{job_id}" in create_app().openapi()["paths"]
