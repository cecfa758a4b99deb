"""The views of what is spent add up to the ledger, for each person to their own part of it."""

from decimal import Decimal
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.supabase.desk import Connection, Desk, refusal, rows, value

VIEWS = ("spend_by_day", "spend_by_user", "spend_by_kind", "spend_by_model", "spend_by_stage")
SUMS = (
    "select sum(calls), sum(input_tokens), sum(output_tokens), sum(thought_tokens), sum(images), sum(searches),"
    " sum(cost_usd), sum(reserved_usd), sum(wasted_usd) from {}"
)
LEDGER = (
    "select count(*), sum(input_tokens), sum(output_tokens), sum(thought_tokens), sum(images), sum(search_queries),"
    " sum(cost_usd), coalesce(sum(reserved_usd) filter (where status = 'reserved'), 0),"
    " coalesce(sum(cost_usd) filter (where status in ('failed', 'abandoned')), 0) from model_calls where user_id = %s"
)
RESULT = {"draft": {"table": "blog_posts", "id": "7", "title": "Rastreabilidade"}}


async def call(desk: Desk, job: UUID, token: UUID, stage: str, model: str, cost: str | None, *, good: bool) -> None:
    """A call that reserved 0.10 USD; without a cost it is still under way."""
    reserved = "select call_id from reserve_call(%s, %s, %s, %s, 'text', %s, 'p@1', 0.10)"
    call_id = await value(desk.worker, reserved, job, token, f"{stage} {model} {cost}", stage, model)
    if cost is not None:
        usage = Jsonb({"input_tokens": 11, "output_tokens": 7, "thought_tokens": 5, "images": 1, "search_queries": 2})
        name = "settle_call" if good else "fail_call"
        query = f"select {name}(%s, %s, %s, %s, '{{}}')"
        await desk.worker.execute(query.encode(), (call_id, token, Decimal(cost), usage))


@pytest.fixture
async def history(desk: Desk, create_user) -> tuple[Desk, UUID]:
    """Jobs of two people, with calls that were settled, that failed and that are under way; the second one's id."""
    other = await create_user()
    for owner in (desk.user_id, other):
        claim = await desk.claim(await desk.insert("blog", user_id=owner))
        assert claim is not None
        await call(desk, claim.job_id, claim.token, "research", "flash", "0.0123456", good=True)
        await desk.root.execute("update model_calls set day = day - 1 where user_id = %s", (owner,))
        await call(desk, claim.job_id, claim.token, "write", "pro", "0.04", good=True)
        await call(desk, claim.job_id, claim.token, "write", "pro", "0.02", good=False)
        await desk.worker.execute("select complete_job(%s, %s, %s)", (claim.job_id, claim.token, Jsonb(RESULT)))
        running = await desk.claim(await desk.insert("echo", user_id=owner))
        assert running is not None
        await call(desk, running.job_id, running.token, "echo", "flash", None, good=True)
    return desk, other


def plus(one: tuple[Decimal, ...], other: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


async def total(connection: Connection, view: str) -> tuple[Decimal, ...]:
    return (await rows(connection, SUMS.format(view)))[0]


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_adds_up_to_the_ledger_to_the_last_digit(history, create_user, view):
    desk, other = history
    mine = (await rows(desk.root, LEDGER, desk.user_id))[0]
    everyone = plus(mine, (await rows(desk.root, LEDGER, other))[0])
    assert mine[6:] == (Decimal("0.0723456"), Decimal("0.10"), Decimal("0.02"))
    async with desk.person(desk.user_id) as person:
        assert await total(person, view) == mine
    async with desk.person(await create_user(), None) as stranger:
        assert await rows(stranger, f"select * from {view}") == []
    async with desk.person(await create_user("admin"), "admin") as admin:
        assert await total(admin, view) == everyone
    assert await total(desk.worker, view) == everyone


async def test_each_view_tells_its_own_thing_apart_and_the_days(history):
    desk, other = history
    today = await value(desk.root, "select engine.today()")
    yesterday = await value(desk.root, "select engine.today() - 1")
    for view, key, expected in (
        ("spend_by_day", "day", {(yesterday, yesterday), (today, today)}),
        ("spend_by_user", "user_id", {(day, user) for day in (yesterday, today) for user in (desk.user_id, other)}),
        ("spend_by_kind", "kind", {(yesterday, "blog"), (today, "blog"), (today, "echo")}),
        ("spend_by_model", "model", {(yesterday, "flash"), (today, "pro"), (today, "flash")}),
        ("spend_by_stage", "stage", {(yesterday, "research"), (today, "write"), (today, "echo")}),
    ):
        assert set(await rows(desk.root, f"select day, {key} from {view}")) == expected


async def test_a_draft_shows_what_it_cost(history):
    desk, _ = history
    async with desk.person(desk.user_id) as person:
        found = await rows(
            person,
            "select day = %s, kind, title, draft_table, draft_id, calls, input_tokens, images, searches, cost_usd,"
            " wasted_usd, reserved_usd from spend_by_draft",
            await value(desk.root, "select engine.today()"),
        )
    amounts = (3, 33, 3, 6, Decimal("0.0723456"), Decimal("0.02"), 0)
    assert found == [(True, "blog", "Rastreabilidade", "blog_posts", "7", *amounts)]
    same = "select count(*) from spend_by_draft d join jobs j on j.id = d.job_id and j.cost_usd = d.cost_usd"
    assert await value(desk.root, same) == 2


async def test_nobody_looks_at_what_is_spent_without_signing_in(desk):
    for view in (*VIEWS, "spend_by_draft"):
        async with desk.crowd(1, "anon") as (anon,):
            assert (await refusal(anon, f"select * from {view}")).sqlstate == "42501"
