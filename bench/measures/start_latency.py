"""How soon a job starts at a steady rate, and what an insert costs whoever asks for the job."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from psycopg import AsyncConnection

from bench.engines.engine import Engine, EnqueueOne, clock
from bench.engines.ours import KIND, Ours
from bench.figures import Figure, Measured, at_most
from bench.pacing import at_rate
from bench.percentiles import describe
from bench.setting import Setting

_OVER_REST = "over REST"


async def measure(setting: Setting) -> Measured:
    """Start: database clock from `created_at` to the first `claimed` event. Enqueue: begin to the end of commit."""
    start: dict[str, dict[str, float]] = {}
    enqueue: dict[str, dict[str, float]] = {}
    for engine in setting.engines():
        start[engine.name], enqueue[engine.name] = await _at_steady_rate(engine, setting)
    over_rest = _OursOverRest(setting)
    start[_OVER_REST], enqueue[_OVER_REST] = await _at_steady_rate(over_rest, setting)

    rate = f"{setting.scale.rate_per_s:g} jobs/s"
    figures = [
        Figure(f"start latency at {rate}, {name}", start[Ours.name][name], "ms", target, _others(start, name))
        for name, target in (("p50", at_most(15)), ("p95", at_most(40)), ("p99", None))
    ]
    figures += [
        Figure("enqueue as a user (RLS), p50", enqueue[Ours.name]["p50"], "ms", None, _others(enqueue, "p50")),
        Figure("enqueue as a user (RLS), p99", enqueue[Ours.name]["p99"], "ms", at_most(20), _others(enqueue, "p99")),
        Figure("enqueue over REST, p50", enqueue[_OVER_REST]["p50"], "ms"),
        Figure("enqueue over REST, p99", enqueue[_OVER_REST]["p99"], "ms"),
        Figure("start latency when enqueued over REST, p50", start[_OVER_REST]["p50"], "ms"),
    ]
    return Measured(figures, {"start_ms": start, "enqueue_ms": enqueue})


async def _at_steady_rate(engine: Engine, setting: Setting) -> tuple[dict[str, float], dict[str, float]]:
    scale = setting.scale
    await engine.prepare()
    async with (
        await AsyncConnection.connect(engine.database_url, autocommit=True) as watch,
        engine.working(),
        engine.enqueuing() as enqueue_one,
    ):
        since = await clock(watch)
        warm_up = await at_rate(scale.rate_per_s, scale.latency_warm_up_s, enqueue_one)
        await engine.start_latencies(since, len(warm_up))
        since = await clock(watch)
        enqueued_ms = await at_rate(scale.rate_per_s, scale.latency_s, enqueue_one)
        started_ms = await engine.start_latencies(since, len(enqueued_ms))
    return describe(started_ms), describe(enqueued_ms)


def _others(described: dict[str, dict[str, float]], name: str) -> dict[str, float]:
    return {engine: values[name] for engine, values in described.items() if engine not in (Ours.name, _OVER_REST)}


class _OursOverRest(Ours):
    """The same jobs, asked for as the front end does it: signed in, by an HTTP request for each."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.stack)
        self._description = setting.stack.description

    @asynccontextmanager
    async def enqueuing(self) -> AsyncIterator[EnqueueOne]:
        base_url, user = self._description["supabase_url"], self._stack.user("marketing")
        async with aiohttp.ClientSession(
            headers={"apikey": self._description["anon_key"]}, raise_for_status=True
        ) as http:
            credentials = {"email": user["email"], "password": user["password"]}
            async with http.post(f"{base_url}/auth/v1/token?grant_type=password", json=credentials) as signed_in:
                token = (await signed_in.json())["access_token"]
            row = {"user_id": user["id"], "job_type": KIND, "payload": {"steps": 1}, "status": "queued"}

            async def enqueue_one() -> None:
                async with http.post(
                    f"{base_url}/rest/v1/jobs",
                    json=row,
                    headers={"Authorization": f"Bearer {token}", "Prefer": "return=representation"},
                ) as answer:
                    await answer.read()

            yield enqueue_one
