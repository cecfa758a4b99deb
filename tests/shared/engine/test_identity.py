"""Tokens of the dispatcher: how they are had, kept and sent."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import jwt
import pytest

from shared.engine.delivery import HttpDelivery
from shared.engine.identity import IdentityTokens, IdentityUnavailable
from tests.shared.engine.jobs import eventually
from tests.shared.engine.metadata import MetadataServer
from tests.shared.engine.test_delivery import StubWorker, due


@pytest.fixture
async def metadata() -> AsyncIterator[MetadataServer]:
    async with MetadataServer().serving() as metadata:
        yield metadata


@pytest.fixture
async def tokens(metadata: MetadataServer) -> AsyncIterator[IdentityTokens]:
    async with aiohttp.ClientSession() as session:
        yield IdentityTokens(session, metadata.url)


async def test_each_audience_has_a_token_of_its_own(metadata: MetadataServer, tokens: IdentityTokens) -> None:
    for audience in ("https://a.run.app", "https://b.run.app/?x=1&y"):
        claims = jwt.decode(await tokens.get(audience), options={"verify_signature": False})
        assert claims["aud"] == audience
    assert metadata.requests == 2


async def test_a_token_is_fetched_once_for_all_who_wait_and_kept(
    metadata: MetadataServer, tokens: IdentityTokens
) -> None:
    metadata.gate.clear()
    waiting = [asyncio.create_task(tokens.get("https://a.run.app")) for _ in range(50)]
    await eventually(lambda: metadata.requests == 1)
    waiting.pop().cancel()
    metadata.gate.set()
    assert {await each for each in waiting} == {await tokens.get("https://a.run.app")} == set(metadata.handed_out)
    assert metadata.requests == 1


async def test_a_token_is_replaced_before_it_expires(metadata: MetadataServer, tokens: IdentityTokens) -> None:
    metadata.lifetime_s = 59
    first = await tokens.get("https://a.run.app")
    metadata.lifetime_s = 3600
    second = await tokens.get("https://a.run.app")
    assert [first, second, second] == [*metadata.handed_out, await tokens.get("https://a.run.app")]


@pytest.mark.parametrize("status", [302, 403, 404, 500, 503])
async def test_a_metadata_server_that_refuses_is_told_and_asked_again(
    metadata: MetadataServer, tokens: IdentityTokens, status: int
) -> None:
    metadata.status = status
    with pytest.raises(IdentityUnavailable):
        await tokens.get("https://a.run.app")
    metadata.status = 200
    assert await tokens.get("https://a.run.app") == metadata.handed_out[0]


async def test_a_delivery_carries_the_token_and_a_refused_one_is_not_sent_again(metadata: MetadataServer) -> None:
    async with StubWorker().serving() as worker:
        delivery = HttpDelivery({"template": worker.url + "/"}, {"template": 1}, metadata.url)
        async with delivery.running():
            worker.answers = [200, 401, 200]
            for _ in range(3):
                await delivery.deliver(due())
            await eventually(lambda: len(worker.received) == 3 and worker.running == 0)
    first, second = metadata.handed_out
    assert worker.authorized == [f"Bearer {first}", f"Bearer {first}", f"Bearer {second}"]
    assert jwt.decode(first, options={"verify_signature": False})["aud"] == worker.url


async def test_without_a_token_nothing_is_delivered_and_later_ones_are(
    metadata: MetadataServer, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = ""

    def warned() -> bool:
        nonlocal logged
        logged += capsys.readouterr().out
        return "delivery_failed" in logged

    metadata.status = 500
    async with StubWorker().serving() as worker:
        delivery = HttpDelivery({"template": worker.url}, {"template": 1}, metadata.url)
        async with delivery.running():
            await delivery.deliver(due())
            await eventually(warned)
            metadata.status = 200
            job = due()
            await delivery.deliver(job)
            await eventually(lambda: worker.received == [job.id])
