"""What a call costs, from the dated table in `prices.yaml`. Money is Decimal from the file to the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.engine.errors import ModelRejected

_TABLE = Path(__file__).with_name("prices.yaml")
_MICRO_USD = Decimal("0.000001")


class PriceUnknown(ModelRejected):
    """`prices.yaml` has no price for something that a call would be billed for. Nothing is ever taken as free."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request used, as the provider counted it.

    `output_tokens` are the answer's text tokens; a picture's tokens are in its own price. `thought_tokens` come on top
    of `output_tokens` and cost the same.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    search_queries: int = 0
    images: int = 0
    image_size: str | None = None


class Price(BaseModel):
    """One row of the table: what one model costs from one day to another, in USD."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: date = Field(alias="from")
    until: date | None = None
    input: Decimal = Field(gt=0)
    output: Decimal | None = Field(default=None, gt=0)
    searches: Decimal | None = Field(default=None, gt=0)
    images: dict[str, Decimal] = {}

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until is not None and self.until < self.from_:
            raise ValueError(f"a price that begins on {self.from_} cannot end on {self.until}")
        return self

    def holds_on(self, day: date) -> bool:
        """True when `day` is between `from` and `until`, both included."""
        return self.from_ <= day and (self.until is None or day <= self.until)


class PriceTable:
    """Prices by model id and day."""

    def __init__(self, models: Mapping[str, Sequence[Price]]) -> None:
        """Raises ValueError when two rows of a model hold on the same day."""
        self._models = {model: sorted(rows, key=lambda row: row.from_) for model, rows in models.items()}
        for model, rows in self._models.items():
            for earlier, later in pairwise(rows):
                if earlier.holds_on(later.from_):
                    raise ValueError(f"two prices of {model} hold on {later.from_}")

    @classmethod
    def load(cls, path: Path = _TABLE) -> "PriceTable":
        """Reads a table. Raises ValueError naming the file when it is not a price table."""
        table: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        try:
            return cls({model: [Price.model_validate(row) for row in rows] for model, rows in table["models"].items()})
        except (ValidationError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a price table: {error}") from error

    def price(self, model: str, on: date) -> Price:
        """The row that holds for `model` on a day. Raises PriceUnknown."""
        rows = self._models.get(model)
        if rows is None:
            raise PriceUnknown(f"The price of the model {model} is not known, so it is not used.")
        for row in rows:
            if row.holds_on(on):
                return row
        raise PriceUnknown(f"The price of the model {model} on {on} is not known, so it is not used.")

    def cost_usd(self, model: str, usage: Usage, on: date) -> Decimal:
        """What a request cost, rounded up to a millionth of a dollar. Raises PriceUnknown.

        input / 10⁶ × price + (output + thoughts) / 10⁶ × price + images × price + searches / 10³ × price
        """
        price = self.price(model, on)
        cost = usage.input_tokens * price.input / 1_000_000
        if written := usage.output_tokens + usage.thought_tokens:
            cost += written * _known(price.output, model, "text that it writes") / 1_000_000
        if usage.images:
            size = usage.image_size or "1K"
            cost += usage.images * _known(price.images.get(size), model, f"pictures of size {size}")
        if usage.search_queries:
            cost += usage.search_queries * _known(price.searches, model, "web searches") / 1_000
        return cost.quantize(_MICRO_USD, rounding=ROUND_UP)

    def worst_case_usd(
        self,
        model: str,
        *,
        on: date,
        input_tokens: int,
        max_output_tokens: int = 0,
        max_searches: int = 0,
        images: int = 0,
        image_size: str | None = None,
    ) -> Decimal:
        """The most that a request can cost, when the counts are upper bounds. Raises PriceUnknown.

        Thoughts need no bound of their own: the provider counts them against `max_output_tokens`.
        """
        most = Usage(
            input_tokens=input_tokens,
            output_tokens=max_output_tokens,
            search_queries=max_searches,
            images=images,
            image_size=image_size,
        )
        return self.cost_usd(model, most, on)


def _known(price: Decimal | None, model: str, what: str) -> Decimal:
    if price is None:
        raise PriceUnknown(f"The price of {what} by the model {model} is not known, so it is not used for that.")
    return price
