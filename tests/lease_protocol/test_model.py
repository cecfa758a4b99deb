"""Two workers, a dispatcher, people and the clock: every order in which things can happen, within small bounds.

Written in Python because then nothing else has to be installed, and the functions of the model can be replayed against
the real ones (test_conformance.py).
"""

import pytest

from tests.lease_protocol.check import check
from tests.lease_protocol.database import Database
from tests.lease_protocol.mutants import STUCK, UNSAFE, protocol
from tests.lease_protocol.state import Bounds

# What is left out of one is in the other; `python -m tests.lease_protocol` has it all at once.
ANY_STATEMENT_MAY_BE_LATE = Bounds(flights=False)
REQUESTS_ARE_TRACKED = Bounds(strays=False, checkpoints=0)
ONE_WORKER = Bounds()


def test_no_rule_is_ever_broken():
    found, wrong = check(protocol(Database, ANY_STATEMENT_MAY_BE_LATE))
    assert not wrong, wrong
    assert len(found.states) > 50_000


def test_every_job_ends_once_faults_have_ended():
    found, wrong = check(protocol(Database, REQUESTS_ARE_TRACKED))
    assert not wrong, wrong
    assert len(found.states) > 30_000


def test_every_job_ends_on_a_single_worker_that_puts_off_what_it_has_begun():
    found, wrong = check(protocol(Database, ONE_WORKER, workers=1))
    assert not wrong, wrong
    assert len(found.states) > 8_000


@pytest.mark.parametrize(("mutant", "rule"), UNSAFE.items(), ids=[mutant.__name__ for mutant in UNSAFE])
def test_a_protocol_that_breaks_a_rule_is_caught(mutant, rule):
    _, wrong = check(protocol(mutant, ANY_STATEMENT_MAY_BE_LATE))
    assert rule in wrong.splitlines()[0]


@pytest.mark.parametrize("mutant", STUCK, ids=[mutant.__name__ for mutant in STUCK])
def test_a_protocol_that_loses_a_wake_up_is_caught(mutant):
    _, wrong = check(protocol(mutant, ONE_WORKER, workers=1))
    assert "a job may never end" in wrong.splitlines()[0]


def test_a_counterexample_tells_what_happened():
    _, wrong = check(protocol(next(iter(UNSAFE)), ANY_STATEMENT_MAY_BE_LATE))
    lines = wrong.splitlines()
    assert lines[0] == "broken: a write without the current token changes nothing"
    assert any("the sweep takes the job back" in line or "claims the job" in line for line in lines)
    assert "worker 1: is done: complete" in lines[-1]


def test_a_statement_that_is_run_after_its_own_repetition_would_lose_a_checkpoint():
    """The one thing that the protocol takes for granted: a lost connection's statement is run before its repetition, or
    not at all. Postgres sees to it, where statements on one row wait in line."""
    _, wrong = check(protocol(Database, Bounds(checkpoints=2, flights=False, late_repeats=True)))
    assert wrong.startswith("broken: a checkpoint that was acknowledged is never lost")
