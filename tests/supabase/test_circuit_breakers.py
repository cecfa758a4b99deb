"""The circuit breaker: a model that fails again and again is left alone for a while, then tried with one call."""

import asyncio
import json
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.supabase.desk import Claim, Desk, rows, value

RESERVE = "select call_id from reserve_call(%s, %s, %s, 's', 'text', 'gemini', 'p@1', 0.01)"


async def fail(desk: Desk, claim: Claim, key: str, **error: Any) -> None:
    """A call that the provider did not answer."""
    call_id = (await desk.reserve(claim, key))[0]
    note = {"code": "503 UNAVAILABLE", "message": "overloaded", "provider_failure": True} | error
    await desk.worker.execute(
        "select fail_call(%s, %s, 0, '{}', %s)", (call_id, claim.token, Jsonb({k: v for k, v in note.items() if v}))
    )


async def broken(desk: Desk, times: int = 5, **error: Any) -> Claim:
    claim = await desk.claimed()
    for n in range(times):
        await fail(desk, claim, f"broken {n}", **error)
    return claim


async def refused(desk: Desk, claim: Claim, key: str = "k") -> dict[str, Any] | None:
    """Why a reservation is refused; None when it is granted."""
    try:
        await desk.worker.execute(RESERVE, (claim.job_id, claim.token, key))
    except psycopg.Error as error:
        return {"sqlstate": error.sqlstate, **json.loads(error.diag.message_detail or "{}")}
    return None


async def pause_over(desk: Desk) -> None:
    await desk.root.execute("update circuit_breakers set opened_until = clock_timestamp()")


async def pause_s(desk: Desk) -> float:
    return await value(desk.root, "select pause_s from circuit_breakers")


async def test_four_failures_in_a_row_are_borne_and_the_fifth_opens_the_circuit(desk: Desk):
    claim = await broken(desk, times=4)
    assert await refused(desk, claim) is None
    await fail(desk, claim, "the fifth")
    reason = await refused(desk, claim, "another")
    assert reason is not None
    assert (reason["sqlstate"], reason["reason"], reason["model"]) == ("PT503", "circuit_open", "gemini")
    assert 9 < reason["retry_after_s"] <= 10


async def test_an_open_circuit_reserves_nothing(desk: Desk):
    claim = await broken(desk)
    before = await value(desk.root, "select count(*) from model_calls")
    await refused(desk, claim)
    assert await value(desk.root, "select count(*) from model_calls") == before
    assert await value(desk.root, "select sum(reserved_usd) from engine.spend_counters") == 0


async def test_an_answer_in_between_starts_the_count_again(desk: Desk):
    claim = await broken(desk, times=4)
    await desk.settle(claim, (await desk.reserve(claim, "good"))[0])
    for n in range(4):
        await fail(desk, claim, f"again {n}")
    assert await refused(desk, claim) is None


async def test_an_answer_of_no_use_is_an_answer(desk: Desk):
    claim = await broken(desk, times=4)
    await fail(desk, claim, "truncated", provider_failure=None, answered=True)
    await fail(desk, claim, "one more")
    assert await refused(desk, claim) is None


async def test_a_cancelled_or_wrong_call_says_nothing_of_the_model(desk: Desk):
    claim = await broken(desk, times=4)
    await fail(desk, claim, "cancelled", provider_failure=None)
    await fail(desk, claim, "the fifth")
    assert await refused(desk, claim) is not None


async def test_failures_more_than_a_minute_apart_are_not_in_a_row(desk: Desk):
    claim = await broken(desk, times=4)
    await desk.root.execute("update circuit_breakers set last_failure_at = last_failure_at - interval '61 seconds'")
    await fail(desk, claim, "a minute later")
    assert await refused(desk, claim) is None


async def test_after_the_pause_one_call_probes_and_the_others_go_on_waiting(desk: Desk):
    await broken(desk)
    await pause_over(desk)
    claims = await desk.claimed_many(8)
    async with desk.crowd(8) as crowd:
        ends = await asyncio.gather(
            *(
                connection.execute(RESERVE, (claim.job_id, claim.token, "probe"))
                for connection, claim in zip(crowd, claims, strict=True)
            ),
            return_exceptions=True,
        )
    refusals = [end for end in ends if isinstance(end, Exception)]
    assert len(refusals) == 7
    assert {json.loads(error.diag.message_detail)["retry_after_s"] for error in refusals} == {5}  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_probe_that_fails_doubles_the_pause_up_to_five_minutes(desk: Desk):
    claim = await broken(desk)
    pauses = [await pause_s(desk)]
    for n in range(6):
        await pause_over(desk)
        await fail(desk, claim, f"probe {n}")
        pauses.append(await pause_s(desk))
    assert pauses == [10, 20, 40, 80, 160, 300, 300]


async def test_a_probe_that_is_answered_closes_the_circuit(desk: Desk):
    claim = await broken(desk)
    await pause_over(desk)
    await desk.settle(claim, (await desk.reserve(claim, "probe"))[0])
    assert await rows(desk.root, "select failures, opened_until, pause_s, probing_until from circuit_breakers") == [
        (0, None, 0, None)
    ]
    assert await refused(desk, claim, "next") is None


async def test_a_probe_that_never_ends_lets_another_one_probe_after_a_minute(desk: Desk):
    claim = await broken(desk)
    await pause_over(desk)
    assert await refused(desk, claim, "lost") is None
    assert await refused(desk, claim, "second") is not None
    await desk.root.execute("update circuit_breakers set probing_until = clock_timestamp()")
    assert await refused(desk, claim, "third") is None


async def test_calls_that_were_under_way_when_it_opened_do_not_prolong_the_pause(desk: Desk):
    claim = await desk.claimed()
    late = [(await desk.reserve(claim, f"late {n}"))[0] for n in range(3)]
    for n in range(5):
        await fail(desk, claim, f"k{n}")
    for call_id in late:
        await desk.worker.execute(
            "select fail_call(%s, %s, 0, '{}', %s)", (call_id, claim.token, Jsonb({"provider_failure": True}))
        )
    assert await pause_s(desk) == 10


async def test_the_pause_is_what_the_provider_asks_for_when_that_is_longer(desk: Desk):
    await broken(desk, retry_after_s=45)
    assert await pause_s(desk) == 45


async def test_other_models_are_not_concerned(desk: Desk):
    claim = await broken(desk)
    other = "select call_id from reserve_call(%s, %s, 'k', 's', 'text', 'another', 'p@1', 0.01)"
    assert await value(desk.worker, other, claim.job_id, claim.token)
