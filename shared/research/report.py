"""What research is asked, how deep it goes, what it remembers between two attempts, and what it reports."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from shared.research.evidence import Evidence
from shared.research.extract import ReadPage

ResearchLevel = Literal["none", "light", "deep"]
Language = Literal["pt-BR", "en"]


@dataclass(frozen=True, slots=True)
class Depth:
    """How much one level may do, and the least that it must find to be worth writing from."""

    queries: int
    rounds: int
    pages_per_round: int
    page_chars: int
    quotes_per_page: int
    min_quotes: int
    min_sources: int


DEPTHS: dict[ResearchLevel, Depth] = {
    "none": Depth(0, 0, 0, 0, 0, min_quotes=0, min_sources=0),
    "light": Depth(
        queries=3, rounds=2, pages_per_round=6, page_chars=12_000, quotes_per_page=5, min_quotes=4, min_sources=2
    ),
    "deep": Depth(
        queries=5, rounds=4, pages_per_round=10, page_chars=16_000, quotes_per_page=6, min_quotes=8, min_sources=3
    ),
}


class Question(BaseModel):
    """What to research. `angle`: wishes of the person who asked; `known`: company facts that need no search."""

    topic: str
    audience: str
    angle: str
    level: ResearchLevel
    language: Language
    known: list[Evidence]


class Source(BaseModel):
    """A page that was read. `published` is a date as the page gives it, `quotes` how many were taken from it."""

    url: str
    title: str
    site: str
    published: str | None
    fetched_at: str
    quotes: int


class Problem(BaseModel):
    """Something that did not work and was done without."""

    what: str
    reason: str


class ResearchNotes(BaseModel):
    """Everything that research knows so far, small enough to be checkpointed after each step.

    `pending` are the queries of the round under way; `pages` its pages while they are read but not yet quoted from.
    The text of a page lives only that long, so that a resumed attempt asks the models exactly the same again.
    """

    questions: list[str] = []
    asked: list[str] = []
    pending: list[str] = []
    pages: list[ReadPage] | None = None
    seen_urls: list[str] = []
    evidence: list[Evidence] = []
    sources: list[Source] = []
    problems: list[Problem] = []
    rounds: int = 0
    is_sufficient: bool = False
    gap: str = ""
    finished: bool = False


class ResearchReport(BaseModel):
    """The findings of research: evidence with sources, the company's own facts, and what is missing."""

    topic: str
    level: ResearchLevel
    language: Language
    questions: list[str]
    queries: list[str]
    evidence: list[Evidence]
    company_facts: list[Evidence]
    sources: list[Source]
    problems: list[Problem]
    rounds: int
    is_sufficient: bool
    gap: str

    @property
    def by_id(self) -> dict[str, Evidence]:
        """All evidence and company facts by their id."""
        return {item.id: item for item in [*self.evidence, *self.company_facts]}
