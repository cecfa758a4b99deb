"""The steps of one round of research: search, read, quote. Each takes the notes and returns what it adds to them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Protocol, TypeVar

import structlog
from pydantic import BaseModel
from yarl import URL

from shared.concurrently import concurrently
from shared.engine.errors import ModelOutputInvalid, ModelRefused
from shared.model.answers import GroundedAnswer
from shared.model.prompts import RenderedPrompt, load_prompt
from shared.plain import one_line
from shared.research.answers import PickedQuote, PickedQuotes
from shared.research.evidence import Evidence, find_quote, same_words
from shared.research.extract import PageUnreadable, ReadPage, read_page
from shared.research.fetch import FetchedPage, FetchError
from shared.research.report import Depth, Problem, Question, ResearchNotes, Source

PACKAGE = Path(__file__).parent
_log = structlog.get_logger()
_PARALLEL_PAGES = 4
_LONG_ADDRESS = 120
_TRACKING = ("utm_", "gclid", "fbclid", "mc_")

T = TypeVar("T", bound=BaseModel)
Report = Callable[[str, int | None, int | None], Awaitable[None]]


class ResearchModels(Protocol):
    """The calls to models that research makes; `shared.model.gateway.JobModels` is one."""

    async def text(self, prompt: RenderedPrompt, schema: type[T], *, variant: int = 0) -> T:
        """An answer that fits the schema."""
        ...

    async def search(self, prompt: RenderedPrompt, *, variant: int = 0) -> GroundedAnswer:
        """A grounded answer with the pages it stands on."""
        ...


class Fetcher(Protocol):
    """Where pages come from; `shared.research.fetch.PageFetcher` is one."""

    async def fetch(self, url: str) -> FetchedPage:
        """The page, or FetchError."""
        ...


async def search(models: ResearchModels, queries: Sequence[str], language: str) -> tuple[list[str], list[Problem]]:
    """Addresses that the searches led to, the best of each query first, and the queries that were refused.

    Raises what a model raises, except that one refused or unusable answer is only noted.
    """
    prompt = load_prompt(PACKAGE, "search")

    async def one(query: str) -> GroundedAnswer | Problem:
        try:
            return await models.search(prompt.render(query=query, language=language))
        except (ModelRefused, ModelOutputInvalid) as error:
            return Problem(what=f"Search “{query}”", reason=error.message)

    answers = await concurrently(one(query) for query in queries)
    found = [[source.uri for source in answer.sources] for answer in answers if not isinstance(answer, Problem)]
    in_turn = [uri for uri in chain.from_iterable(zip_longest(*found)) if uri]
    return list(dict.fromkeys(in_turn)), [answer for answer in answers if isinstance(answer, Problem)]


async def read(
    fetcher: Fetcher, addresses: Sequence[str], notes: ResearchNotes, depth: Depth, report: Report
) -> tuple[list[ReadPage], list[Problem]]:
    """Reads up to `depth.pages_per_round` pages not read before. A page that fails is a problem, not an error."""
    wanted = [address for address in addresses if address not in notes.seen_urls][: depth.pages_per_round]
    slots = asyncio.Semaphore(_PARALLEL_PAGES)
    done = 0

    async def one(address: str) -> ReadPage | Problem:
        nonlocal done
        async with slots:
            try:
                result = await read_page(await fetcher.fetch(address), max_chars=depth.page_chars)
            except (FetchError, PageUnreadable) as error:
                _log.info("page left out", url=address, reason=str(error))
                result = Problem(what=_short(address), reason=one_line(f"The page {error}."))
        done += 1
        await report(f"Researching: {done} of {len(wanted)} pages read", done, len(wanted))
        return result

    results = await concurrently(one(address) for address in wanted)
    notes.seen_urls.extend(wanted)
    known = {canonical(source.url) for source in notes.sources}
    pages: list[ReadPage] = []
    for page in results:  # different addresses may have led to the same page
        if isinstance(page, ReadPage) and canonical(page.url) not in known:
            known.add(canonical(page.url))
            pages.append(page)
    return pages, [result for result in results if isinstance(result, Problem)]


async def pick_quotes(
    models: ResearchModels, question: Question, notes: ResearchNotes, depth: Depth
) -> tuple[list[tuple[ReadPage, list[PickedQuote]]], list[Problem]]:
    """Asks, page by page at the same time, for the quotes worth citing. Nothing of the answers is checked here."""
    prompt = load_prompt(PACKAGE, "pick_quotes")

    async def one(page: ReadPage) -> tuple[ReadPage, list[PickedQuote]] | Problem:
        rendered = prompt.render(
            topic=question.topic,
            questions="\n".join(notes.questions),
            title=page.title,
            passages="\n\n".join(f"[{number}] {text}" for number, text in enumerate(page.passages, start=1)),
            how_many=str(depth.quotes_per_page),
            language=question.language,
        )
        try:
            answer = await models.text(rendered, PickedQuotes)
        except (ModelRefused, ModelOutputInvalid) as error:
            return Problem(what=page.title, reason=error.message)
        if not answer.is_about_topic:
            return Problem(what=page.title, reason="The page is about something else.")
        return page, answer.quotes[: depth.quotes_per_page]

    results = await concurrently(one(page) for page in notes.pages or [])
    picked = [result for result in results if not isinstance(result, Problem)]
    return picked, [result for result in results if isinstance(result, Problem)]


def add_evidence(notes: ResearchNotes, picked: Iterable[tuple[ReadPage, list[PickedQuote]]]) -> None:
    """Turns the picked quotes that are in their page, word for word, into numbered evidence; counts the others."""
    known = {same_words(item.quote) for item in notes.evidence}
    for page, quotes in picked:
        taken = invented = 0
        for candidate in quotes:
            words = _words_of(page, candidate)
            if words is None:
                invented += 1
                continue
            if same_words(words) in known:
                continue
            known.add(same_words(words))
            taken += 1
            notes.evidence.append(
                Evidence(
                    id=f"E{len(notes.evidence) + 1}",
                    origin="web",
                    quote=words,
                    statement=one_line(candidate.statement, max_chars=500),
                    title=page.title,
                    url=page.url,
                    site=page.site,
                    published=page.published,
                    fetched_at=page.fetched_at,
                )
            )
        if invented:
            reason = f"Quotes that were not word for word on the page were dropped: {invented} of {len(quotes)}."
            notes.problems.append(Problem(what=page.title, reason=reason))
        if page.left_out:
            reason = f"Passages addressed to a program instead of a reader were left out: {page.left_out}."
            notes.problems.append(Problem(what=page.title, reason=reason))
        notes.sources.append(
            Source(
                url=page.url,
                title=page.title,
                site=page.site,
                published=page.published,
                fetched_at=page.fetched_at,
                quotes=taken,
            )
        )


def canonical(address: str) -> str:
    """An address without tracking parameters and fragment: two that differ only there are the same page."""
    url = URL(address)
    kept = [(name, value) for name, value in url.query.items() if not name.lower().startswith(_TRACKING)]
    return str(url.with_query(kept).with_fragment(None)).rstrip("/?")


def _words_of(page: ReadPage, candidate: PickedQuote) -> str | None:
    named = page.passages[candidate.passage - 1 : candidate.passage] if candidate.passage > 0 else []
    for passage in [*named, *page.passages]:
        if words := find_quote(candidate.quote, passage):
            return words
    return None


def _short(address: str) -> str:
    return address if len(address) <= _LONG_ADDRESS else f"{address[:_LONG_ADDRESS]}…"
