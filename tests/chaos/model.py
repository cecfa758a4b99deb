"""The emulator as the suite handles it: its faults, and its meter over several lives."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx

from tests.chaos.plan import SLOW_MS

_STILL_S = 1.5
_LONGEST_WAIT_S = 15.0
_EXACT = Decimal("1e-9")


def exact(cost_usd: Decimal | float) -> Decimal:
    """A cost in USD as both books write it."""
    return Decimal(str(cost_usd)).quantize(_EXACT)


@dataclass
class Served:
    """Answers of one model and kind of call."""

    answers: int = 0
    cost_usd: Decimal = Decimal(0)
    costs: Counter[Decimal] = field(default_factory=Counter)  # what each of them cost, and how many cost that


@dataclass
class Model:
    """The meter lives in the emulator's memory, so it is read just before the emulator is killed.

    What comes in between would be lost. Therefore the emulator first leaves every new request hanging, answers those
    that it has begun, and is killed when its meter stands still: with requests in flight, none of them served.
    """

    url: str
    http: httpx.AsyncClient
    plan: dict[str, Any] = field(default_factory=dict)
    served: dict[tuple[str, str], Served] = field(default_factory=dict)
    unseen: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def fail(self, rates: dict[str, float], seed: int) -> None:
        """From now on a share of the calls fails."""
        self.plan = {"rates": rates, "seed": seed, "slow_ms": SLOW_MS, "retry_after_s": 0.2}
        await self.apply()

    async def behave(self) -> None:
        """No faults any more."""
        self.plan = {}
        await self.apply()

    async def apply(self) -> None:
        """Tells the emulator the plan, also a new one that has never heard of it."""
        await self._request("POST", "faults", self.plan)

    async def stand_still(self) -> None:
        """Hang up on whoever comes, and wait until what had come is answered; then remember the meter."""
        await self._request("POST", "faults", {"rates": {"timeout": 1.0}})
        await self.read()

    def killed(self, read_at: datetime) -> None:
        """The emulator was killed; its last reading was at `read_at`."""
        self.unseen.append((read_at, datetime.now(UTC)))

    async def read(self) -> None:
        """Adds the meter of this life to the sums, once nothing has been served for a while."""
        deadline = time.monotonic() + _LONGEST_WAIT_S
        meter, since = await self._request("GET", "meter"), time.monotonic()
        while time.monotonic() - since < _STILL_S and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            now = await self._request("GET", "meter")
            if now["totals"]["served"] != meter["totals"]["served"]:
                since = time.monotonic()
            meter = now
        meter = await self._request("GET", "meter?requests=1")
        for model, kinds in meter["by_model"].items():
            for kind, tally in kinds.items():
                served = self.served.setdefault((model, kind), Served())
                served.answers += tally["served"]
                served.cost_usd += Decimal(str(tally["cost_usd"]))
        for request in meter["requests"]:
            if request["status"] == HTTPStatus.OK:
                self.served[request["model"], request["kind"]].costs[exact(request["cost_usd"])] += 1

    async def _request(self, verb: str, what: str, body: Any = None) -> Any:
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while True:
            try:
                answer = await self.http.request(verb, f"{self.url}/__emulator/{what}", json=body, timeout=5)
                return answer.raise_for_status().json()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)
