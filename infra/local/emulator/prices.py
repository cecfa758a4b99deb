"""What an answer would cost, worked out from the same price table as the product's but by arithmetic of its own.

Two independent calculations that agree are a check; one shared function would agree with itself.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any, Literal

import yaml

DEFAULT_TABLE = Path(__file__).parents[3] / "shared" / "model" / "prices.yaml"
_MICRO = Decimal("0.000001")

Family = Literal["text", "image", "embedding"]


@dataclass(frozen=True)
class Usage:
    """Tokens, searches and pictures of one answer. Tokens of pictures are not among the output tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    search_queries: int = 0
    images: int = 0
    image_size: str = "1K"


class Prices:
    """The dated table, in USD. It is also the list of models that exist here."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        self._rows = rows

    @classmethod
    def load(cls, path: Path = DEFAULT_TABLE) -> "Prices":
        """Reads the table's file."""
        return cls(yaml.safe_load(path.read_text(encoding="utf-8"))["models"])

    @property
    def models(self) -> list[str]:
        """Ids of all models."""
        return list(self._rows)

    def family(self, model: str) -> Family | None:
        """What a model does, read from what it charges for; None for an unknown model."""
        rows = self._rows.get(model)
        if rows is None:
            return None
        if "images" in rows[-1]:
            return "image"
        return "text" if "output" in rows[-1] else "embedding"

    def cost_usd(self, model: str, usage: Usage, on: date) -> Decimal:
        """The cost of one answer in USD, rounded up to a millionth; thoughts cost as much as output."""
        row = self._row(model, on)
        tokens = usage.input_tokens * _rate(row, "input")
        tokens += (usage.output_tokens + usage.thought_tokens) * _rate(row, "output")
        pictures = usage.images * Decimal(str(row.get("images", {}).get(usage.image_size, 0)))
        searches = usage.search_queries * _rate(row, "searches")
        total = tokens / Decimal(10**6) + pictures + searches / Decimal(10**3)
        return total.quantize(_MICRO, rounding=ROUND_UP)

    def _row(self, model: str, on: date) -> dict[str, Any]:
        rows = self._rows[model]
        valid = [row for row in rows if row["from"] <= on <= row.get("until", date.max)]
        # Outside the table's dates the nearest row is used: the emulator measures, it does not refuse.
        return valid[0] if valid else min(rows, key=lambda row: abs((row["from"] - on).days))


def _rate(row: dict[str, Any], name: str) -> Decimal:
    return Decimal(str(row.get(name, 0)))
