"""Retries from a named stage and with an edited payload: what is kept, what is discarded, and what is refused."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.supabase.counters import assert_books_balance
from tests.supabase.desk import Claim, Connection, Desk, refusal, rows, value

STATUS = "select (retry_job(%s)).status"
FROM = "select (retry_job(%s, from_stage => %s)).status"
WITH = "select (retry_job(%s, payload => %s)).status"
FROM_WITH = "select (retry_job(job_id => %s, from_stage => %s, payload => %s)).status"

PAYLOAD = {"topic": "UDI", "language": "en", "keywords": ["a"]}


async def call(desk: Desk, claim: Claim, stage: str, key: str | None = None) -> None:
    """A call of a stage that is paid and answered."""
    reserved = await rows(
        desk.worker,
        "select call_id from reserve_call(%s, %s, %s, %s, 'text', 'gemini', 'plan@1', 0.10)",
        *(claim.job_id, claim.token, key or stage, stage),
    )
    await desk.settle(claim, reserved[0][0], "0.04")


async def fail(desk: Desk, claim: Claim, stage: str, done: list[str]) -> None:
    """The job has done some stages and failed in another; its graph's state is there."""
    progress = {"stage": stage, "message": "…", "done": 1, "total": 2, "stages_done": done}
    await desk.worker.execute(
        "select checkpoint_job(%s, %s, '{\"graph\": 1}', %s)", (claim.job_id, claim.token, Jsonb(progress))
    )
    await desk.worker.execute(
        "select fail_job(%s, %s, %s, false)",
        (claim.job_id, claim.token, Jsonb({"message": "no", "stage": stage})),
    )


async def rejected(desk: Desk) -> UUID:
    """A blog job that was revised after its review and rejected all the same."""
    claim = await desk.claim(await desk.insert("blog", PAYLOAD))
    assert claim is not None
    for stage, key in (("research", None), ("strategy", None), ("write", None), ("verify", None), ("image", None),
                       ("review", None), ("write", "revise"), ("verify", "again"), ("review", "second")):  # fmt: skip
        await call(desk, claim, stage, key)
    await fail(desk, claim, "review", ["research", "strategy", "image", "write", "verify"])
    return claim.job_id


async def ledger(desk: Desk, job_id: UUID) -> list[str]:
    """The keys of the calls that would be replayed."""
    query = "select call_key from model_calls where job_id = %s and status = 'settled' order by id"
    return [row[0] for row in await rows(desk.root, query, job_id)]


@pytest.mark.parametrize(
    ("from_stage", "kept"),
    [
        ("research", []),
        ("strategy", ["research"]),
        ("write", ["research", "strategy"]),
        ("image", ["research", "strategy", "write", "verify"]),
        ("review", ["research", "strategy", "write", "verify", "image"]),
    ],
)
async def test_the_calls_of_a_stage_and_of_all_that_came_after_it_are_discarded_and_stay_paid(
    desk: Desk, from_stage: str, kept: list[str]
) -> None:
    job_id = await rejected(desk)
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, FROM, job_id, from_stage) == "queued"
    assert await ledger(desk, job_id) == kept
    found = await rows(desk.root, "select status, count(*), sum(cost_usd) from model_calls group by 1 order by 1")
    assert sum(cost for _, _, cost in found) == Decimal("0.36")
    assert {status for status, _, _ in found} <= {"settled", "discarded"}
    job = await desk.job(job_id)
    assert (job["cost_usd"], job["payload"], job["attempts"]) == (Decimal("0.36"), PAYLOAD, 0)
    await assert_books_balance(desk.root)


async def test_a_discarded_answer_is_paid_again_and_the_others_are_replayed(desk: Desk) -> None:
    job_id = await rejected(desk)
    async with desk.person(desk.user_id) as owner:
        await value(owner, FROM, job_id, "write")
    claim = await desk.claim(job_id)
    assert claim is not None
    assert (await desk.reserve(claim, "strategy"))[1]
    assert not (await desk.reserve(claim, "write"))[1]


async def test_a_second_retry_looks_at_the_answers_that_still_count(desk: Desk) -> None:
    job_id = await rejected(desk)
    async with desk.person(desk.user_id) as owner:
        await value(owner, FROM, job_id, "strategy")
        claim = await desk.claim(job_id)
        assert claim is not None
        for stage in ("strategy", "write", "review"):
            await call(desk, claim, stage)
        await fail(desk, claim, "review", ["research", "strategy", "write", "verify", "image"])
        await value(owner, FROM, job_id, "review")
    assert await ledger(desk, job_id) == ["research", "strategy", "write"]


async def test_an_answer_that_is_confirmed_once_more_after_its_discarding_is_not_charged_twice(desk: Desk) -> None:
    claim = await desk.claimed("blog")
    reserved = await desk.reserve(claim)
    await desk.settle(claim, reserved[0])
    await fail(desk, claim, "research", [])
    async with desk.person(desk.user_id) as owner:
        await value(owner, FROM, claim.job_id, "research")
    assert await desk.settle(claim, reserved[0]) is False
    assert await rows(desk.root, "select status, cost_usd::text from model_calls") == [("discarded", "0.04")]
    assert (await desk.job(claim.job_id))["cost_usd"] == Decimal("0.04")
    await assert_books_balance(desk.root)


async def test_the_checkpoint_tells_the_pipeline_where_to_go_back_to(desk: Desk) -> None:
    job_id = await rejected(desk)
    async with desk.person(desk.user_id) as owner:
        await value(owner, FROM, job_id, "write")
        progress = {
            "stage": None,
            "message": None,
            "done": None,
            "total": None,
            "stages_done": ["research", "strategy"],
        }
        saved = {"graph": 1, "rewind_to": "write", "progress": progress}
        assert (await desk.job(job_id))["checkpoint_data"] == saved
        assert await value(owner, "select (cancel_job(%s)).status", job_id) == "cancelled"
        assert await value(owner, FROM, job_id, "write") == "queued"  # it was on its way there
        assert (await desk.job(job_id))["checkpoint_data"] == saved
        await value(owner, "select (cancel_job(%s)).status", job_id)
        await value(owner, FROM, job_id, "research")
    assert (await desk.job(job_id))["checkpoint_data"] == {}
    assert (await desk.last_event(job_id))["detail"] == {"manual": True, "from_stage": "research"}


async def test_an_edited_payload_starts_from_the_beginning_and_the_change_is_in_the_log(desk: Desk) -> None:
    job_id = await rejected(desk)
    edited = {"topic": "UDI em implantes", "keywords": ["a"], "angle": None}
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, WITH, job_id, Jsonb(edited)) == "queued"
    job = await desk.job(job_id)
    assert (job["payload"], job["checkpoint_data"]) == (edited, {})
    assert len(await ledger(desk, job_id)) == 9, "what is asked in the same words is answered for free"
    event = await desk.last_event(job_id)
    assert (event["kind"], event["actor"]) == ("retried", f"user:{desk.user_id}")
    assert event["detail"] == {
        "manual": True,
        "payload_changes": {
            "topic": {"before": "UDI", "after": "UDI em implantes"},
            "language": {"before": "en"},
            "angle": {"after": None},
        },
    }


async def test_an_edited_payload_from_a_stage_keeps_what_came_before(desk: Desk) -> None:
    job_id = await rejected(desk)
    edited = {**PAYLOAD, "topic": "Rastreabilidade"}
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, FROM_WITH, job_id, "write", Jsonb(edited)) == "queued"
    job = await desk.job(job_id)
    assert (job["payload"], job["checkpoint_data"]["rewind_to"]) == (edited, "write")
    assert await ledger(desk, job_id) == ["research", "strategy"]
    assert (await desk.last_event(job_id))["detail"] == {
        "manual": True,
        "from_stage": "write",
        "payload_changes": {"topic": {"before": "UDI", "after": "Rastreabilidade"}},
    }


@pytest.mark.parametrize("payload", [PAYLOAD, None])
async def test_a_payload_that_changes_nothing_is_a_plain_retry(desk: Desk, payload: Any) -> None:
    job_id = await rejected(desk)
    before = (await desk.job(job_id))["checkpoint_data"]
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, WITH, job_id, Jsonb(payload)) == "queued"
    job = await desk.job(job_id)
    assert (job["payload"], job["checkpoint_data"]) == (PAYLOAD, before)
    assert (await desk.last_event(job_id))["detail"] == {"manual": True}


@pytest.mark.parametrize(
    ("from_stage", "payload", "sqlstate", "words"),
    [
        ("resize", None, "PT422", 'no stage "resize". The stages are: research, strategy, write'),
        ("draft", None, "PT422", 'not reached the stage "draft" yet. It reached: research, strategy, write, verify'),
        ("", None, "PT422", 'no stage "". The stages are'),
        (None, [1], "PT422", "must be a JSON object, not array"),
        ("write", "text", "PT422", "must be a JSON object, not string"),
        (None, {"topic": "x" * 300_000}, "PT413", "larger than 256 KiB"),
    ],
)
async def test_what_cannot_be_retried_that_way_is_refused_and_nothing_changes(
    desk: Desk, from_stage: str | None, payload: Any, sqlstate: str, words: str
) -> None:
    job_id = await rejected(desk)
    before = await desk.snapshot()
    async with desk.person(desk.user_id) as owner:
        error = await refusal(owner, FROM_WITH, job_id, from_stage, None if payload is None else Jsonb(payload))
    assert (error.sqlstate, words in str(error)) == (sqlstate, True), error
    assert await desk.snapshot() == before


async def test_a_job_that_never_began_can_start_from_its_first_stage_alone(desk: Desk) -> None:
    job_id = await desk.insert("blog", PAYLOAD)
    async with desk.person(desk.user_id) as owner:
        await value(owner, "select (cancel_job(%s)).status", job_id)
        error = await refusal(owner, FROM, job_id, "strategy")
        assert "It reached: research." in str(error)
        assert await value(owner, FROM, job_id, "research") == "queued"


async def test_a_stage_that_failed_before_its_progress_was_written_counts_as_reached(desk: Desk) -> None:
    claim = await desk.claimed("blog")
    await desk.worker.execute(
        'select fail_job(%s, %s, \'{"message": "no", "stage": "strategy"}\', false)', (claim.job_id, claim.token)
    )
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, FROM, claim.job_id, "strategy") == "queued"


@pytest.mark.parametrize("left", ["null", "[]", '"text"', '{"progress": 7}', '{"progress": {"stages_done": "x"}}'])
async def test_a_checkpoint_of_any_shape_can_be_retried(desk: Desk, left: str) -> None:
    claim = await desk.claimed("blog")
    await fail(desk, claim, "write", [])
    await desk.root.execute("update jobs set checkpoint_data = %s, payload = '7'", (left,))
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, FROM_WITH, claim.job_id, "write", Jsonb({"topic": "UDI"})) == "queued"
    job = await desk.job(claim.job_id)
    assert (job["checkpoint_data"]["rewind_to"], job["checkpoint_data"]["progress"]["stages_done"]) == ("write", [])


async def test_a_kind_without_stages_is_retried_as_a_whole(desk: Desk) -> None:
    claim = await desk.claimed("echo")
    await fail(desk, claim, "echo", [])
    async with desk.person(desk.user_id) as owner:
        error = await refusal(owner, FROM, claim.job_id, "echo")
        assert (error.sqlstate, "no stages to start from" in str(error)) == ("PT422", True)
        assert await value(owner, WITH, claim.job_id, Jsonb({"steps": 1})) == "queued"
    assert (await desk.job(claim.job_id))["checkpoint_data"] == {}


async def test_a_completed_job_is_not_done_again_in_any_way(desk: Desk) -> None:
    claim = await desk.claimed("blog")
    await desk.worker.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))
    async with desk.person(desk.user_id) as owner:
        for query, more in ((STATUS, ()), (FROM, ("research",)), (WITH, (Jsonb({"topic": "x"}),))):
            error = await refusal(owner, query, claim.job_id, *more)
            assert (error.sqlstate, "only failed and cancelled" in str(error)) == ("PT409", True)


async def test_an_administrator_retries_for_others_and_a_stranger_finds_no_job(desk: Desk, create_user: Any) -> None:
    job_id = await rejected(desk)
    strangers = [(await create_user(role), role) for role in (None, "sales", "marketing")]
    admin = await create_user("admin")
    before = await desk.snapshot()
    for user_id, role in strangers:
        async with desk.person(user_id, role) as stranger:
            error = await refusal(stranger, FROM_WITH, job_id, "write", Jsonb({"topic": "mine"}))
            assert error.sqlstate == "PT404"
    assert await desk.snapshot() == before
    async with desk.person(admin, "admin") as chief:
        assert await value(chief, FROM_WITH, job_id, "write", Jsonb({"topic": "better"})) == "queued"
    job, event = await desk.job(job_id), await desk.last_event(job_id)
    assert (job["user_id"], job["payload"], event["actor"]) == (desk.user_id, {"topic": "better"}, f"user:{admin}")


async def test_of_two_retries_at_the_same_moment_one_counts(desk: Desk) -> None:
    for _ in range(20):
        job_id = await rejected(desk)
        async with desk.person(desk.user_id) as one, desk.person(desk.user_id) as other:

            async def ask(person: Connection, stage: str, topic: str, job_id: UUID = job_id) -> str:
                return await value(person, FROM_WITH, job_id, stage, Jsonb({"topic": topic}))

            answers = await asyncio.gather(ask(one, "write", "first"), ask(other, "review", "second"))
        assert answers == ["queued", "queued"]
        job = await desk.job(job_id)
        won = {"first": "write", "second": "review"}[job["payload"]["topic"]]
        assert job["checkpoint_data"]["rewind_to"] == won
        assert (await desk.events(job_id)).count("retried") == 1


async def test_a_retry_that_has_been_taken_up_already_leaves_the_job_alone(desk: Desk) -> None:
    job_id = await rejected(desk)
    async with desk.person(desk.user_id) as owner:
        await value(owner, FROM, job_id, "write")
        before = await desk.snapshot()
        assert await value(owner, FROM_WITH, job_id, "nonsense", Jsonb({"topic": "other"})) == "queued"
        assert await desk.snapshot() == before
        assert await desk.claim(job_id) is not None
        assert await value(owner, FROM, job_id, "research") == "processing"
    assert len(await ledger(desk, job_id)) == 2
