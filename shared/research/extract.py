"""The readable text of a fetched page: title, date, and passages that quotes can be taken from."""

import asyncio
import re
from collections.abc import Iterator

import structlog
from pydantic import BaseModel

from shared.plain import one_line
from shared.research.fetch import FetchedPage

MAX_PASSAGE_CHARS = 1_200
MIN_PASSAGE_CHARS = 40
MIN_PAGE_CHARS = 200
TIMEOUT_S = 20.0

_log = structlog.get_logger()
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[A-ZÀ-Þ0-9“\"(])")
# Text that talks to a program instead of a reader: nothing to quote. (Whatever else a page says is data all the same.)
_ADDRESSED_TO_A_PROGRAM = re.compile(
    r"\b(ignore|disregard|forget|desconsidere|esque[cç]a)\b[^.]{0,60}"
    r"\b(instruction|prompt|rules|instru[cç]|regras|comandos)"
    r"|\b(system|developer) (prompt|message)\b|\bprompt do sistema\b|\b(AI|language) (assistant|model)s?\b"
    r"|\b(modelo de linguagem|assistente de IA)\b|<\|?(im_start|system|assistant)",
    re.IGNORECASE,
)


class ReadPage(BaseModel):
    """A page after reading. `passages` are whole paragraphs or sentences of it; `left_out` counts those dropped."""

    url: str
    title: str
    site: str
    published: str | None
    fetched_at: str
    passages: list[str]
    left_out: int = 0


class PageUnreadable(Exception):
    """The page has no text worth reading; the message is a half-sentence for people."""


async def read_page(page: FetchedPage, *, max_chars: int) -> ReadPage:
    """Extracts the main text, at most `max_chars` characters of it, in a thread. Raises PageUnreadable.

    Markup made to be slow is given up on after 20 s; its thread ends by itself, because the page's size is capped.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.to_thread(_read, page, max_chars)
    except TimeoutError:
        raise PageUnreadable("took too long to parse") from None


def _read(page: FetchedPage, max_chars: int) -> ReadPage:
    text, title, site, published = _plain_text(page) if page.content_type == "text/plain" else _main_text(page)
    found = cut_into_passages(text)
    passages = [passage for passage in found if not _ADDRESSED_TO_A_PROGRAM.search(passage)]
    kept = list(_within(passages, max_chars))
    if sum(map(len, kept)) < MIN_PAGE_CHARS:
        raise PageUnreadable("has too little text to quote from")
    return ReadPage(
        url=page.url,
        title=one_line(title, max_chars=300) or page.url,
        site=one_line(site, max_chars=120),
        published=published,
        fetched_at=page.fetched_at.isoformat(timespec="seconds"),
        passages=kept,
        left_out=len(found) - len(passages),
    )


def cut_into_passages(text: str) -> list[str]:
    """Paragraphs of 40 to 1,200 characters; longer ones are cut between sentences, headings and crumbs left out."""
    passages: list[str] = []
    for line in text.splitlines():
        paragraph = one_line(line)
        if len(paragraph) < MIN_PASSAGE_CHARS:
            continue
        passage = ""
        for sentence in _SENTENCE_END.split(paragraph):
            if passage and len(passage) + 1 + len(sentence) > MAX_PASSAGE_CHARS:
                passages.append(passage)
                passage = ""
            passage = f"{passage} {sentence}".strip()[: 2 * MAX_PASSAGE_CHARS]
        passages.append(passage)
    return passages


def _within(passages: list[str], max_chars: int) -> Iterator[str]:
    total = 0
    for passage in passages:
        total += len(passage)
        if total > max_chars:
            return
        yield passage


def _plain_text(page: FetchedPage) -> tuple[str, str, str, str | None]:
    try:
        text = page.body.decode(page.charset or "utf-8", errors="replace")
    except (LookupError, ValueError):  # a charset that Python does not know
        text = page.body.decode("utf-8", errors="replace")
    first_line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return text, first_line, _site(page.url), None


def _main_text(page: FetchedPage) -> tuple[str, str, str, str | None]:
    import trafilatura  # noqa: PLC0415 - 30 MiB that an idle worker does without

    try:
        document = trafilatura.bare_extraction(
            page.body, url=page.url, include_comments=False, include_tables=False, with_metadata=True
        )
    except Exception as error:  # hostile markup can break any parser in any way
        _log.info("page not parsed", url=page.url, error=repr(error))
        raise PageUnreadable("could not be parsed") from error
    if document is None or isinstance(document, dict) or not document.text:
        raise PageUnreadable("has no readable text")
    site = document.sitename or _site(page.url)
    return document.text, document.title or "", site, document.date


def _site(url: str) -> str:
    return url.split("/")[2].removeprefix("www.")
