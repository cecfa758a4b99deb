"""What the tool `echo` does with its payload."""

import asyncio
from typing import Any

import pytest

from services.template.app import LateGateway
from services.template.job import EchoPayload, echo
from services.template.steps import Sentence
from shared.db import Pool
from shared.engine.errors import InvalidPayload
from shared.engine.outcome import Done, Outcome
from shared.engine.payload import parse_payload
from shared.engine.runner import AttemptEnd, JobContext, run_attempt
from shared.engine.store import JobStore
from tests.shared.engine.jobs import Jobs


class SpokenTo:
    """Models that note what they are asked."""

    def __init__(self) -> None:
        self.opened = 0
        self.asked: list[tuple[str, int]] = []

    async def open(self) -> Any:
        self.opened += 1
        return self

    async def text(self, prompt: Any, schema: type[Sentence], *, variant: int) -> Sentence:
        self.asked.append((prompt.ref, variant))
        return schema(sentence="Done.")


@pytest.fixture
def models() -> SpokenTo:
    return SpokenTo()


@pytest.fixture
def attempt(store: JobStore, jobs: Jobs, models: SpokenTo) -> Any:
    async def attempt(job_id: Any) -> AttemptEnd:
        async def handle(context: JobContext) -> Outcome:
            return await echo(context, models.open)

        await jobs.make_due(job_id)
        return await run_attempt(store, {"echo": handle}, job_id, "w")

    return attempt


async def test_one_step_is_the_default_and_asks_no_model(attempt: Any, jobs: Jobs, models: SpokenTo) -> None:
    job_id = await jobs.enqueue()
    assert await attempt(job_id) == AttemptEnd.COMPLETED
    assert (await jobs.row(job_id))["result"] == {"steps": [{"step": 1, "attempt": 1}]}
    assert models.opened == 0


async def test_each_step_is_a_checkpoint_that_the_front_end_can_read(attempt: Any, jobs: Jobs) -> None:
    job_id = await jobs.enqueue({"steps": 3})
    await attempt(job_id)
    assert (await jobs.events(job_id)).count("checkpoint") == 3
    progress = (await jobs.row(job_id))["checkpoint_data"]["progress"]
    assert (progress["stage"], progress["message"], progress["done"], progress["total"]) == (
        "echo",
        "Step 3 of 3",
        3,
        3,
    )


async def test_each_step_asks_as_often_as_it_was_told(attempt: Any, jobs: Jobs, models: SpokenTo) -> None:
    job_id = await jobs.enqueue({"steps": 2, "callsPerStep": 3})
    await attempt(job_id)
    assert models.asked == [("echo@1", 0), ("echo@1", 1), ("echo@1", 2)] * 2


async def test_a_step_fails_in_as_many_attempts_as_it_was_told(attempt: Any, jobs: Jobs) -> None:
    job_id = await jobs.enqueue({"steps": 2, "fail": {"at_step": 2, "kind": "retryable", "times": 2}})
    ends = [await attempt(job_id) for _ in range(3)]
    assert ends == [AttemptEnd.RETRY_SCHEDULED, AttemptEnd.RETRY_SCHEDULED, AttemptEnd.COMPLETED]
    assert [step["attempt"] for step in (await jobs.row(job_id))["result"]["steps"]] == [1, 3]


async def test_a_permanent_failure_is_not_tried_again(attempt: Any, jobs: Jobs) -> None:
    job_id = await jobs.enqueue({"fail": {"at_step": 1, "kind": "permanent"}})
    assert await attempt(job_id) == AttemptEnd.FAILED
    detail = (await jobs.row(job_id))["error_detail"]
    assert (detail["code"], detail["stage"], detail["retryable"]) == ("echo_failed", "echo", False)


async def test_a_wrong_payload_fails_with_the_fields_name(attempt: Any, jobs: Jobs) -> None:
    job_id = await jobs.enqueue({"steps": 0})
    assert await attempt(job_id) == AttemptEnd.FAILED
    row = await jobs.row(job_id)
    assert row["error"] == "The request is not valid. steps: Input should be greater than or equal to 1."
    assert row["error_detail"]["code"] == "invalid_payload"


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"steps": 1001}, "steps"),
        ({"steps": "2"}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"steps": None}, "steps"),
        ({"sleepMs": -1}, "sleepMs"),
        ({"callsPerStep": 21}, "callsPerStep"),
        ({"colour": "blue"}, "colour"),
        ({"fail": {"at_step": 1, "kind": "sulk"}}, "fail.kind"),
        ({"fail": {"kind": "crash"}}, "fail.atStep"),
        ({"fail": []}, "fail"),
    ],
)
def test_nothing_wrong_passes(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPayload, match=field):
        parse_payload(EchoPayload, payload)


async def test_the_gateway_is_opened_by_the_first_job_that_needs_it_and_only_once(
    store: JobStore, jobs: Jobs, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "none-that-works")
    gateway = LateGateway(pool)
    opened: list[Any] = []

    async def handle(context: JobContext) -> Outcome:
        first, second = await asyncio.gather(gateway.for_job(context), gateway.for_job(context))
        opened.extend((first._gateway, second._gateway))
        return Done({})

    async with gateway.available():
        assert await run_attempt(store, {"echo": handle}, await jobs.enqueue(), "w") == AttemptEnd.COMPLETED
    assert opened[0] is opened[1]
