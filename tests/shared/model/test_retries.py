from contextlib import suppress
from time import monotonic

import pytest

from shared.model.failures import ProviderFailure
from shared.model.retries import CallPolicy, retrying

QUICK = CallPolicy(request_timeout_s=1, deadline_s=1, max_tries=4, base_s=0.001, cap_s=0.002)


async def tries_of(
    policy: CallPolicy, failures: list[ProviderFailure], *, deadline_s: float = 5
) -> tuple[int, list[float]]:
    """How often a call is tried and the waits in between, none of them slept through."""
    waits: list[float] = []
    tries = 0

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        if failures:
            raise failures.pop(0)

    retry = retrying(policy, monotonic() + deadline_s).copy(sleep=sleep)
    with suppress(ProviderFailure):
        await retry(attempt)
    return tries, waits


def busy(delay_s: float | None = None) -> ProviderFailure:
    return ProviderFailure("429", "busy", transient=True, delay_s=delay_s)


async def test_a_failure_that_passes_is_tried_again() -> None:
    assert (await tries_of(QUICK, [busy(), busy()]))[0] == 3


async def test_tries_are_limited() -> None:
    assert (await tries_of(QUICK, [busy() for _ in range(10)]))[0] == 4


async def test_a_final_failure_is_not_tried_again() -> None:
    assert (await tries_of(QUICK, [ProviderFailure("400", "no", transient=False)]))[0] == 1


@pytest.mark.parametrize("asked_s", [0.2, 1.5])
async def test_the_servers_delay_is_kept(asked_s: float) -> None:
    _, waits = await tries_of(QUICK, [busy(asked_s)])
    assert asked_s <= waits[0] <= asked_s + QUICK.cap_s


async def test_a_delay_past_the_deadline_is_not_waited_for() -> None:
    assert await tries_of(QUICK, [busy(9)], deadline_s=5) == (1, [])


async def test_a_delay_beyond_all_patience_is_not_waited_for() -> None:
    assert await tries_of(QUICK, [busy(61)], deadline_s=1000) == (1, [])


async def test_waits_are_spread_from_nothing_to_a_doubling_bound() -> None:
    policy = CallPolicy(request_timeout_s=1, deadline_s=9, max_tries=8, base_s=1, cap_s=8)
    samples = [(await tries_of(policy, [busy() for _ in range(7)], deadline_s=1e6))[1] for _ in range(60)]
    for place, bound in enumerate([1, 2, 4, 8, 8, 8, 8]):
        at_place = [waits[place] for waits in samples]
        assert max(at_place) <= bound
        assert min(at_place) < bound / 4
        assert max(at_place) > bound / 2
