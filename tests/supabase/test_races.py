"""Two callers at the same moment, many times over: whatever the order, one of them wins and the log says who."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.supabase.counters import assert_books_balance
from tests.supabase.desk import LEASE_LOST, NO_TOKEN, Claim, Connection, Desk, rows, value

ROUNDS = 100
FINISH = "select complete_job(%s, %s, '{}')"
FAIL = 'select fail_job(%s, %s, \'{"message": "no"}\', true)'


@pytest.fixture
async def pair(desk: Desk) -> AsyncIterator[Sequence[Connection]]:
    """Two connections; afterwards no deadlock may have happened in the database."""
    async with desk.crowd(2) as connections:
        yield connections
    await desk.root.execute("select pg_stat_clear_snapshot()")
    query = "select deadlocks from pg_stat_database where datname = current_database()"
    assert await value(desk.root, query) == 0


async def outcome(call: Awaitable[Any]) -> Any:
    """What the call returned, or the SQLSTATE that it was refused with."""
    try:
        return await call
    except psycopg.Error as error:
        return error.sqlstate


async def race(
    claims: Sequence[Claim],
    one: Callable[[Claim], Awaitable[Any]],
    other: Callable[[Claim], Awaitable[Any]],
) -> list[tuple[Claim, Any, Any]]:
    """Lets both call for each claim at the same moment, with a head start of a random few steps for either."""
    seeded = random.Random(7)

    async def late(call: Callable[[Claim], Awaitable[Any]], claim: Claim, steps: int) -> Any:
        for _ in range(steps):
            await asyncio.sleep(0)
        return await outcome(call(claim))

    found: list[tuple[Claim, Any, Any]] = []
    for claim in claims:
        steps = seeded.choice([(0, 0), (0, 10), (10, 0), (0, 60), (60, 0)])
        found.append((claim, *await asyncio.gather(late(one, claim, steps[0]), late(other, claim, steps[1]))))
    return found


async def test_cancel_against_complete(desk, pair):
    cancel, complete = pair
    found = await race(
        await desk.claimed_many(ROUNDS),
        lambda claim: value(cancel, "select (cancel_job(%s)).status", claim.job_id),
        lambda claim: value(complete, FINISH, claim.job_id, claim.token),
    )
    for claim, cancelled, completed in found:
        expected = ("cancelled", LEASE_LOST) if cancelled == "cancelled" else ("PT409", "")
        assert (cancelled, completed) == expected
        assert await desk.status(claim.job_id) == ("cancelled" if cancelled == "cancelled" else "completed")
    assert len({cancelled for _, cancelled, _ in found}) == 2, "each of them won at times"


async def test_sweep_against_heartbeat(desk, pair):
    sweeper, worker = pair
    claims = await desk.claimed_many(ROUNDS)

    async def expire_then_beat(claim: Claim) -> Any:
        await desk.expire(claim.job_id)
        return await value(worker, "select held from heartbeat_job(%s, %s)", claim.job_id, claim.token)

    async def sweep(_: Claim) -> Any:
        return {row[0] for row in await rows(sweeper, "select id from sweep_jobs(1000)")}

    for claim, held, swept in await race(claims, expire_then_beat, sweep):
        assert held == (await desk.status(claim.job_id) == "processing")
        assert not (held and claim.job_id in swept)


async def test_claim_against_claim_of_an_expired_lease(desk, pair):
    claims = await desk.claimed_many(ROUNDS)
    await desk.expire(*(claim.job_id for claim in claims))
    found = await race(
        claims,
        lambda claim: desk.claim(claim.job_id, "w2", pair[0]),
        lambda claim: desk.claim(claim.job_id, "w3", pair[1]),
    )
    for claim, one, other in found:
        assert (one is None) != (other is None)
        assert (await desk.job(claim.job_id))["attempts"] == 2


async def test_fail_against_takeover(desk, pair):
    await desk.root.execute("update job_kinds set retry_base_s = 60, retry_cap_s = 60")
    claims = await desk.claimed_many(ROUNDS)
    await desk.expire(*(claim.job_id for claim in claims))
    found = await race(
        claims,
        lambda claim: value(pair[0], FAIL, claim.job_id, claim.token),
        lambda claim: desk.claim(claim.job_id, "w2", pair[1]),
    )
    for claim, failed, taken in found:
        if taken is None:
            assert (failed, await desk.status(claim.job_id)) == ("queued", "queued")
        else:
            assert (failed, await desk.status(claim.job_id)) == (LEASE_LOST, "processing")


async def test_settle_against_the_end_of_the_attempt(desk, pair):
    claims = await desk.claimed_many(ROUNDS)
    calls = {claim.job_id: (await desk.reserve(claim, "k", "0.01"))[0] for claim in claims}

    def settle(claim: Claim) -> Awaitable[Any]:
        query = "select settle_call(%s, %s, 0.004, '{}', '{\"text\": \"ok\"}')"
        return value(pair[0], query, calls[claim.job_id], claim.token)

    def end(claim: Claim) -> Awaitable[Any]:
        return value(pair[1], "select (cancel_job(%s)).status", claim.job_id)

    for claim, held, ended in await race(claims, settle, end):
        assert ended == "cancelled"
        query = "select status, cost_usd::text, response is not null from model_calls where id = %s"
        kept = ("settled", "0.004", True) if held else ("abandoned", "0.004", False)
        assert await rows(desk.root, query, calls[claim.job_id]) == [kept]
    await assert_books_balance(desk.root)


async def test_reserve_against_the_end_of_the_attempt(desk, pair):
    await desk.limit("overall", None)
    await desk.limit("user", None)
    claims = await desk.claimed_many(ROUNDS)
    found = await race(
        claims,
        lambda claim: desk.reserve(claim, "k", "0.10", pair[0]),
        lambda claim: value(pair[1], "select release_job(%s, %s)", claim.job_id, claim.token),
    )
    assert {reserved for _, reserved, _ in found if isinstance(reserved, str)} <= {LEASE_LOST}
    assert await value(desk.root, "select count(*) from model_calls where status = 'reserved'") == 0
    await assert_books_balance(desk.root)


@dataclass(frozen=True)
class Turn:
    """One caller's turn: on which connection, with which job, and a name that no other turn has."""

    connection: Connection
    job_id: UUID
    key: str


@dataclass
class Mayhem:
    """What callers do to the same few jobs, drawn at random; tokens may be anybody's, and old."""

    desk: Desk
    jobs: list[UUID]
    tokens: dict[UUID, UUID]
    calls: list[tuple[int, UUID]]

    async def claim(self, turn: Turn) -> None:
        claim = await self.desk.claim(turn.job_id, "w", turn.connection)
        if claim is not None:
            self.tokens[turn.job_id] = claim.token

    async def write(self, turn: Turn) -> None:
        await rows(turn.connection, "select * from heartbeat_job(%s, %s)", turn.job_id, self.tokens[turn.job_id])
        await rows(
            turn.connection,
            "select checkpoint_job(%s, %s, %s)",
            turn.job_id,
            self.tokens[turn.job_id],
            Jsonb({turn.key: 1}),
        )

    async def reserve(self, turn: Turn) -> None:
        token = self.tokens[turn.job_id]
        found = await self.desk.reserve(Claim(turn.job_id, token, 1, {}), turn.key, "0.01", turn.connection)
        self.calls.append((found[0], token))

    async def settle(self, turn: Turn) -> None:
        for call in self.calls[-3:]:
            await rows(turn.connection, "select settle_call(%s, %s, 0.005, '{}', '{}')", *call)

    async def end(self, turn: Turn) -> None:
        step = (FAIL, "select release_job(%s, %s)", "select continue_job(%s, %s)")[int(turn.key[-1]) % 3]
        await rows(turn.connection, step, turn.job_id, self.tokens[turn.job_id])

    async def lose(self, turn: Turn) -> None:
        await self.desk.expire(turn.job_id)
        await rows(turn.connection, "select id from sweep_jobs(10)")

    async def restart(self, turn: Turn) -> None:
        await rows(turn.connection, "select cancel_job(%s)", turn.job_id)
        from_stage = "research" if int(turn.key[-1]) % 2 else None
        await rows(turn.connection, "select retry_job(%s, %s)", turn.job_id, from_stage)

    async def look(self, turn: Turn) -> None:
        await rows(turn.connection, "select id from due_jobs(%s)", self.jobs)


async def test_a_crowd_doing_everything_to_the_same_few_jobs_never_deadlocks(desk, pair):
    """Six callers, forty steps each; refusals are right, deadlocks and other errors are not."""
    await desk.root.execute(
        "update job_kinds set max_attempts = 1000, retry_base_s = 0, retry_cap_s = 0, stages = '{research}'"
    )
    await desk.root.execute("update spend_limits set usd = 1000")
    jobs = await desk.insert_many(4)
    mayhem = Mayhem(desk, jobs, dict.fromkeys(jobs, NO_TOKEN), [])
    steps = [mayhem.claim, mayhem.claim, mayhem.claim, mayhem.write, mayhem.reserve, mayhem.reserve, mayhem.settle,
             mayhem.end, mayhem.lose, mayhem.restart, mayhem.look]  # fmt: skip
    refusals: Counter[str] = Counter()

    async def live(number: int, connection: Connection) -> None:
        drawn = random.Random(number)
        for step in range(40):
            try:
                await drawn.choice(steps)(Turn(connection, drawn.choice(jobs), f"{number}-{step}"))
            except psycopg.Error as error:
                refusals[error.sqlstate or repr(error)] += 1

    async with desk.crowd(6) as crowd:
        await asyncio.gather(*(live(number, one) for number, one in enumerate(crowd)))
    assert set(refusals) <= {"PT409"}, refusals
    await assert_books_balance(desk.root)
