"""Sequence jobs on real Postgres with the emulator: planned once, enqueued once, whole or not at all."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.sequence.job import SequenceJobs
from services.sequence.posts import batch_id_of
from shared.db import Pool, create_pool
from shared.engine.job import Lease
from shared.engine.outcome import Persist
from shared.engine.runner import AttemptEnd, run_attempt
from shared.engine.store import JobStore
from shared.model.client import open_client
from tests.shared.model.provider import Provider, emulator, settings

Row = dict[str, Any]
PAYLOAD = {"topic": "Rastreabilidade e UDI em implantes", "targetAudience": "engenharia da qualidade"}


class DyingStore(JobStore):
    """Loses its process in the completing transaction: before its end, or after it and before anybody hears of it."""

    def __init__(self, pool: Pool, *, committed: bool) -> None:
        super().__init__(pool)
        self._committed = committed

    async def complete(self, lease: Lease, result: Any, persist: Persist | None = None) -> None:
        async def die(connection: AsyncConnection[Any]) -> None:
            assert persist is not None
            await persist(connection)
            if not self._committed:
                raise psycopg.OperationalError("the process is gone")

        await super().complete(lease, result, die)
        raise psycopg.OperationalError("the process is gone")


class Desk:
    """A worker's parts around one database and one emulator."""

    def __init__(self, pool: Pool, provider: Provider, connection: AsyncConnection[Any], user_id: UUID) -> None:
        self.pool, self.provider, self.connection, self.user_id = pool, provider, connection, user_id
        self.store = JobStore(pool)

    async def ask(self, **payload: Any) -> UUID:
        query = "select id from public.enqueue_job('sequence', %s, %s)"
        return (await self.rows(query, Jsonb(PAYLOAD | payload), self.user_id))[0]["id"]

    async def work(self, job_id: UUID, store: JobStore | None = None) -> AttemptEnd:
        jobs = SequenceJobs()
        with jobs.using(self.provider.gateway()):
            return await run_attempt(store or self.store, {"sequence": jobs.sequence}, job_id, "test")

    async def expire(self, job_id: UUID) -> None:
        await self.connection.execute(
            "update jobs set lease_expires_at = now() where id = %s and status = 'processing'", (job_id,)
        )

    async def job(self, job_id: UUID) -> Row:
        return (await self.rows("select * from jobs where id = %s", job_id))[0]

    async def posts(self) -> list[Row]:
        return await self.rows("select * from jobs where batch_id is not null order by batch_order")

    async def rows(self, query: Any, *parameters: Any) -> list[Row]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()


@pytest.fixture(scope="module")
def emulator_url() -> Iterator[str]:
    with emulator() as url:
        yield url


@pytest.fixture
async def desk(
    database_url: str,
    emulator_url: str,
    connection: AsyncConnection[Any],
    create_user: Callable[..., Awaitable[UUID]],
) -> AsyncIterator[Desk]:
    async with (
        create_pool(database_url, max_size=5) as pool,
        httpx.AsyncClient(base_url=emulator_url) as http,
        open_client(settings(emulator_url)) as client,
    ):
        provider = Provider(emulator_url, http, client, pool)
        await provider.reset()
        yield Desk(pool, provider, connection, await create_user("marketing"))


async def test_a_series_is_planned_with_one_call_and_enqueued_as_a_batch(desk: Desk):
    job_id = await desk.ask(count=4)
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    job, posts = await desk.job(job_id), await desk.posts()
    [batch] = await desk.rows("select * from job_batches")
    assert (batch["id"], batch["user_id"]) == (batch_id_of(job_id), desk.user_id)
    assert (batch["title"], batch["brief"]["series"]["narrative"]) == (
        job["result"]["title"],
        job["result"]["narrative"],
    )
    assert job["result"]["batch_id"] == str(batch["id"])
    assert [{key: entry[key] for key in ("id", "kind", "topic")} for entry in job["result"]["jobs"]] == [
        {"id": str(post["id"]), "kind": "blog", "topic": post["payload"]["topic"]} for post in posts
    ]
    assert [(post["status"], post["user_id"], post["batch_order"]) for post in posts] == [
        ("queued", desk.user_id, number) for number in (1, 2, 3, 4)
    ]
    assert (await desk.provider.meter()).served == 1
    assert job["cost_usd"] > 0


async def test_posts_that_are_scheduled_and_in_order_are_enqueued_so(desk: Desk):
    await desk.work(await desk.ask(everyDays=2, inOrder=True))
    first, second, third = await desk.posts()
    assert (second["scheduled_for"] - first["scheduled_for"]).total_seconds() == pytest.approx(2 * 86_400, abs=60)
    assert [post["depends_on"] for post in (first, second, third)] == [None, first["id"], second["id"]]


@pytest.mark.parametrize("committed", [False, True])
async def test_a_worker_that_dies_as_it_completes_leaves_no_posts_or_all_of_them_once(desk: Desk, committed: bool):
    await desk.connection.execute("update job_kinds set lease_s = 3 where name = 'sequence'")
    job_id = await desk.ask()
    end = await desk.work(job_id, DyingStore(desk.pool, committed=committed))
    assert end == AttemptEnd.LEASE_LOST
    assert len(await desk.posts()) == (3 if committed else 0)
    await desk.expire(job_id)
    assert await desk.work(job_id) == (AttemptEnd.NOT_CLAIMED if committed else AttemptEnd.COMPLETED)
    assert len(await desk.posts()) == 3
    assert (await desk.job(job_id))["status"] == "completed"
    assert (await desk.provider.meter()).served == 1


async def test_a_quota_that_is_used_up_ends_the_job_and_enqueues_nothing(desk: Desk):
    await desk.connection.execute("update job_kinds set daily_quota = 2 where name = 'blog'")
    job_id = await desk.ask()
    assert await desk.work(job_id) == AttemptEnd.FAILED
    job = await desk.job(job_id)
    assert (job["error_detail"]["code"], job["error_detail"]["retryable"]) == ("posts_refused", False)
    assert job["error"].startswith(
        'The 3 posts were not started. The daily limit of 2 jobs of the kind "Blog post" is reached. It starts '
    )
    assert (await desk.posts(), await desk.rows("select 1 from job_batches")) == ([], [])


async def test_a_retry_on_another_day_plans_nothing_anew(desk: Desk):
    await desk.connection.execute("update job_kinds set daily_quota = 0 where name = 'blog'")
    job_id = await desk.ask()
    await desk.work(job_id)
    await desk.connection.execute("update job_kinds set daily_quota = 50 where name = 'blog'")
    await desk.rows("select id from retry_job(%s)", job_id)
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    assert (len(await desk.posts()), (await desk.provider.meter()).served) == (3, 1)


async def test_an_invalid_payload_fails_before_any_call(desk: Desk):
    job_id = await desk.ask(kinds=["podcast"])
    assert await desk.work(job_id) == AttemptEnd.FAILED
    job = await desk.job(job_id)
    assert (job["error_detail"]["code"], "podcast" in job["error"]) == ("invalid_payload", True)
    assert (await desk.provider.meter()).requests == 0


async def test_an_answer_that_is_no_plan_is_asked_for_once_more(desk: Desk):
    await desk.provider.script("malformed_json")
    job_id = await desk.ask()
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    assert len(await desk.posts()) == 3
    assert (await desk.provider.meter()).served == 2
