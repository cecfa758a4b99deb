"""The relay delivers what `net.http_post` queued: once, quickly, and never again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from psycopg import AsyncConnection

from infra.local.ports import free_port
from infra.local.relay import Relay

POST = """
select net.http_post(%s, body := '{"n": 1}', headers := '{"x-webhook-secret": "s"}', timeout_milliseconds := %s)
"""


class Receiver:
    """An HTTP server that keeps what it was sent. `answer` decides what it says."""

    def __init__(self) -> None:
        self.requests: list[tuple[web.BaseRequest, bytes, float]] = []
        self.answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request, await request.read(), time.perf_counter()))
        if self.answer is not None:
            return await self.answer(request)
        return web.json_response({"ok": True}, status=202)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    receiver.url = f"http://127.0.0.1:{port}/webhooks/jobs"
    yield receiver
    await runner.cleanup()


@asynccontextmanager
async def relaying(database_url: str) -> AsyncIterator[asyncio.Task[None]]:
    async with aiohttp.ClientSession() as client:
        task = asyncio.create_task(Relay(database_url, client).run())
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def relay(empty_database_url: str) -> AsyncIterator[asyncio.Task[None]]:
    async with relaying(empty_database_url) as task:
        yield task


@pytest.fixture
async def database(empty_database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(empty_database_url, autocommit=True) as connection:
        yield connection


async def eventually(question: Callable[[], Awaitable[Any]], timeout_s: float = 5.0) -> Any:
    async with asyncio.timeout(timeout_s):
        while not (answer := await question()):  # noqa: ASYNC110 - nothing tells us but asking
            await asyncio.sleep(0.005)
        return answer


async def post(database: AsyncConnection[Any], url: str, timeout_ms: int = 5000) -> int:
    row = await (await database.execute(POST, (url, timeout_ms))).fetchone()
    assert row is not None
    return row[0]


async def response(database: AsyncConnection[Any], request_id: int) -> dict[str, Any]:
    """The row that the relay wrote about a request, once it is there."""

    async def ask() -> dict[str, Any] | None:
        cursor = await database.execute("select to_jsonb(r) from net._http_response r where id = %s", (request_id,))
        row = await cursor.fetchone()
        return None if row is None else row[0]

    return await eventually(ask)


async def test_a_request_arrives_as_it_was_posted_and_its_answer_is_recorded(relay, database, receiver):
    number = await post(database, receiver.url)
    recorded = await response(database, number)
    [(request, body, _)] = receiver.requests
    assert (request.method, request.path, body) == ("POST", "/webhooks/jobs", b'{"n": 1}')
    assert request.headers["x-webhook-secret"] == "s"
    assert request.content_type == "application/json"
    assert recorded["status_code"] == 202
    assert recorded["content"] == '{"ok": true}'
    assert recorded["content_type"] == "application/json; charset=utf-8"
    assert recorded["headers"]["Content-Type"] == recorded["content_type"]
    assert (recorded["timed_out"], recorded["error_msg"]) == (False, None)
    assert await (await database.execute("select from net.http_request_queue")).fetchone() is None


async def test_a_request_is_sent_as_soon_as_its_transaction_commits(relay, database, receiver):
    await response(database, await post(database, receiver.url))  # connections are made
    delays = []
    for _ in range(20):
        async with database.transaction():
            number = await post(database, receiver.url)
            await asyncio.sleep(0.002)
            before = len(receiver.requests)
        committed = time.perf_counter()
        await response(database, number)
        assert before == len(receiver.requests) - 1, "sent before the commit"
        delays.append(receiver.requests[-1][2] - committed)
    assert sorted(delays)[10] < 0.05, delays


@pytest.mark.parametrize("status", [500, 503, 429, 301])
async def test_a_refused_request_is_recorded_and_never_sent_again(relay, database, receiver, status):
    async def refuse(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, headers={"location": receiver.url, "retry-after": "0"})

    receiver.answer = refuse
    assert (await response(database, await post(database, receiver.url)))["status_code"] == status
    receiver.answer = None
    await response(database, await post(database, receiver.url))
    assert len(receiver.requests) == 2


async def test_a_request_that_nobody_takes_is_recorded_and_lost(relay, database, receiver):
    recorded = await response(database, await post(database, f"http://127.0.0.1:{free_port()}/"))
    assert recorded["status_code"] is None
    assert "Connect" in recorded["error_msg"]
    await response(database, await post(database, receiver.url))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/"])
async def test_an_address_that_makes_no_sense_is_recorded_and_does_no_harm(relay, database, receiver, url):
    assert (await response(database, await post(database, url)))["error_msg"]
    assert (await response(database, await post(database, receiver.url)))["status_code"] == 202


async def test_a_slow_answer_times_out_and_holds_up_nobody(relay, database, receiver):
    async def dawdle(request: web.BaseRequest) -> web.StreamResponse:
        if "slow" in request.query_string:
            await asyncio.sleep(5)
        return web.Response()

    receiver.answer = dawdle
    slow = await post(database, receiver.url + "?slow", timeout_ms=400)
    started = time.perf_counter()
    assert (await response(database, await post(database, receiver.url)))["status_code"] == 200
    assert time.perf_counter() - started < 0.3
    recorded = await response(database, slow)
    assert (recorded["timed_out"], recorded["status_code"]) == (True, None)
    assert recorded["error_msg"] == "Timeout of 400 ms reached"


async def test_an_answer_that_postgres_could_not_store_is_made_storable(relay, database):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-odd: \xff\r\nContent-Length: 3\r\n\r\na\0b")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        recorded = await response(database, await post(database, f"http://127.0.0.1:{port}/"))
    assert (recorded["status_code"], recorded["content"], recorded["headers"]["x-odd"]) == (200, "ab", "?")


async def test_headers_that_are_no_strings_are_sent_as_text(relay, database, receiver):
    query = """select net.http_post(%s, headers := '{"x-number": 7, "x-null": null}')"""
    row = await (await database.execute(query, (receiver.url,))).fetchone()
    await response(database, row[0])
    headers = receiver.requests[0][0].headers
    assert headers["x-number"] == "7"
    assert "x-null" not in headers


async def test_more_requests_than_a_batch_all_arrive_once(relay, database, receiver):
    await database.execute(
        "select net.http_post(%s, body := jsonb_build_object('n', n)) from generate_series(1, 450) n", (receiver.url,)
    )

    async def all_recorded() -> bool:
        row = await (await database.execute("select count(*) from net._http_response")).fetchone()
        return row is not None and row[0] == 450

    await eventually(all_recorded, timeout_s=15)
    assert len({body for _, body, _ in receiver.requests}) == len(receiver.requests) == 450


async def test_what_a_dying_relay_held_is_lost(empty_database_url, database, receiver):
    arrived = asyncio.Event()

    async def never(_request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(60)
        return web.Response()

    receiver.answer = never
    async with relaying(empty_database_url):
        await post(database, receiver.url)
        await asyncio.wait_for(arrived.wait(), 5)
    receiver.answer = None
    async with relaying(empty_database_url):
        await response(database, await post(database, receiver.url))
    assert len(receiver.requests) == 2, "the first was taken, and so is never sent again"


async def test_what_was_queued_while_no_relay_ran_is_sent_when_one_does(empty_database_url, database, receiver):
    number = await post(database, receiver.url)
    async with relaying(empty_database_url):
        assert (await response(database, number))["status_code"] == 202


async def test_the_relay_connects_again_when_the_database_has_dropped_it(relay, database, receiver):
    await response(database, await post(database, receiver.url))
    await database.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    assert (await response(database, await post(database, receiver.url)))["status_code"] == 202
    assert len(receiver.requests) == 2
