"""Whatever happens to calls and jobs, in whatever order: counters are what the ledger says, and no limit is passed."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg import Connection

from tests.conftest import TestDatabases
from tests.supabase.counters import LEFT_OVER, MISPRICED

PEOPLE = [UUID(int=1), UUID(int=2)]
LIMITS = {"overall": "3.00", "user": "1.20", "kind": "2.00", "job": "0.70"}
PASSED = """
    select c.* from engine.spend_counters c join spend_limits l on l.scope = c.scope
    where c.spent_usd + c.reserved_usd > l.usd
"""
DIFFERENT = """
    select c.* from engine.spend_counters c cross join lateral (
      select coalesce(sum(cost_usd), 0) as spent_usd,
        coalesce(sum(reserved_usd) filter (where status = 'reserved'), 0) as reserved_usd
      from model_calls m
      where c.scope_key = case c.scope
        when 'overall' then '*' when 'user' then m.user_id::text when 'kind' then m.kind else m.job_id::text end
      and c.day = case c.scope when 'job' then 'epoch' else m.day end
    ) ledger
    where (c.spent_usd, c.reserved_usd) is distinct from (ledger.spent_usd, ledger.reserved_usd)
"""
# 80 % of a limit is spent, and no alarm tells it.
UNTOLD = """
    select c.* from engine.spend_counters c join spend_limits l on l.scope = c.scope
    where c.spent_usd >= l.usd * 0.8 and not exists (
      select from spend_alarms a where (a.scope, a.scope_key, a.day) = (c.scope, c.scope_key, c.day))
"""
ACTIONS = (*("claim",) * 5, *("reserve",) * 8, *("settle",) * 6, "lose", "cancel", "fail", "midnight", "delete")


class Spending(RuleBasedStateMachine):
    connection: ClassVar[Connection[Any]]

    @initialize(seed=st.integers(0, 2**64 - 1))
    def begin(self, seed: int) -> None:
        self.drawn = Random(seed)
        self.keys = self.nights = 0
        query = "insert into jobs (user_id, job_type) select p, k from unnest(%s::uuid[]) p, unnest(%s::text[]) k"
        self.do(query, PEOPLE, ["echo", "blog"])

    def do(self, query: str, *parameters: Any) -> list[Any]:
        cursor = self.connection.execute(query.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def some(self, query: str) -> Any:
        found = self.do(query)
        return self.drawn.choice(found) if found else None

    def claim(self) -> None:
        job = self.some("select id from jobs where status = 'queued' order by user_id, kind")
        if job:
            self.do("select claim_job(%s, 'w')", *job)

    def reserve(self) -> None:
        held = self.some("select id, lease_token from jobs where status = 'processing' order by user_id, kind")
        if held is None:
            return
        self.keys += 1
        usd = Decimal(self.drawn.randint(0, 30)) / 100
        query = "select reserve_call(%s, %s, %s, 's', 'text', 'm', 'p@1', %s)"
        try:
            self.do(query, *held, f"k{self.keys}", usd)
        except psycopg.Error as error:
            if error.sqlstate != "PT429":
                raise

    def settle(self) -> None:
        """A call that is under way, or whose attempt has ended since; it never costs more than was reserved."""
        call = self.some(
            "select id, lease_token, reserved_usd, status from model_calls"
            " where status in ('reserved', 'abandoned') order by id"
        )
        if call is None:
            return
        call_id, token, reserved_usd, status = call
        cost = reserved_usd * self.drawn.randint(0, 100) / 100 if status == "reserved" else Decimal(0)
        name = self.drawn.choice(["settle_call", "fail_call"])
        self.do(f"select {name}(%s, %s, %s, '{{}}', '{{}}')", call_id, token, cost)

    def lose(self) -> None:
        """A worker has crashed: its lease runs out."""
        held = self.some("select id from jobs where status = 'processing' order by user_id, kind")
        if held:
            self.do("update jobs set lease_expires_at = now() - interval '1 s' where id = %s", *held)
            self.do("select sweep_jobs(100)")

    def cancel(self) -> None:
        job = self.some("select id from jobs where status in ('queued', 'processing') order by user_id, kind")
        if job:
            self.do("select cancel_job(%s)", *job)
            self.do("select retry_job(%s)", *job)

    def fail(self) -> None:
        held = self.some("select id, lease_token from jobs where status = 'processing' order by user_id, kind")
        if held:
            self.do("""select fail_job(%s, %s, '{"message": "no"}', false)""", *held)
            self.do("select retry_job(%s)", held[0])

    def delete(self) -> None:
        """A job that has cost nothing: what was paid stays in the books of its day."""
        job = self.some("select id from jobs where cost_usd = 0 order by user_id, kind")
        if job:
            self.do("delete from jobs where id = %s", *job)

    def midnight(self) -> None:
        """Everything of today was a day before; what is under way is settled on its own day."""
        self.nights += 1
        for table in ("model_calls", "spend_alarms", "engine.spend_counters"):
            self.do(f"update {table} set day = day - %s where day = engine.today()", self.nights)

    @rule()
    def act(self) -> None:
        getattr(self, self.drawn.choice(ACTIONS))()

    @invariant()
    def no_limit_is_passed_and_alarms_are_told(self) -> None:
        assert self.do(PASSED) == []
        assert self.do(UNTOLD) == []

    @invariant()
    def counters_are_the_ledger(self) -> None:
        for query in (DIFFERENT, LEFT_OVER, MISPRICED):
            assert self.do(query) == []

    def teardown(self) -> None:
        self.do("delete from jobs")
        assert self.do("select * from engine.spend_counters where reserved_usd <> 0") == []
        self.do("delete from engine.spend_counters")
        self.do("delete from spend_alarms")


@pytest.fixture
def spending(databases: TestDatabases) -> Iterator[type[Spending]]:
    with databases.copy_of("migrated") as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into auth.users (id) select unnest(%s::uuid[])", (PEOPLE,))
        connection.execute("delete from spend_limits; update job_kinds set max_attempts = 1000, retry_base_s = 0")
        for scope, usd in LIMITS.items():
            connection.execute("insert into spend_limits (scope, usd) values (%s, %s)", (scope, usd))
        Spending.connection = connection
        yield Spending


def test_counters_are_the_ledger_and_no_limit_is_passed_in_any_order(spending):
    run_state_machine_as_test(
        spending,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
        ),
    )
