"""Grounded answers: text from the local web with its sources, as Google Search grounding returns them.

Offsets are UTF-8 bytes, addresses are redirects, and the lists are absent when nothing was found.
"""

from dataclasses import dataclass
from typing import Any

from infra.local.emulator.site import redirect_uri
from infra.local.emulator.web_search import Hit, search
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.phrases import load_phrases

_MOST_PAGES = 4
_SENTENCES_EACH = 2
_LONGEST_QUERY_WORDS = 16

Json = dict[str, Any]


@dataclass(frozen=True)
class GroundedText:
    """The text of an answer and its `groundingMetadata`."""

    text: str
    metadata: Json
    queries: int


def grounded_text(prompt: str) -> GroundedText:
    """Searches for what the prompt asks and answers with sentences of the pages found."""
    brief = Brief(prompt)
    query = " ".join(brief.topic.split()[:_LONGEST_QUERY_WORDS])
    hits = search(query, language=brief.language, most=_MOST_PAGES, sentences_each=_SENTENCES_EACH)
    metadata: Json = {"webSearchQueries": [query], "searchEntryPoint": {"renderedContent": _entry_point(query)}}
    if not hits:
        return GroundedText(load_phrases(brief.language).general["answer_none"], metadata, 1)
    metadata["groundingChunks"] = [_chunk(hit) for hit in hits]
    text, metadata["groundingSupports"] = _supported_text(hits)
    return GroundedText(text, metadata, 1)


def _supported_text(hits: list[Hit]) -> tuple[str, list[Json]]:
    text = ""
    supports: list[Json] = []
    for number, hit in enumerate(hits):
        text += "\n\n" if text else ""
        for position, sentence in enumerate(hit.sentences):
            text += " " if position else ""
            start = len(text.encode())
            text += sentence
            supports.append(_support(sentence, start, number))
    return text, supports


def _support(sentence: str, start: int, chunk: int) -> Json:
    segment: Json = {"endIndex": start + len(sentence.encode()), "text": sentence}
    if start:  # as in protocol buffers, a zero is left out
        segment["startIndex"] = start
    return {"segment": segment, "groundingChunkIndices": [chunk]}


def _chunk(hit: Hit) -> Json:
    article = hit.article
    # Google names the site, not the page, in the title.
    return {"web": {"uri": redirect_uri(article), "title": article.host, "domain": article.host}}


def _entry_point(query: str) -> str:
    return f'<div class="container"><a class="chip" href="https://search.emulator.test/">{query}</a></div>'
