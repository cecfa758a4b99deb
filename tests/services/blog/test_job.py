"""Blog jobs on real Postgres: claimed, worked off, and written as one."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.blog.job import BlogJobs, Tools
from services.blog.records import BlogRecords
from shared.db import create_pool
from shared.engine.errors import ModelUnavailable
from shared.engine.runner import AttemptEnd, run_attempt
from shared.engine.store import JobStore
from tests.services.blog.honest import HEADLINE, HonestModels, Surroundings

Row = dict[str, Any]


class Desk:
    """A worker's parts around one database, with scripted models."""

    def __init__(self, pool: Any, connection: AsyncConnection[Any], user_id: UUID) -> None:
        self.connection, self.user_id = connection, user_id
        self.store = JobStore(pool)
        self.records = BlogRecords(pool)
        self.around = Surroundings()

    async def ask(self, kind: str, **payload: Any) -> UUID:
        [row] = await self.rows(
            "select id from public.enqueue_job(%s, %s, %s)",
            kind,
            Jsonb({"topic": "Registros de lote", **payload}),
            self.user_id,
        )
        return row["id"]

    async def work(self, job_id: UUID) -> AttemptEnd:
        jobs = BlogJobs(self.records)
        gateway = SimpleNamespace(for_job=lambda *_: self.around.models)
        tools = Tools(cast("Any", gateway), self.around.pages, self.around)
        with jobs.using(tools):
            return await run_attempt(
                self.store, {"blog": jobs.blog, "deep_research": jobs.deep_research}, job_id, "test"
            )

    async def job(self, job_id: UUID) -> Row:
        return (await self.rows("select * from public.jobs where id = %s", job_id))[0]

    async def rows(self, query: Any, *parameters: Any) -> list[Row]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def set_due(self, job_id: UUID) -> None:
        await self.connection.execute("update public.jobs set scheduled_for = now() where id = %s", (job_id,))


@pytest.fixture
async def desk(
    database_url: str, connection: AsyncConnection[Any], create_user: Callable[..., Any]
) -> AsyncIterator[Desk]:
    async with create_pool(database_url, max_size=5) as pool:
        yield Desk(pool, connection, await create_user("marketing"))


async def test_the_draft_is_written_with_the_completion(desk: Desk):
    job_id = await desk.ask("blog", brainstorming_session_id="chat-7", brainstormingContext="O ângulo contrário")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    job, [post] = await desk.job(job_id), await desk.rows("select * from public.blog_posts")
    assert (post["status"], post["ai_generated"], post["published_at"]) == ("draft", True, None)
    assert (post["job_id"], post["user_id"], post["language"]) == (job_id, desk.user_id, "pt-BR")
    assert post["slug"] == "registros-de-lote-o-que-conferir-antes-da-proxima-auditoria"
    assert job["result"]["draft"] == {
        "table": "blog_posts",
        "id": str(post["id"]),
        "slug": post["slug"],
        "title": HEADLINE["title"],
    }
    assert job["result"]["quality_score"] == post["metadata"]["quality_score"]
    assert post["featured_image"] == f"https://files.test/content/blog/{job_id}/banner.jpg"


async def test_the_metadata_tells_what_the_draft_stands_on(desk: Desk):
    await desk.work(await desk.ask("blog", brainstorming_session_id="chat-7", keywords=["UDI"]))
    [post] = await desk.rows("select * from public.blog_posts")
    metadata = post["metadata"]
    assert metadata["brainstorming"]["session_id"] == "chat-7"
    assert {"checked", "held", "rewritten", "removed", "share"} == set(metadata["citations"])
    assert metadata["reviews"][0]["criteria"][0]["reason"]
    assert {source["number"] for source in metadata["sources"]} == {item["reference"] for item in metadata["evidence"]}
    assert metadata["research"]["sources"]
    assert set(metadata["seconds"]) == {"research", "strategy", "write", "verify", "image", "review", "draft"}
    assert "UDI" in post["keywords"]
    assert set(post["news_sources"]) == {source["url"] for source in metadata["sources"] if source["url"]}


async def test_progress_and_stages_are_in_the_checkpoint(desk: Desk):
    job_id = await desk.ask("blog")
    await desk.work(job_id)
    checkpoint = (await desk.job(job_id))["checkpoint_data"]
    assert checkpoint["progress"]["stages_done"] == [
        "research",
        "strategy",
        "write",
        "verify",
        "image",
        "review",
        "draft",
    ]
    assert checkpoint["research_notes"] is None
    assert len(str(checkpoint)) < 200_000


async def test_two_drafts_of_one_title_have_two_addresses(desk: Desk):
    for _ in range(3):
        await desk.work(await desk.ask("blog"))
    slugs = [row["slug"] for row in await desk.rows("select slug from public.blog_posts order by created_at")]
    base = "registros-de-lote-o-que-conferir-antes-da-proxima-auditoria"
    assert slugs == [base, f"{base}-2", f"{base}-3"]


async def test_an_address_taken_at_the_last_moment_is_tried_again_and_costs_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    await desk.work(await desk.ask("blog"))
    job_id = await desk.ask("blog")
    [taken] = await desk.rows("select slug from public.blog_posts")

    async def stale(_: BlogRecords, slug: str) -> str:
        return taken["slug"]

    with monkeypatch.context() as patch:
        patch.setattr(BlogRecords, "free_slug", stale)
        assert await desk.work(job_id) == AttemptEnd.RETRY_SCHEDULED
    job = await desk.job(job_id)
    assert (job["status"], job["error_detail"]["code"], job["result"]) == ("queued", "address_taken", None)
    made = len(desk.around.models.made)
    await desk.set_due(job_id)
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    assert len(desk.around.models.made) == made
    assert len(await desk.rows("select 1 from public.blog_posts where job_id = %s", job_id)) == 1


async def test_a_failed_attempt_leaves_no_draft_and_the_next_goes_on(desk: Desk):
    job_id = await desk.ask("blog")
    review = desk.around.models.answers["review"]
    desk.around.models.answers["review"] = ModelUnavailable("503 for a minute")
    assert await desk.work(job_id) == AttemptEnd.RETRY_SCHEDULED
    assert await desk.rows("select 1 from public.blog_posts") == []
    assert (await desk.job(job_id))["error_detail"]["stage"] == "review"
    desk.around.models.answers["review"] = review
    made = list(desk.around.models.made)
    await desk.set_due(job_id)
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    assert desk.around.models.made == [*made, "review"]


async def test_an_invalid_payload_fails_at_once(desk: Desk):
    job_id = await desk.ask("blog", researchLevel="abyssal")
    assert await desk.work(job_id) == AttemptEnd.FAILED
    job = await desk.job(job_id)
    assert (job["error_detail"]["code"], desk.around.models.made) == ("invalid_payload", [])
    assert "researchLevel" in job["error"]


async def test_deep_research_reports_and_writes_no_draft(desk: Desk):
    desk.around.models = HonestModels()
    job_id = await desk.ask("deep_research", researchLevel="light")
    assert await desk.work(job_id) == AttemptEnd.COMPLETED
    result = (await desk.job(job_id))["result"]
    assert [item["id"] for item in result["report"]["evidence"]] == ["E1", "E2", "E3", "E4", "E5", "E6"]
    assert result["markdown"].startswith("# Registros de lote")
    assert await desk.rows("select 1 from public.blog_posts") == []


async def test_products_come_from_the_catalogue(desk: Desk):
    await desk.connection.execute("insert into public.product_catalog (name, description) values ('Placa', null)")
    assert "Placa" in {product.name for product in await desk.records.products()}


async def test_a_slug_is_free_until_it_is_taken(desk: Desk):
    assert await desk.records.free_slug("um-artigo") == "um-artigo"
    for slug in ("um-artigo", "um-artigo-3", "um-artigo-bis"):
        await desk.connection.execute("insert into public.blog_posts (title, slug) values ('x', %s)", (slug,))
    assert await desk.records.free_slug("um-artigo") == "um-artigo-2"


async def test_spending_is_told_by_stage_with_the_models_used(desk: Desk):
    job_id = await desk.ask("blog")
    claimed = await desk.store.claim(job_id, "test", ["blog"])
    assert claimed is not None
    token = claimed[1].token
    usage = Jsonb({"model_version": "m-1"})
    for stage, prompt, settled, cost in (
        ("research", "search@1", True, 0.01),
        ("research", "search@1", False, 0.02),
        ("write", "write_section@1", True, 0.03),
    ):
        [call] = await desk.rows(
            "select call_id from public.reserve_call(%s, %s, %s, %s, 'text', 'm', %s, 0.1)",
            *(job_id, token, str(uuid4()), stage, prompt),
        )
        if settled:
            await desk.rows(
                "select public.settle_call(%s, %s, %s, %s, '{}')", call["call_id"], token, Decimal(str(cost)), usage
            )
        else:
            await desk.rows(
                "select public.fail_call(%s, %s, %s, %s, '{}')", call["call_id"], token, Decimal(str(cost)), usage
            )
    spending = await desk.records.spending(job_id)
    assert (spending.cost_usd, spending.by_stage) == (0.06, {"research": 0.03, "write": 0.03})
    assert spending.models == {"search@1": "m-1", "write_section@1": "m-1"}
