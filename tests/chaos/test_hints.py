"""The proxy of hints: what its receiver gets is what the fates allow."""

import io
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from tests.chaos import hints as proxy
from tests.chaos.database import Database
from tests.chaos.hints import misled_hints
from tests.chaos.report import Report

HINTS = 80


class Receiver:
    """Stands for the dispatcher: counts what it is told."""

    def __init__(self) -> None:
        self.got = Counter[str]()
        self.secrets = set[str]()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got[(await request.json())["hint"]] += 1
        self.secrets.add(request.headers["x-webhook-secret"])
        return web.json_response({}, status=202)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/webhooks/jobs", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/jobs"
    yield receiver
    await runner.cleanup()


async def send(database: Database, http: httpx.AsyncClient, prefix: str) -> None:
    [row] = await database.rows("select value from engine.settings where key = 'dispatcher_url'")
    for number in range(HINTS):
        hint = {"hint": f"{prefix} {number}"}
        answer = await http.post(row["value"], json=hint, headers={"x-webhook-secret": "s"})
        assert answer.status_code == 202


async def test_hints_are_dropped_doubled_and_delayed_until_the_proxy_behaves(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(proxy, "_LATE_S", (0.0, 0.01))
    database = Database(database_url)
    await database.rows("select engine.set_setting('dispatcher_url', %s)", receiver.url)
    async with (
        httpx.AsyncClient(verify=False) as http,
        misled_hints(database, 7, http, Report(io.StringIO())) as hints,
    ):
        await send(database, http, "early")
        fates = Counter(hints.fates)
        hints.behave()
        await send(database, http, "late")
        await hints.arrived()
    assert min(fates[fate] for fate in ("dropped", "doubled", "delayed", "passed")) > 0
    early = {hint: times for hint, times in receiver.got.items() if hint.startswith("early")}
    assert len(early) == HINTS - fates["dropped"]
    assert sum(early.values()) == len(early) + fates["doubled"]
    late = {hint: times for hint, times in receiver.got.items() if hint.startswith("late")}
    assert late == {f"late {number}": 1 for number in range(HINTS)}
    assert receiver.secrets == {"s"}
