"""What the call ledger adds to a request to a model: its reservation under the limits, and the settling of its cost."""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from itertools import chain
from random import Random

from bench.figures import Figure, Measured
from bench.fresh_jobs import FreshJobs, fresh_jobs
from bench.percentiles import describe
from bench.pipeline_state import part
from bench.setting import Setting
from shared.engine.job import Lease
from shared.model.ledger import Bill, CallLedger, CallRow, StoredAnswer
from shared.model.prices import Usage

_DATABASE = "bench_calls"
_JOBS_AT_ONCE = 8
_WARM_UP_CALLS = 20
_POOL_SIZE = 10
_WORST_CASE_USD = Decimal("0.001")
_BILL = Bill(Decimal("0.0001"), Usage(input_tokens=1500, output_tokens=500), "bench-1")
_ANSWER = StoredAnswer({"quotes": part(2048, Random(0))})

Sample = list[float]


async def measure(setting: Setting) -> Measured:
    """Calls of one job after another, and of eight jobs at the same time, under the limits that an installation has.

    All calls of a day change the same counter of what everybody spends, each in a transaction of its own.
    """
    calls = setting.scale.calls
    async with fresh_jobs(setting.stack.database_url, _DATABASE, pool_size=_POOL_SIZE) as jobs:
        ledger = CallLedger(jobs.pool)
        await _calls(jobs, ledger, "warm up", _WARM_UP_CALLS)
        alone = _described(await _calls(jobs, ledger, "alone", calls))
        started = time.perf_counter()
        samples = await asyncio.gather(
            *(_calls(jobs, ledger, f"beside {number}", calls // 2) for number in range(_JOBS_AT_ONCE))
        )
        per_s = _JOBS_AT_ONCE * (calls // 2) / (time.perf_counter() - started)
    beside = _described([list(chain(*each)) for each in zip(*samples, strict=True)])
    return Measured(
        figures=[
            Figure("reserve + settle p50, one job", alone["both"]["p50"], "ms"),
            Figure(f"reserve + settle p50, {_JOBS_AT_ONCE} jobs at the same time", beside["both"]["p50"], "ms"),
            Figure(f"calls booked by {_JOBS_AT_ONCE} jobs at the same time", per_s, "calls/s"),
        ],
        raw={"alone_ms": alone, "beside_ms": beside},
    )


async def _calls(jobs: FreshJobs, ledger: CallLedger, name: str, count: int) -> tuple[Sample, Sample]:
    """Milliseconds that each of a job's calls took to be reserved, and to be settled."""
    context = await jobs.claim()
    booked = [await _book(ledger, context.lease, f"{name} {number}") for number in range(count)]
    await jobs.complete(context.lease)
    return [reserved for reserved, _ in booked], [settled for _, settled in booked]


async def _book(ledger: CallLedger, lease: Lease, key: str) -> tuple[float, float]:
    call = CallRow(key=key, kind="text", stage="bench", model="bench", prompt="bench@1")
    began = time.perf_counter()
    reservation = await ledger.reserve(lease, call, _WORST_CASE_USD)
    reserved = time.perf_counter()
    await ledger.settle(reservation.call_id, lease, _BILL, _ANSWER)
    return (reserved - began) * 1000, (time.perf_counter() - reserved) * 1000


def _described(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    reserve, settle = samples
    both = [sum(pair) for pair in zip(reserve, settle, strict=True)]
    return {"reserve": describe(reserve), "settle": describe(settle), "both": describe(both)}
