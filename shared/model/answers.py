"""What a provider's answer says, read without trusting it: what it used, whether it is whole, and what is in it.

Pure functions from a response of google-genai to values. Lists and fields of a response may be None anywhere.
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from shared.engine.errors import ModelRefused
from shared.model.prices import Usage

if TYPE_CHECKING:
    from google.genai.types import Candidate, GenerateContentResponse, GroundingMetadata, Part

Fault = Literal["truncated", "empty", "invalid", "no_image", "stopped"]

# Finish reasons that stand for a safety filter. Asking again does not help, unlike with the others.
_REFUSALS = frozenset({"SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"})
# An escaped U+0000 in JSON, which Postgres cannot store; an escaped backslash before it is none.
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class UnusableAnswer(Exception):
    """An answer that was paid for and cannot be used. It gets one second chance, see `calls.py`.

    `what` completes the sentence "The answer of the model …"; `answer` is a whole answer that failed its schema.
    """

    def __init__(self, fault: Fault, what: str, *, problems: tuple[str, ...] = (), answer: str | None = None) -> None:
        super().__init__(what)
        self.fault: Fault = fault
        self.what = what
        self.problems = problems
        self.answer = answer


class GroundedSource(BaseModel):
    """A page that the search found. `uri` is a redirect of the provider's that leads to the page."""

    model_config = ConfigDict(frozen=True)

    uri: str
    title: str


class GroundedSupport(BaseModel):
    """A stretch of the answer and the sources (indexes into `sources`) that it stands on.

    `start` and `end` count characters of the answer's text, so that `answer.text[start:end] == text`; both are None
    when the provider's offsets did not fit its own text.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    source_indexes: list[int]
    start: int | None = None
    end: int | None = None


class GroundedAnswer(BaseModel):
    """An answer from a web search: its text, where it comes from, and what was searched for."""

    model_config = ConfigDict(frozen=True)

    text: str
    sources: list[GroundedSource]
    supports: list[GroundedSupport]
    queries: list[str]


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """A picture in the pixels and format of the model's choice."""

    data: bytes
    mime_type: str


def usage_of(response: "GenerateContentResponse", *, image_size: str | None = None) -> Usage | None:
    """What the request used, or None when the provider does not say."""
    counted = response.usage_metadata
    if counted is None:
        return None
    image_tokens = sum(
        detail.token_count or 0
        for detail in counted.candidates_tokens_details or []
        if detail.modality is not None and detail.modality.value == "IMAGE"
    )
    images = len(_pictures(_candidate(response)))
    text_tokens = 0 if images and not image_tokens else (counted.candidates_token_count or 0) - image_tokens
    return Usage(
        input_tokens=(counted.prompt_token_count or 0) + (counted.tool_use_prompt_token_count or 0),
        output_tokens=max(text_tokens, 0),
        thought_tokens=counted.thoughts_token_count or 0,
        search_queries=len(set(_queries(_grounding(response)))),
        # A picture that was made and then withheld is billed like one that was shown.
        images=images or int(image_tokens > 0),
        image_size=image_size,
    )


def search_usage_of(response: "GenerateContentResponse") -> Usage | None:
    """As `usage_of`, for a grounded request: when its answer was withheld or cut off together with the grounding, one
    search is counted, because it was made all the same.
    """
    usage = usage_of(response)
    candidate = _candidate(response)
    if usage is None or candidate is None or candidate.grounding_metadata is not None:
        return usage
    finished = candidate.finish_reason is not None and candidate.finish_reason.value == "STOP"
    return usage if finished and _text(candidate) else replace(usage, search_queries=1)


def whole_candidate(response: "GenerateContentResponse", model: str, stage: str) -> "Candidate":
    """The answer, when it is there and ended by itself: the check that comes before any other.

    Raises:
        ModelRefused: a safety filter blocked the prompt or the answer.
        UnusableAnswer: there is no answer, or it ended for any other reason than being finished.
    """
    feedback = response.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        raise _refused(model, "this request", feedback.block_reason.value, stage)
    candidate = _candidate(response)
    if candidate is None:
        raise UnusableAnswer("empty", "was empty")
    reason = candidate.finish_reason.value if candidate.finish_reason is not None else "FINISH_REASON_UNSPECIFIED"
    if reason == "STOP":
        return candidate
    if reason in _REFUSALS:
        raise _refused(model, "the answer", reason, stage)
    if reason == "MAX_TOKENS":
        raise UnusableAnswer("truncated", "was cut off at its greatest length")
    if reason == "NO_IMAGE":
        raise UnusableAnswer("no_image", "holds no picture")
    raise UnusableAnswer("stopped", f"ended early ({reason})")


def text_of(candidate: "Candidate") -> str:
    """The text without the thoughts. Raises UnusableAnswer when there is none."""
    text = _text(candidate)
    if not text:
        raise UnusableAnswer("empty", "was empty")
    return storable(text)


def picture_of(candidate: "Candidate") -> GeneratedImage:
    """The last picture that is no thought: image models show drafts first. Raises UnusableAnswer when there is none."""
    pictures = _pictures(candidate)
    if not pictures:
        raise UnusableAnswer("no_image", "holds no picture")
    return pictures[-1]


def grounded_answer_of(candidate: "Candidate") -> GroundedAnswer:
    """The answer with its sources and supports. Raises UnusableAnswer when it has no text."""
    text = text_of(candidate)
    grounding = candidate.grounding_metadata
    chunks = (grounding.grounding_chunks if grounding else None) or []
    sources: list[GroundedSource] = []
    place_of_chunk: dict[int, int] = {}
    for number, chunk in enumerate(chunks):
        if chunk.web is not None and chunk.web.uri:
            place_of_chunk[number] = len(sources)
            title = chunk.web.title or chunk.web.domain or ""
            sources.append(GroundedSource(uri=storable(chunk.web.uri), title=storable(title)))
    supports: list[GroundedSupport] = []
    for support in (grounding.grounding_supports if grounding else None) or []:
        indexes = [place_of_chunk[n] for n in support.grounding_chunk_indices or [] if n in place_of_chunk]
        segment = support.segment
        if segment is None or not indexes:
            continue
        # A start of zero is left out by the provider, as protocol buffers do.
        start_byte = (segment.start_index or 0) + _bytes_before(candidate, segment.part_index or 0)
        end_byte = (segment.end_index or 0) + _bytes_before(candidate, segment.part_index or 0)
        span = character_span(text, start_byte, end_byte)
        said = storable(segment.text or "")
        stretch = text[slice(*span)] if span else said
        if said and stretch != said:
            stretch, span = said, None
        if stretch:
            start, end = span or (None, None)
            supports.append(GroundedSupport(text=stretch, source_indexes=indexes, start=start, end=end))
    return GroundedAnswer(text=text, sources=sources, supports=supports, queries=_queries(grounding))


def character_span(text: str, start_byte: int, end_byte: int) -> tuple[int, int] | None:
    """UTF-8 byte offsets as character offsets; None when they are outside of the text or inside of a character."""
    encoded = text.encode()
    if not 0 <= start_byte < end_byte <= len(encoded):
        return None
    try:
        start = len(encoded[:start_byte].decode())
        return start, start + len(encoded[start_byte:end_byte].decode())
    except UnicodeDecodeError:
        return None


def storable(text: str) -> str:
    """The text without what Postgres refuses in jsonb and text: U+0000, plain or escaped, and lone surrogates."""
    return _ESCAPED_NUL.sub(r"\1", text.replace("\x00", "")).encode("utf-8", "replace").decode()


def _refused(model: str, what: str, reason: str, stage: str) -> ModelRefused:
    return ModelRefused(
        f"The safety filter of the model {model} blocked {what} ({reason}). Another topic or other words may pass.",
        stage=stage,
    )


def _candidate(response: "GenerateContentResponse") -> "Candidate | None":
    return response.candidates[0] if response.candidates else None


def _parts(candidate: "Candidate | None") -> "list[Part]":
    return (candidate.content.parts if candidate and candidate.content else None) or []


def _text(candidate: "Candidate") -> str:
    text = "".join(part.text or "" for part in _parts(candidate) if not part.thought)
    return text if text.strip() else ""


def _pictures(candidate: "Candidate | None") -> list[GeneratedImage]:
    return [
        GeneratedImage(part.inline_data.data, part.inline_data.mime_type or "image/png")
        for part in _parts(candidate)
        if not part.thought and part.inline_data is not None and part.inline_data.data
    ]


def _grounding(response: "GenerateContentResponse") -> "GroundingMetadata | None":
    candidate = _candidate(response)
    return candidate.grounding_metadata if candidate else None


def _queries(grounding: "GroundingMetadata | None") -> list[str]:
    # Empty queries appear in answers and are not billed.
    return [storable(query) for query in (grounding.web_search_queries if grounding else None) or [] if query]


def _bytes_before(candidate: "Candidate", part_index: int) -> int:
    return sum(len((part.text or "").encode()) for part in _parts(candidate)[:part_index] if not part.thought)
