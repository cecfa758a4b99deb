"""Prompts and schemas that the gateway's tests use, and what must hold after each of them."""

from pydantic import BaseModel, Field, field_validator

from shared.model.prompts import RenderedPrompt
from tests.shared.model.books import Books
from tests.shared.model.provider import Provider

TITLE = RenderedPrompt("title", "3", "text", "Give a title for an article about titanium implants.", system="Be brief.")
SEARCH = RenderedPrompt(
    "search", "1", "search", "Busque na web e responda com fatos, em pt-BR: o que exige a ISO 13485 de fornecedores?"
)
BANNER = RenderedPrompt("banner", "1", "image", "A clean banner about ISO 13485, navy and white.")


class Title(BaseModel):
    title: str = Field(min_length=1)
    reason: str


class Strict(BaseModel):
    """A schema that no answer fits: its rule cannot be told by JSON Schema."""

    title: str

    @field_validator("title")
    @classmethod
    def _never(cls, value: str) -> str:
        raise ValueError(f"must rhyme, which {len(value)} characters do not")


async def assert_books_are_true(books: Books, provider: Provider) -> None:
    """What the ledger says was spent is what the provider served, and nothing is reserved any more."""
    meter = await provider.meter()
    assert await books.cost_usd() == await books.spent_usd() == meter.cost_usd
    assert await books.reserved_usd() == 0
    assert "reserved" not in await books.statuses()
