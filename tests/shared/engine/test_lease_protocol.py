"""The lease protocol against a small model of it: random histories of claims, losses, outcomes, cancellations.

The model knows what each job must be and who may write to it. After each step the row must agree; at the end the audit
log of every job must tell one consistent story.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

MAX_ATTEMPTS = 2
JOBS = 2


@dataclass
class Model:
    """What a job must be."""

    status: str = "queued"
    attempts: int = 0
    due: bool = True
    holder: UUID | None = None
    lease_live: bool = False
    saved: set[str] = field(default_factory=set)


class LeaseProtocol(RuleBasedStateMachine):
    database: psycopg.Connection[Any]
    user_id: UUID

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[UUID, Model] = {}
        self.tokens: list[tuple[UUID, UUID]] = []  # every token ever granted, with its job
        self.writes = 0

    @initialize()
    def enqueue(self) -> None:
        for _ in range(JOBS):
            job_id = self.one("select id from public.enqueue_job('echo', '{}', %s)", self.user_id)["id"]
            self.run("update public.jobs set max_attempts = %s where id = %s", MAX_ATTEMPTS, job_id)
            self.jobs[job_id] = Model()

    # What workers do

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        job_id, job = self.pick(data)
        rows = self.run("select * from public.claim_job(%s, 'w', array['echo'])", job_id)
        if job.status == "processing" and not job.lease_live:
            self.expire(job)
        claimable = job.status == "queued" and job.due
        assert len(rows) == int(claimable)
        if claimable:
            job.status, job.holder, job.lease_live = "processing", rows[0]["lease_token"], True
            job.attempts += 1
            assert rows[0]["attempt"] == job.attempts
            assert set(rows[0]["checkpoint_data"]) - {"progress"} == job.saved
            self.tokens.append((job_id, rows[0]["lease_token"]))

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        job_id, token, job = self.pick_token(data)
        beat = self.one("select * from public.heartbeat_job(%s, %s)", job_id, token)
        assert beat["held"] == (job.holder == token)
        assert beat["cancelled"] == (job.status == "cancelled")
        if beat["held"]:
            job.lease_live = True

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def checkpoint(self, data: st.DataObject) -> None:
        job_id, token, job = self.pick_token(data)
        self.writes += 1
        key = f"write-{self.writes}"
        with self.held(job, token):
            self.run("select public.checkpoint_job(%s, %s, %s)", job_id, token, Jsonb({key: 1}))
            job.saved.add(key)
            job.lease_live = True

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        job_id, token, job = self.pick_token(data)
        with self.held(job, token):
            self.run("select public.complete_job(%s, %s, '{}')", job_id, token)
            self.end(job, "completed")

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), after_s=st.sampled_from([0, 3600]))
    def continue_(self, data: st.DataObject, after_s: float) -> None:
        job_id, token, job = self.pick_token(data)
        with self.held(job, token):
            self.run("select public.continue_job(%s, %s, %s)", job_id, token, after_s)
            self.back(job, due=after_s == 0, uncounted=True)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        job_id, token, job = self.pick_token(data)
        with self.held(job, token):
            self.run("select public.release_job(%s, %s)", job_id, token)
            self.back(job, due=True, uncounted=True)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), retryable=st.booleans())
    def fail(self, data: st.DataObject, retryable: bool) -> None:
        job_id, token, job = self.pick_token(data)
        with self.held(job, token):
            error = Jsonb({"code": "x", "message": "It failed."})
            row = self.one("select public.fail_job(%s, %s, %s, %s) as status", job_id, token, error, retryable)
            if retryable and job.attempts < MAX_ATTEMPTS:
                assert row["status"] == "queued"
                self.back(job, due=False, uncounted=False)
            else:
                assert row["status"] == "failed"
                self.end(job, "failed")

    # What time, the sweep and people do

    @rule(data=st.data())
    def the_lease_runs_out(self, data: st.DataObject) -> None:
        job_id, job = self.pick(data)
        self.run(
            "update public.jobs set lease_expires_at = now() - interval '1 s'"
            " where id = %s and lease_token is not null",
            job_id,
        )
        job.lease_live = False

    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        self.claim(data)
        self.the_lease_runs_out(data)
        self.sweep()

    @rule(data=st.data())
    def the_pause_ends(self, data: st.DataObject) -> None:
        job_id, job = self.pick(data)
        self.run("update public.jobs set scheduled_for = now() where id = %s", job_id)
        job.due = True

    @rule()
    def sweep(self) -> None:
        for job in self.jobs.values():
            if job.status == "processing" and not job.lease_live:
                self.expire(job)
        due = {row["id"] for row in self.run("select * from public.sweep_jobs(100)")}
        must_be = {job_id for job_id, job in self.jobs.items() if job.status == "queued" and job.due}
        assert due & self.jobs.keys() == must_be

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id, job = self.pick(data)
        if job.status in ("completed", "failed"):
            self.refused("PT409", "select public.cancel_job(%s)", job_id)
        else:
            self.run("select public.cancel_job(%s)", job_id)
            self.end(job, "cancelled")

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id, job = self.pick(data)
        if job.status == "completed":
            self.refused("PT409", "select public.retry_job(%s)", job_id)
            return
        self.run("select public.retry_job(%s)", job_id)
        if job.status in ("failed", "cancelled"):
            job.attempts = 0
            self.back(job, due=True, uncounted=False)

    # What must always hold

    @invariant()
    def the_row_agrees(self) -> None:
        for job_id, job in self.jobs.items():
            row = self.one("select * from public.jobs where id = %s", job_id)
            assert (row["status"], row["attempts"], row["lease_token"]) == (job.status, job.attempts, job.holder)
            assert row["attempts"] <= MAX_ATTEMPTS
            assert set(row["checkpoint_data"] or {}) - {"progress"} == job.saved
            assert (row["completed_at"] is not None) == (job.status in ("completed", "failed", "cancelled"))

    @invariant()
    def a_stranger_never_writes(self) -> None:
        for job_id in self.jobs:
            self.refused("PT409", "select public.checkpoint_job(%s, %s, '{}')", job_id, uuid4())

    def teardown(self) -> None:
        for job_id, job in self.jobs.items():
            kinds = [
                row["kind"]
                for row in self.run("select kind from public.job_events where job_id = %s order by id", job_id)
            ]
            assert status_told_by(kinds) == job.status

    # The model's own transitions

    def expire(self, job: Model) -> None:
        if job.attempts >= MAX_ATTEMPTS:
            self.end(job, "failed")
        else:
            self.back(job, due=True, uncounted=False)

    @staticmethod
    def end(job: Model, status: str) -> None:
        job.status, job.holder, job.lease_live = status, None, False

    @staticmethod
    def back(job: Model, *, due: bool, uncounted: bool) -> None:
        job.status, job.holder, job.lease_live, job.due = "queued", None, False, due
        job.attempts -= int(uncounted)

    # The database

    @contextmanager
    def held(self, job: Model, token: UUID) -> Iterator[None]:
        """The block's write succeeds if `token` is the holder's; else it must be refused."""
        mine = job.holder == token
        try:
            yield
        except psycopg.Error as error:
            if mine or error.sqlstate != "PT409":
                raise
        else:
            assert mine, "a write without the lease went through"

    def pick(self, data: st.DataObject) -> tuple[UUID, Model]:
        job_id = list(self.jobs)[data.draw(st.integers(0, JOBS - 1))]
        return job_id, self.jobs[job_id]

    def pick_token(self, data: st.DataObject) -> tuple[UUID, UUID, Model]:
        """Any token ever granted, the newest ones most often."""
        age = data.draw(st.integers(0, min(3, len(self.tokens) - 1)))
        job_id, token = self.tokens[-1 - age]
        return job_id, token, self.jobs[job_id]

    def run(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.database.cursor(row_factory=dict_row) as cursor:
            cursor.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *parameters: Any) -> dict[str, Any]:
        (row,) = self.run(query, *parameters)
        return row

    def refused(self, sqlstate: str, query: str, *parameters: Any) -> None:
        with pytest.raises(psycopg.Error) as refusal:
            self.run(query, *parameters)
        assert refusal.value.sqlstate == sqlstate


def status_told_by(kinds: list[str]) -> str:
    """The status that a job's events lead to. Fails when they contradict each other."""
    after = {
        "queued": "queued",
        "claimed": "processing",
        "checkpoint": "processing",
        "continued": "queued",
        "released": "queued",
        "lease_expired": "queued",
        "retried": "queued",
        "completed": "completed",
        "failed": "failed",
        "cancelled": "cancelled",
    }
    before = {
        "claimed": {"queued"},
        "checkpoint": {"processing"},
        "continued": {"processing"},
        "released": {"processing"},
        "lease_expired": {"processing"},
        "completed": {"processing"},
        "retried": {"processing", "failed", "cancelled"},
        "failed": {"processing", "queued"},  # after the last lease has expired
        "cancelled": {"queued", "processing"},
    }
    assert kinds[0] == "queued"
    status = "queued"
    for previous, kind in pairwise(kinds):
        assert status in before[kind], f"{kind} while {status}: {kinds}"
        assert kind != "failed" or status == "processing" or previous == "lease_expired", kinds
        status = after[kind]
    return status


def test_every_history_of_a_lease_is_one_that_the_model_allows(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as database:
        user_id = uuid4()
        database.execute(
            "insert into auth.users (id, aud, role, email, raw_app_meta_data, raw_user_meta_data)"
            " values (%s, 'authenticated', 'authenticated', 'm@example.test', '{}', '{}')",
            (user_id,),
        )

        # Time passes when a rule says so, and not otherwise.
        database.execute("update public.job_kinds set lease_s = 3600, retry_base_s = 1e9, retry_cap_s = 1e9")

        class OnThisDatabase(LeaseProtocol):
            pass

        OnThisDatabase.database = database
        OnThisDatabase.user_id = user_id
        run_state_machine_as_test(
            OnThisDatabase,
            settings=settings(
                max_examples=40,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
                database=None,
            ),
        )
