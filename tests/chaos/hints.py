"""A proxy between the relay and the dispatcher, in which hints get lost, doubled and late."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import httpx
from aiohttp import web

from tests.chaos.database import Database
from tests.chaos.report import Report

# Of all hints. What is left over passes at once.
SHARES = {"dropped": 0.15, "doubled": 0.15, "delayed": 0.15}
_LATE_S = (0.5, 4.0)
_SEND_TIMEOUT_S = 5.0

_URL = "select value from engine.settings where key = 'dispatcher_url'"
_SET_URL = "select engine.set_setting('dispatcher_url', %s)"


class Hints:
    """Answers like the dispatcher, at once, and sends on what its fate allows. Fates are drawn from the seed."""

    def __init__(self, url: str, seed: int, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http
        self._chance = random.Random(f"hints {seed}")
        self._sending: set[asyncio.Task[None]] = set()
        self._shares: Mapping[str, float] = SHARES
        self.fates: Counter[str] = Counter()

    def behave(self) -> None:
        """From now on every hint arrives once, at once."""
        self._shares = {}

    async def take(self, request: web.Request) -> web.Response:
        """One hint."""
        body, headers = await request.read(), {name: request.headers[name] for name in _kept(request.headers)}
        fate, late_s = self._draw(), self._chance.uniform(*_LATE_S)
        self.fates[fate] += 1
        times = {"dropped": 0, "doubled": 2}.get(fate, 1)
        for nth in range(times):
            # The second of two comes a little later, so that it meets a job that has been claimed.
            wait_s = late_s if fate == "delayed" or nth else 0.0
            task = asyncio.create_task(self._send_on(body, headers, wait_s))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return web.json_response({}, status=202)

    def _draw(self) -> str:
        chance = self._chance.random()
        for fate, share in self._shares.items():
            if chance < share:
                return fate
            chance -= share
        return "passed"

    async def _send_on(self, body: bytes, headers: dict[str, str], wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        try:
            await self._http.post(self._url, content=body, headers=headers, timeout=_SEND_TIMEOUT_S)
        except httpx.TransportError:
            self.fates["lost with the dispatcher"] += 1

    async def arrived(self) -> None:
        """Returns when every hint that is to arrive has."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def close(self) -> None:
        """Waits for nobody: a hint that has not arrived is lost."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)


def _kept(headers: Mapping[str, str]) -> list[str]:
    return [name for name in headers if name.lower() in {"content-type", "x-webhook-secret"}]


@asynccontextmanager
async def misled_hints(database: Database, seed: int, http: httpx.AsyncClient, report: Report) -> AsyncGenerator[Hints]:
    """The proxy, and a database that sends its hints to it."""
    [row] = await database.rows(_URL)
    hints = Hints(row["value"], seed, http)
    application = web.Application(client_max_size=2**24)
    application.router.add_post("/webhooks/jobs", hints.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        await database.rows(_SET_URL, f"http://{host}:{port}/webhooks/jobs")
        yield hints
        told = ", ".join(f"{count} {fate}" for fate, count in sorted(hints.fates.items()))
        report.say(f"hints: {told or 'none came'}")
    finally:
        await runner.cleanup()
        await hints.close()
