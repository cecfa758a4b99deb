"""Counts every request: what was served and what it would have cost, what failed and why.

Only answers are billed: errors cost nothing, a blocked prompt costs its input, a truncated or broken answer costs all
of its tokens.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from infra.local.emulator.prices import Prices, Usage

Kind = Literal["text", "search", "image", "embedding", "stream", "count"]
KINDS: tuple[str, ...] = get_args(Kind)

_REQUESTS_KEPT = 5000


@dataclass
class Tally:
    """Sums over requests."""

    requests: int = 0
    served: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    search_queries: int = 0
    images: int = 0
    cost_usd: Decimal = Decimal(0)

    def serve(self, usage: Usage, cost_usd: Decimal) -> None:
        """Counts an answer."""
        self.requests += 1
        self.served += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.thought_tokens += usage.thought_tokens
        self.search_queries += usage.search_queries
        self.images += usage.images
        self.cost_usd += cost_usd

    def fail(self, status: str) -> None:
        """Counts an error by its status, or `timeout` when the client gave up."""
        self.requests += 1
        self.failed[status] += 1

    def as_json(self) -> dict[str, Any]:
        """Sums as JSON; `cost_usd` exact to a millionth."""
        return {
            "requests": self.requests,
            "served": self.served,
            "failed": dict(self.failed),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "thought_tokens": self.thought_tokens,
            "search_queries": self.search_queries,
            "images": self.images,
            "cost_usd": float(self.cost_usd),
        }


@dataclass(frozen=True)
class Served:
    """One request as the meter keeps it."""

    model: str
    kind: Kind
    digest: str
    status: int
    fault: str | None
    cost_usd: float
    at: str

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dict(vars(self))


class Meter:
    """Totals, and sums by model and kind. Lives in memory."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self._since = datetime.now(UTC)
        self._totals = Tally()
        self._by_model: dict[str, dict[str, Tally]] = {}
        self._by_kind: dict[str, Tally] = {}
        self._faults: Counter[str] = Counter()
        self._requests: deque[Served] = deque(maxlen=_REQUESTS_KEPT)

    def served(self, model: str, kind: Kind, usage: Usage, digest: str, *, fault: str | None = None) -> None:
        """Counts an answer with HTTP status 200."""
        now = datetime.now(UTC)
        cost_usd = self._prices.cost_usd(model, usage, now.date())
        for tally in self._tallies(model, kind):
            tally.serve(usage, cost_usd)
        self._keep(model, kind, digest, 200, fault, cost_usd=float(cost_usd), now=now)

    def failed(self, model: str, kind: Kind, status: int, digest: str, *, fault: str | None = None) -> None:
        """Counts an error; 499 stands for a client that gave up waiting."""
        for tally in self._tallies(model, kind):
            tally.fail("timeout" if status == 499 else str(status))
        self._keep(model, kind, digest, status, fault, cost_usd=0.0, now=datetime.now(UTC))

    def as_json(self, *, requests: bool = False) -> dict[str, Any]:
        """Everything counted since the last reset."""
        report: dict[str, Any] = {
            "since": self._since.isoformat(),
            "totals": self._totals.as_json(),
            "by_kind": {kind: tally.as_json() for kind, tally in sorted(self._by_kind.items())},
            "by_model": {
                model: {kind: tally.as_json() for kind, tally in sorted(kinds.items())}
                for model, kinds in sorted(self._by_model.items())
            },
            "faults": dict(self._faults),
        }
        if requests:
            report["requests"] = [request.as_json() for request in self._requests]
        return report

    def _tallies(self, model: str, kind: Kind) -> list[Tally]:
        by_kind = self._by_model.setdefault(model, {})
        return [self._totals, self._by_kind.setdefault(kind, Tally()), by_kind.setdefault(kind, Tally())]

    def _keep(
        self, model: str, kind: Kind, digest: str, status: int, fault: str | None, *, cost_usd: float, now: datetime
    ) -> None:
        if fault is not None:
            self._faults[fault] += 1
        self._requests.append(Served(model, kind, digest, status, fault, cost_usd, now.isoformat()))
