"""The call ledger: `model_calls`, through its three SQL functions. One row is one request to a provider."""

import json
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, LiteralString

import psycopg
import structlog
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from shared.db import Pool
from shared.engine.errors import AttemptInterrupted, BudgetExceeded, EnginePaused, LeaseLost, ModelPutOff
from shared.engine.job import Lease
from shared.model.answers import storable
from shared.model.prices import Usage

CallKind = Literal["text", "image", "embedding", "search"]

_RESERVE: LiteralString = """
    select call_id, replayed, response, blob, blob_mime_type
    from public.reserve_call(%s, %s, %s, %s, %s, %s, %s, %s)
"""
_SETTLE: LiteralString = "select public.settle_call(%s, %s, %s, %s, %s, %s, %s)"
_FAIL: LiteralString = "select public.fail_call(%s, %s, %s, %s, %s)"
_UNDER_WAY: LiteralString = """
    select id from public.model_calls
    where job_id = %s and call_key = %s and status = 'reserved' and lease_token = %s
"""

_LEASE_NOT_HELD = "PT409"
_LIMIT_PASSED = "PT429"
_NOT_NOW = "PT503"
_NO_SUCH_CALL = "PT404"

# A restart of Postgres must not lose what was paid for: while it lasts, the ledger tries again.
_DATABASE_AWAY_S = 20.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CallRow:
    """What the ledger says about a call before it is made."""

    key: str
    kind: CallKind
    stage: str
    model: str
    prompt: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A usable answer in the form that the ledger keeps; the typed result is rebuilt from it, live and on replay."""

    response: dict[str, Any]
    blob: bytes | None = None
    blob_mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reserved call, or the answer that a call with the same key had before."""

    call_id: int
    replay: StoredAnswer | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a request cost in USD and what for, with the version of the model that answered."""

    cost_usd: Decimal = Decimal(0)
    usage: Usage = field(default_factory=Usage)
    model_version: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The `usage` argument of the SQL functions."""
        return {
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "thought_tokens": self.usage.thought_tokens,
            "search_queries": self.usage.search_queries,
            "images": self.usage.images,
            "model_version": self.model_version,
        }


class CallLedger:
    """Reserves a call under the spending limits, and closes it with its real cost."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def reserve(self, lease: Lease, call: CallRow, worst_case_usd: Decimal) -> Reservation:
        """Reserves `worst_case_usd` for a call, or finds its answer. No two calls of one key may be under way at once.

        Raises:
            LeaseLost: the lease is not held any more.
            EnginePaused: a kill switch is engaged.
            ModelPutOff: the model has failed again and again, and is left alone for a while.
            BudgetExceeded: a limit would be passed; the database's message says which and when it resets.
            psycopg.Error: the database cannot be reached.
        """
        parameters = (
            lease.job_id,
            lease.token,
            call.key,
            call.stage,
            call.kind,
            call.model,
            call.prompt,
            worst_case_usd,
        )
        try:
            async with _refusals_typed(call.stage):
                row = await self._row(_RESERVE, parameters)
        except psycopg.errors.UniqueViolation:
            # A reservation of this attempt whose confirmation was lost with its connection: it is taken up.
            return Reservation((await self._row(_UNDER_WAY, (lease.job_id, call.key, lease.token)))[0])
        call_id, replayed, response, blob, blob_mime_type = row
        return Reservation(call_id, StoredAnswer(response, blob, blob_mime_type) if replayed else None)

    async def settle(self, call_id: int, lease: Lease, bill: Bill, answer: StoredAnswer) -> bool:
        """Records a usable answer and its cost. False: the lease is lost; the cost is recorded, the answer not kept."""
        return await self._close(
            _SETTLE,
            (
                call_id,
                lease.token,
                bill.cost_usd,
                _jsonb(bill.as_json()),
                _jsonb(answer.response),
                answer.blob,
                answer.blob_mime_type,
            ),
        )

    async def fail(self, call_id: int, lease: Lease, bill: Bill, error: Mapping[str, Any]) -> bool:
        """Records that a call gave nothing usable, and what it cost all the same. False: the lease is lost."""
        return await self._close(_FAIL, (call_id, lease.token, bill.cost_usd, _jsonb(bill.as_json()), _jsonb(error)))

    async def _close(self, query: LiteralString, parameters: Sequence[Any]) -> bool:
        try:
            row = await self._row(query, parameters)
        except psycopg.Error as error:
            if error.sqlstate == _NO_SUCH_CALL:  # the job was deleted, and its calls with it
                return False
            raise
        return bool(row[0])

    async def _row(self, query: LiteralString, parameters: Sequence[Any]) -> tuple[Any, ...]:
        """One statement, repeated while the database is away.

        That is safe: closing a call twice changes nothing, and a reservation that was made twice is found again.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_database_away),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(_DATABASE_AWAY_S),
            before_sleep=_note_database_away,
            reraise=True,
        )
        rows: list[tuple[Any, ...]] = await retrying(self._pool.fetch, query, parameters)
        if not rows:
            raise psycopg.InterfaceError(f"no row from {query}")
        return rows[0]


@asynccontextmanager
async def _refusals_typed(stage: str) -> AsyncGenerator[None]:
    try:
        yield
    except psycopg.Error as error:
        message = error.diag.message_primary
        if error.sqlstate == _LEASE_NOT_HELD:
            raise LeaseLost(message or "the lease is not held any more") from None
        if error.sqlstate == _LIMIT_PASSED:
            message = message or "A spending limit is reached."
            raise BudgetExceeded(message, stage=stage, limit=_detail(error)) from None
        if error.sqlstate == _NOT_NOW:
            raise _not_now(message or "No call is made at the moment.", _detail(error)) from None
        raise


def _detail(error: psycopg.Error) -> dict[str, Any]:
    """The JSON with which the database explains a refusal to programs."""
    return json.loads(error.diag.message_detail or "{}")


def _not_now(message: str, detail: Mapping[str, Any]) -> AttemptInterrupted:
    if detail.get("reason") == "circuit_open":
        # Many jobs wait for the same model: they should not come back all together.
        after_s = float(detail["retry_after_s"]) * random.uniform(1.0, 1.5)  # noqa: S311  not a secret
        return ModelPutOff(message, after_s)
    return EnginePaused(message)


def _jsonb(value: Mapping[str, Any]) -> Jsonb:
    return Jsonb(value, dumps=_storable_json)


def _storable_json(value: Any) -> str:
    # What a model wrote may hold characters that jsonb refuses; they must not keep a paid answer out of the ledger.
    return storable(json.dumps(value, ensure_ascii=False))


def _is_database_away(error: BaseException) -> bool:
    return isinstance(error, psycopg.OperationalError) and not isinstance(error, PoolClosed)


def _note_database_away(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("database away during a call", tries=state.attempt_number, error=type(error).__name__)
