"""The SQL functions do what the model says: seeded walks through the model, taken with a real database."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import TestDatabases
from tests.lease_protocol import mutants
from tests.lease_protocol.database import Database
from tests.lease_protocol.mutants import protocol
from tests.lease_protocol.replay import Replay, walk
from tests.lease_protocol.state import Bounds

WALKS = 300
STEPS = 20
BOUNDS = Bounds(max_attempts=3, checkpoints=2)
FUNCTIONS = {"claim", "heartbeat", "checkpoint", "complete", "continue", "release", "fail for now", "fail for good"}


@pytest.fixture(scope="module")
def connection(databases: TestDatabases) -> Iterator[Connection[Any]]:
    """A superuser's connection to a database where what is put off stays so until the walk moves time."""
    with databases.copy_of("migrated") as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update job_kinds set retry_base_s = 1e7, retry_cap_s = 1e7, lease_s = 3600")
        yield connection


@pytest.fixture(scope="module")
def user_id(connection) -> UUID:
    return connection.execute("insert into auth.users (id) values (gen_random_uuid()) returning id").fetchone()[0]


def take_a_walk(connection, user_id, model, seed) -> Counter[str]:
    """Counts what was called, and how the job stood."""
    seen: Counter[str] = Counter()
    replay = Replay(connection, user_id, BOUNDS.max_attempts)
    for number, (before, (who, step, state)) in enumerate(walk(model, Random(seed), STEPS)):
        if number == 0:
            replay.begin(before)
        after = model.world(state)
        try:
            replay.follow(who, step.call, step.events, before, after)
        except AssertionError as error:
            raise AssertionError(f"walk {seed}, step {number} ({who}: {step.name}): {error}") from error
        seen[after.shared.row.status] += 1
        if step.call:
            seen[f"{step.call.function}: {step.call.answer}"] += 1
    assert replay.told_well() == []
    connection.execute("delete from jobs where id = %s", (replay.job_id,))
    return seen


def take_walks(connection, user_id, model) -> Counter[str]:
    return sum((take_a_walk(connection, user_id, model, seed) for seed in range(WALKS)), Counter[str]())


def test_the_sql_functions_go_every_way_that_the_model_goes(connection, user_id):
    seen = take_walks(connection, user_id, protocol(Database, BOUNDS))
    assert {"queued", "processing", "completed", "failed", "cancelled"} < set(seen)
    accepted = {"claim: granted", "heartbeat: held", "heartbeat: paused", "checkpoint: saved", "checkpoint: paused"}
    assert accepted | {f"{function}: lost" for function in FUNCTIONS - {"claim"}} < set(seen)
    assert {"claim: nothing", "heartbeat: cancelled", "sweep: ", "sweep: due", "cancel: ", "retry: "} < set(seen)
    assert {f"{ending}: done" for ending in FUNCTIONS - {"claim", "heartbeat", "checkpoint"}} < set(seen)


@pytest.mark.parametrize(
    "wrong",
    [
        mutants.HeartbeatRenewsWhateverRuns,
        mutants.ClaimIgnoresKillSwitch,
        mutants.ClaimForgetsCheckpoint,
        mutants.ReleaseCounts,
    ],
)
def test_a_model_that_differs_from_the_sql_functions_is_noticed(connection, user_id, wrong):
    with pytest.raises(AssertionError, match=r"walk \d+, step \d+"):
        take_walks(connection, user_id, protocol(wrong, BOUNDS))
