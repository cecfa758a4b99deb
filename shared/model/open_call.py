"""A row of the ledger while its call is under way, and the one log line that tells how it ended."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import structlog

from shared.engine.errors import LeaseLost
from shared.engine.job import Lease
from shared.model.ledger import Bill, CallLedger, CallRow, StoredAnswer

T = TypeVar("T")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OpenCall:
    """An open row. It is closed to the end even when the task is cancelled meanwhile."""

    ledger: CallLedger
    call_id: int
    lease: Lease
    row: CallRow
    started: float

    async def settle(self, bill: Bill, answer: StoredAnswer) -> None:
        """Records a usable answer. Raises LeaseLost when it came too late."""
        held = await uninterrupted(self.ledger.settle(self.call_id, self.lease, bill, answer))
        self._log(bill, "settled")
        self._check(held)

    async def fail(self, bill: Bill, error: Mapping[str, Any]) -> None:
        """Records that there is no usable answer. Raises LeaseLost when the job is another attempt's by now."""
        held = await uninterrupted(self.ledger.fail(self.call_id, self.lease, bill, error))
        self._log(bill, str(error["code"]))
        self._check(held)

    async def note_cancelled(self, *, sent: bool) -> None:
        """Records that the task was cancelled. What a request under way costs is not known: booked as nothing."""
        error = {"code": "cancelled", "message": "the attempt was stopped", "cost_unknown": sent}
        await uninterrupted(self.ledger.fail(self.call_id, self.lease, Bill(), error))
        self._log(Bill(), "cancelled")

    def _check(self, held: bool) -> None:
        if not held:
            raise LeaseLost(f"the lease of job {self.lease.job_id} was lost during a model call")

    def _log(self, bill: Bill, outcome: str) -> None:
        log_call(self.row, bill, outcome, duration_s=monotonic() - self.started)


async def uninterrupted(work: Awaitable[T]) -> T:
    """Awaits `work` to its end; a cancellation in the meantime is raised afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("a call could not be closed after a cancellation", error=repr(error))
        raise


def log_call(row: CallRow, bill: Bill, outcome: str, *, duration_s: float) -> None:
    """One line for each row: counts and money, never what was asked or answered."""
    _log.info(
        "model call",
        stage=row.stage,
        prompt=row.prompt,
        model=row.model,
        model_version=bill.model_version,
        input_tokens=bill.usage.input_tokens,
        output_tokens=bill.usage.output_tokens,
        thought_tokens=bill.usage.thought_tokens,
        search_queries=bill.usage.search_queries,
        images=bill.usage.images,
        cost_usd=float(bill.cost_usd),
        duration_ms=round(duration_s * 1000),
        replayed=outcome == "replayed",
        outcome=outcome,
    )
