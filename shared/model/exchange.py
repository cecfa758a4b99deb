"""One call from its reservation to its answer: the order of steps that keeps the ledger true.

reserve ▸ (replay) ▸ request ▸ finish reason ▸ read ▸ settle. Each request is a row of its own, a retry too: nothing
stays reserved while a call waits, and a lease that was lost in the meantime ends it. Whatever was answered is booked,
also when the answer is of no use, the lease is lost or the task is cancelled.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakValueDictionary

import structlog

from shared.engine.errors import (
    AttemptInterrupted,
    JobError,
    ModelOutputInvalid,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from shared.engine.job import Lease
from shared.model.answers import UnusableAnswer
from shared.model.calls import Call
from shared.model.failures import ProviderFailure, provider_failure
from shared.model.ledger import Bill, CallKind, CallLedger, CallRow, Reservation, StoredAnswer
from shared.model.open_call import OpenCall, log_call, uninterrupted
from shared.model.prices import PriceTable
from shared.model.retries import CallPolicy, retrying

if TYPE_CHECKING:
    from uuid import UUID

    from google.genai import Client

T = TypeVar("T")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """A usable answer, the version of the model that gave it and what it cost (when it was made, for a replay)."""

    value: T
    model_version: str
    cost_usd: Decimal


class Exchange:
    """Makes calls for all jobs of this process, at most `concurrency` at a time."""

    def __init__(
        self,
        client: "Client",
        ledger: CallLedger,
        prices: PriceTable,
        *,
        policies: Mapping[CallKind, CallPolicy],
        concurrency: int,
        today: Callable[[], date],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._prices = prices
        self._policies = policies
        self._slots = asyncio.Semaphore(concurrency)
        self._today = today
        self._locks: WeakValueDictionary[tuple[UUID, str], asyncio.Lock] = WeakValueDictionary()

    async def run(self, call: Call[T], lease: Lease) -> Answered[T]:
        """Makes the call, or replays its answer. Waiting for a free slot does not count against its deadline.

        Raises:
            LeaseLost, EnginePaused, ModelPutOff, BudgetExceeded, ModelUnavailable, ModelRejected, ModelRefused,
            ModelOutputInvalid.
        """
        lock = self._locks.setdefault((lease.job_id, call.row.key), asyncio.Lock())
        async with lock, self._slots:
            deadline = monotonic() + self._policies[call.row.kind].deadline_s
            try:
                return await self._with_retries(call, lease, deadline)
            except UnusableAnswer as first:
                again = call.second_chance(first)
                if again is None or monotonic() >= deadline:
                    raise _output_invalid(call.row, first) from first
            try:
                return await self._with_retries(again, lease, deadline)
            except UnusableAnswer as second:
                raise _output_invalid(call.row, second) from second

    async def _with_retries(self, call: Call[T], lease: Lease, deadline: float) -> Answered[T]:
        started = monotonic()
        tries = 0

        async def attempt() -> Answered[T]:
            nonlocal tries
            tries += 1
            return await self._attempt(call, lease, deadline)

        try:
            return await retrying(self._policies[call.row.kind], deadline)(attempt)
        except ProviderFailure as failure:
            what = f"The model {call.row.model}"
            if not failure.transient:
                message = f"{what} does not accept the request ({failure.code}: {failure.message})."
                raise ModelRejected(message, stage=call.row.stage) from failure
            waited = f"{tries} tries in {monotonic() - started:.0f} s"
            message = f"{what} was not available ({failure.code}; {waited}). It usually is again a little later."
            raise ModelUnavailable(message, stage=call.row.stage) from failure

    async def _attempt(self, call: Call[T], lease: Lease, deadline: float) -> Answered[T]:
        started = monotonic()
        worst_case_usd = self._worst_case_usd(call)
        reservation = await self._reserve(call.row, lease, worst_case_usd)
        if reservation.replay is not None:
            return self._replayed(call, reservation.replay)
        entry = OpenCall(self._ledger, reservation.call_id, lease, call.row, started)
        response = await self._request(call, entry, deadline)
        bill = self._bill(call, response, worst_case_usd)
        try:
            answer = call.extract(response)
            value = call.restore(answer)
        except UnusableAnswer as error:
            note = {"code": error.fault, "message": error.what, "problems": error.problems, "answered": True}
            await entry.fail(bill, note)
            raise
        except ModelRefused as error:
            await entry.fail(bill, error.detail() | {"answered": True})
            raise
        except Exception as error:
            await entry.fail(bill, {"code": "unexpected", "message": repr(error)})
            raise
        version = bill.model_version or call.row.model
        await entry.settle(bill, _marked(answer, version, bill.cost_usd))
        return Answered(value, version, bill.cost_usd)

    async def _reserve(self, row: CallRow, lease: Lease, worst_case_usd: Decimal) -> Reservation:
        reserving = asyncio.ensure_future(self._ledger.reserve(lease, row, worst_case_usd))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            await uninterrupted(self._give_back(reserving, row, lease))
            raise

    async def _give_back(self, reserving: "asyncio.Future[Reservation]", row: CallRow, lease: Lease) -> None:
        """Ends the reservation that was being made when the task was cancelled; a refused one has nothing to end."""
        try:
            reservation = await reserving
        except (JobError, AttemptInterrupted):
            return
        if reservation.replay is None:
            await OpenCall(self._ledger, reservation.call_id, lease, row, monotonic()).note_cancelled(sent=False)

    async def _request(self, call: Call[T], entry: OpenCall, deadline: float) -> Any:
        timeout_s = max(min(self._policies[call.row.kind].request_timeout_s, deadline - monotonic()), 0.001)
        try:
            # The client's own time-out starts anew with every byte received; this one does not.
            async with asyncio.timeout(timeout_s):
                return await call.send(self._client, timeout_s)
        except asyncio.CancelledError:
            await entry.note_cancelled(sent=True)
            raise
        except Exception as error:
            failure = provider_failure(error)
            if failure is None:
                await entry.fail(Bill(), {"code": "unexpected", "message": repr(error)})
                raise
            await entry.fail(Bill(), failure.for_ledger())
            raise failure from error

    def _replayed(self, call: Call[T], answer: StoredAnswer) -> Answered[T]:
        version = str(answer.response.get("model_version") or call.row.model)
        cost_usd = Decimal(str(answer.response.get("cost_usd") or 0))
        log_call(call.row, Bill(cost_usd, model_version=version), "replayed", duration_s=0.0)
        return Answered(call.restore(answer), version, cost_usd)

    def _worst_case_usd(self, call: Call[Any]) -> Decimal:
        bounds = call.bounds
        return self._prices.worst_case_usd(
            call.row.model,
            on=self._today(),
            input_tokens=bounds.input_tokens,
            max_output_tokens=bounds.max_output_tokens,
            max_searches=bounds.max_searches,
            images=bounds.images,
            image_size=bounds.image_size,
        )

    def _bill(self, call: Call[Any], response: Any, worst_case_usd: Decimal) -> Bill:
        """The cost of an answer; its worst case when the provider does not say what it used: never nothing."""
        version = getattr(response, "model_version", None) or call.row.model
        try:
            usage = call.measure(response)
            if usage is not None:
                return Bill(self._prices.cost_usd(call.row.model, usage, self._today()), usage, version)
        except Exception:  # noqa: BLE001  whatever is wrong with the count, the answer was paid for
            _log.exception("an answer could not be priced", model=call.row.model)
        return Bill(worst_case_usd, model_version=version)


def _marked(answer: StoredAnswer, model_version: str, cost_usd: Decimal) -> StoredAnswer:
    marks = {"model_version": model_version, "cost_usd": str(cost_usd)}
    return StoredAnswer(answer.response | marks, answer.blob, answer.blob_mime_type)


def _output_invalid(row: CallRow, fault: UnusableAnswer) -> ModelOutputInvalid:
    return ModelOutputInvalid(f"The answer of the model {row.model} {fault.what}.", stage=row.stage)
