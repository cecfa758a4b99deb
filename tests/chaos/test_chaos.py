"""The chaos suite in short, and its schedule."""

import asyncio
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.plan import DECK, FAILING, echo_wishes, troubles
from tests.chaos.report import Report
from tests.chaos.run import run_chaos, verdict
from tests.running_stack import RunningStack

SEED = 7
DURATION_S = 60


@pytest.fixture
def fragile_stack() -> Iterator[RunningStack]:
    """A stack of its own, whose state stays when the test fails before it removes it."""
    # Outside of pytest's own directories: the user that Postgres runs as cannot pass those.
    stack = RunningStack(Path(tempfile.mkdtemp(prefix="chaos-")) / "stack")
    yield stack
    stack.run("down", check=False)


@pytest.mark.timeout(240)
async def test_nothing_is_lost_or_done_twice_while_everything_breaks(fragile_stack: RunningStack):
    said = io.StringIO()
    report = Report(said)
    await run_chaos(fragile_stack, SEED, DURATION_S, report)
    assert not report.findings, f"{said.getvalue()}{verdict(report, SEED, fragile_stack)}"
    await asyncio.to_thread(fragile_stack.down)
    shutil.rmtree(fragile_stack.state.parent)


def test_a_seed_is_a_schedule():
    assert troubles(3, 100) == troubles(3, 100) != troubles(4, 100)
    assert [next(wishes) for wishes in [echo_wishes(3)] * 50] == [next(wishes) for wishes in [echo_wishes(3)] * 50]


def test_every_trouble_comes_before_one_comes_again():
    drawn = [(trouble.what, trouble.target) for trouble in troubles(5, 600)[1:]]
    assert len(drawn) > 3 * len(DECK)
    assert sorted(drawn[: len(DECK)]) == sorted(DECK)


def test_the_short_run_sees_every_trouble():
    assert {(trouble.what, trouble.target) for trouble in troubles(SEED, DURATION_S)} == set(DECK)


def test_a_fifth_of_the_calls_is_told_to_fail():
    for trouble in troubles(6, 600):
        assert sum(rate for fault, rate in trouble.rates.items() if fault != "slow") == pytest.approx(FAILING, abs=1e-3)
