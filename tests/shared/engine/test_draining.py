import asyncio
import os
import signal
from typing import Any

from shared.engine.draining import Drain, on_termination
from tests.shared.engine.jobs import eventually


async def test_a_termination_calls_back_and_then_the_handler_that_was_there() -> None:
    calls: list[str] = []

    def earlier(number: int, frame: Any) -> None:
        calls.append("the server's own handler")

    before = signal.signal(signal.SIGTERM, earlier)
    try:
        with on_termination(lambda: calls.append("drain")):
            os.kill(os.getpid(), signal.SIGTERM)
            await eventually(lambda: len(calls) == 2)
        assert signal.getsignal(signal.SIGTERM) is earlier
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sorted(calls) == ["drain", "the server's own handler"]


async def test_outside_of_the_main_thread_nothing_is_installed() -> None:
    def in_a_thread() -> None:
        async def run() -> None:
            with on_termination(lambda: None):
                pass

        asyncio.run(run())

    before = signal.getsignal(signal.SIGTERM)
    await asyncio.to_thread(in_a_thread)
    assert signal.getsignal(signal.SIGTERM) is before


async def test_the_grace_ends_for_those_who_came_before_and_after() -> None:
    drain = Drain(grace_s=0.05)
    stopped: list[str] = []
    drain.begin()
    with drain.stopping(lambda: stopped.append("early")):
        with drain.stopping(lambda: stopped.append("in time")):
            pass
        await eventually(lambda: stopped == ["early"])
    with drain.stopping(lambda: stopped.append("late")):
        pass
    assert stopped == ["early", "late"]
