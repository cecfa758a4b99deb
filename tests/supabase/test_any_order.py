"""Any order of calls, by workers that are current or long replaced: the rules of the engine hold after each of them.

A model in Python says what each call has to answer; afterwards the books balance and every job's events tell one story.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from psycopg import Connection

from tests.conftest import TestDatabases
from tests.supabase import stories
from tests.supabase.counters import assert_books_balance_now
from tests.supabase.desk import NO_TOKEN

MAX_ATTEMPTS = 3


def cents(drawn: Random, least: int) -> Decimal:
    return Decimal(drawn.randint(least, 40)) / 100


# How often each is done, so that jobs get somewhere before they are cancelled.
ACTIONS = (
    *("claim",) * 6,
    *("reserve",) * 6,
    *("close",) * 4,
    *("checkpoint", "retry", "finish", "time_passes", "sweep", "heartbeat") * 2,
    "cancel",
)


@dataclass
class Attempt:
    """A token that was given out, and the calls that it reserved: {call id: key}."""

    token: UUID
    calls: dict[int, str] = field(default_factory=dict)


@dataclass
class Expected:
    """What the model knows of the one job."""

    status: str = "queued"
    attempts: int = 0
    due: bool = True
    expired: bool = False
    holder: Attempt | None = None
    checkpoint: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    cost_usd: Decimal = Decimal(0)


class Engine(RuleBasedStateMachine):
    connection: ClassVar[Connection[Any]]
    user_id: ClassVar[UUID]

    @initialize(seed=st.integers(0, 2**64 - 1))
    def begin(self, seed: int) -> None:
        self.drawn = Random(seed)  # even odds, which drawing each step by Hypothesis does not give
        self.job = Expected()
        self.attempts: list[Attempt] = []
        self.closed: set[int] = set()
        query = "insert into jobs (user_id, job_type) values (%s, 'echo') returning id"
        self.job_id = self.one(query, self.user_id)[0]
        self.connection.execute("update jobs set max_attempts = %s where id = %s", (MAX_ATTEMPTS, self.job_id))

    def one(self, query: str, *parameters: Any) -> Any:
        return self.connection.execute(query.encode(), parameters).fetchone()

    def answer(self, query: str, *parameters: Any) -> tuple[Any, str | None]:
        """The row, or the SQLSTATE of the refusal."""
        try:
            return self.one(query, *parameters), None
        except psycopg.Error as error:
            return None, error.sqlstate

    def call(self, query: str, attempt: Attempt, *parameters: Any) -> Any:
        """Calls a function that carries a token; it has to be refused exactly when the token is not the current one."""
        row, refusal = self.answer(query, self.job_id, attempt.token, *parameters)
        assert refusal == (None if attempt is self.job.holder else "PT409")
        if refusal:
            return None
        self.job.expired = False
        return row

    def end(self, status: str, *, due: bool = True) -> None:
        self.job.status, self.job.holder, self.job.due, self.job.expired = status, None, due, False

    def lose(self) -> None:
        """The attempt's lease has run out and somebody noticed."""
        self.end("failed" if self.job.attempts >= MAX_ATTEMPTS else "queued")

    def claim(self, _: Random) -> None:
        job = self.job
        row = self.one("select lease_token, attempt, checkpoint_data from claim_job(%s, 'w')", self.job_id)
        if job.status == "processing" and job.expired:
            self.lose()
        if job.status != "queued" or not job.due:
            assert row is None
            return
        job.attempts += 1
        assert row[1:] == (job.attempts, job.checkpoint)
        job.status, job.holder = "processing", Attempt(row[0])
        self.attempts.append(job.holder)

    def heartbeat(self, drawn: Random) -> None:
        attempt = self.some_attempt(drawn)
        held, cancelled, _ = self.one("select * from heartbeat_job(%s, %s)", self.job_id, attempt.token)
        assert held == (attempt is self.job.holder)
        assert cancelled == (not held and self.job.status == "cancelled")
        self.job.expired = self.job.expired and not held

    def checkpoint(self, drawn: Random) -> None:
        attempt, key = self.some_attempt(drawn), drawn.choice("abc")
        query = "select checkpoint_job(%s, %s, jsonb_build_object(%s::text, 1))"
        if self.call(query, attempt, key) is not None:
            self.job.checkpoint[key] = 1

    def finish(self, drawn: Random) -> None:
        attempt = self.some_attempt(drawn)
        ways = {
            "complete": "select complete_job(%s, %s, '{}')",
            "continue": "select continue_job(%s, %s)",
            "continue later": "select continue_job(%s, %s, 60)",
            "release": "select release_job(%s, %s)",
            "fail": 'select fail_job(%s, %s, \'{"message": "away"}\', true)',
            "fail for good": 'select fail_job(%s, %s, \'{"message": "no"}\', false)',
        }
        way = drawn.choice(sorted(ways))
        row = self.call(ways[way], attempt)
        if row is None:
            return
        if way == "complete":
            self.end("completed")
        elif way.startswith("fail"):
            again = way == "fail" and self.job.attempts < MAX_ATTEMPTS
            assert row[0] == ("queued" if again else "failed")
            self.end(row[0], due=False)
        else:
            self.job.attempts -= 1
            self.end("queued", due=way != "continue later")

    def time_passes(self, _: Random) -> None:
        self.connection.execute(
            "update jobs set scheduled_for = clock_timestamp(), lease_expires_at = lease_expires_at - interval '1 h'"
            " where id = %s and status in ('queued', 'processing')",
            (self.job_id,),
        )
        self.job.due = self.job.due or self.job.status == "queued"
        self.job.expired = self.job.status == "processing"

    def sweep(self, _: Random) -> None:
        found = {row[0] for row in self.connection.execute("select id from sweep_jobs(1000)")}
        if self.job.status == "processing" and self.job.expired:
            self.lose()
        waits = self.job.status == "queued" and self.job.due
        assert (self.job_id in found) == waits

    def cancel(self, _: Random) -> None:
        _, refusal = self.answer("select cancel_job(%s)", self.job_id)
        assert refusal == ("PT409" if self.job.status in {"completed", "failed"} else None)
        if not refusal:
            self.end("cancelled")

    def retry(self, _: Random) -> None:
        _, refusal = self.answer("select retry_job(%s)", self.job_id)
        assert refusal == ("PT409" if self.job.status == "completed" else None)
        if self.job.status in {"failed", "cancelled"}:
            self.job.attempts = 0
            self.end("queued")

    def reserve(self, drawn: Random) -> None:
        attempt, key, usd = (
            self.some_attempt(drawn),
            drawn.choice(["plan", "write", "image", "review"]),
            cents(drawn, 0),
        )
        query = "select call_id, replayed from reserve_call(%s, %s, %s, 's', 'text', 'm', 'p@1', %s)"
        holds = attempt is self.job.holder
        under_way = any(k == key and c not in self.closed for c, k in attempt.calls.items())
        if holds and under_way:
            with pytest.raises(psycopg.errors.UniqueViolation):
                self.one(query, self.job_id, attempt.token, key, usd)
            return
        expired = self.job.expired
        row = self.call(query, attempt, key, usd)
        self.job.expired = expired  # a reservation does not renew the lease
        if row is None:
            return
        call_id, replayed = row
        assert replayed == (key in self.job.answers)
        if replayed:
            assert call_id == self.job.answers[key]
        else:
            attempt.calls[call_id] = key

    def close(self, drawn: Random) -> None:
        with_calls = [attempt for attempt in self.attempts if attempt.calls]
        if not with_calls:
            return
        attempt = drawn.choice(with_calls[::-1])
        call_id, usd, good = drawn.choice(sorted(attempt.calls)), cents(drawn, 1), drawn.choice([True, False])
        name = "settle_call" if good else "fail_call"
        (held,) = self.one(f"select {name}(%s, %s, %s, '{{}}', '{{}}')", call_id, attempt.token, usd)
        assert held == (attempt is self.job.holder)
        if call_id in self.closed:
            return
        self.closed.add(call_id)
        self.job.cost_usd += usd
        if held and good:
            self.job.answers[attempt.calls[call_id]] = call_id

    def some_attempt(self, drawn: Random) -> Attempt:
        """The current one three times out of four, else any that there was, or a token never given out."""
        if self.job.holder and drawn.choice([True, True, True, False]):
            return self.job.holder
        return drawn.choice([*self.attempts, Attempt(NO_TOKEN)])

    @rule()
    def act(self) -> None:
        getattr(self, self.drawn.choice(ACTIONS))(self.drawn)

    @invariant()
    def the_row_is_as_expected(self) -> None:
        if not hasattr(self, "job_id"):
            return
        query = """
            select status, attempts, cost_usd, lease_token, (
              select count(*) from model_calls c
              where c.job_id = j.id and c.status = 'reserved' and c.lease_token is distinct from j.lease_token)
            from jobs j where id = %s
        """
        token = self.job.holder.token if self.job.holder else None
        assert self.one(query, self.job_id) == (self.job.status, self.job.attempts, self.job.cost_usd, token, 0)

    def teardown(self) -> None:
        assert_books_balance_now(self.connection)
        assert stories.problems_now(self.connection) == {}
        # One job at a time, so that looking at all of them stays quick.
        self.connection.execute("delete from jobs; delete from engine.spend_counters")


@pytest.fixture
def engine(databases: TestDatabases) -> Iterator[type[Engine]]:
    with databases.copy_of("migrated") as url, psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("insert into auth.users (id) values (gen_random_uuid()) returning id").fetchone()
        assert row is not None
        connection.execute("delete from spend_limits; update job_kinds set retry_base_s = 60, retry_cap_s = 60")
        Engine.connection, Engine.user_id = connection, row[0]
        yield Engine


def test_the_engine_keeps_its_rules_in_any_order_of_calls(engine):
    run_state_machine_as_test(
        engine,
        settings=settings(
            max_examples=80,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
        ),
    )
