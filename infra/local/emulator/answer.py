"""An answer of the model and its JSON, whole or as a stream of chunks."""

import base64
import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from infra.local.emulator.prices import Usage
from infra.local.emulator.tokens import TOKENS_PER_OUTPUT_IMAGE, text_tokens

MODEL_VERSION = "emulator"
_CHUNK_CHARACTERS = 120

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What was generated, before it becomes JSON. Tokens of the answer are counted from its parts."""

    parts: list[Json]
    prompt_tokens: int
    thought_tokens: int = 0
    finish_reason: str = "STOP"
    finish_message: str | None = None
    block_reason: str | None = None
    grounding: Json | None = None
    search_queries: int = 0
    images: int = 0
    image_size: str = "1K"
    # Tokens that were generated and are billed, when they are not the tokens of the parts (an answer that was blocked).
    billed_output_tokens: int | None = None

    @property
    def text(self) -> str:
        """The text of the parts that are no thoughts."""
        return "".join(part.get("text", "") for part in self.parts if not part.get("thought"))

    def with_text(self, text: str, **changes: Any) -> "Answer":
        """The same answer with one text part instead of its parts."""
        return replace(self, parts=[{"text": text}], images=0, **changes)

    @property
    def usage(self) -> Usage:
        """What the answer is billed for."""
        return Usage(
            input_tokens=self.prompt_tokens,
            output_tokens=self._text_tokens,
            thought_tokens=self.thought_tokens,
            search_queries=self.search_queries,
            images=self.images,
            image_size=self.image_size,
        )

    @property
    def _text_tokens(self) -> int:
        if self.billed_output_tokens is not None:
            return self.billed_output_tokens
        calls = sum(text_tokens(str(part["functionCall"])) for part in self.parts if "functionCall" in part)
        return text_tokens(self.text) + calls

    def as_json(self) -> Json:
        """The body of a `generateContent` answer."""
        body: Json = {**self._header(), "usageMetadata": self._usage_json()}
        if self.block_reason is not None:
            body["promptFeedback"] = {"blockReason": self.block_reason}
            return body
        body["candidates"] = [self._candidate(self.parts, last=True)]
        return body

    def chunks(self) -> Iterator[Json]:
        """The bodies of a `streamGenerateContent` answer: text in pieces, everything else in the last chunk."""
        header = self._header()
        pieces = _pieces(self.parts) if self.block_reason is None else []
        for piece in pieces[:-1]:
            yield {**header, "candidates": [self._candidate([piece], last=False)]}
        last = {**self.as_json(), **header}
        if pieces and self.block_reason is None:
            last["candidates"] = [self._candidate([pieces[-1]], last=True)]
        yield last

    def _header(self) -> Json:
        return {
            "modelVersion": MODEL_VERSION,
            "responseId": uuid.uuid4().hex,
        }

    def _candidate(self, parts: list[Json], *, last: bool) -> Json:
        candidate: Json = {"index": 0}
        candidate["content"] = {"role": "model", **({"parts": copy.copy(parts)} if parts else {})}
        if last:
            candidate["finishReason"] = self.finish_reason
            if self.finish_message:
                candidate["finishMessage"] = self.finish_message
            if self.grounding is not None:
                candidate["groundingMetadata"] = self.grounding
        return candidate

    def _usage_json(self) -> Json:
        image_tokens = self.images * TOKENS_PER_OUTPUT_IMAGE[self.image_size]
        candidates = self._text_tokens + image_tokens
        usage: Json = {
            "promptTokenCount": self.prompt_tokens,
            "totalTokenCount": self.prompt_tokens + candidates + self.thought_tokens,
        }
        if candidates:
            usage["candidatesTokenCount"] = candidates
        if image_tokens:
            usage["candidatesTokensDetails"] = [
                {"modality": "IMAGE", "tokenCount": image_tokens},
                *([{"modality": "TEXT", "tokenCount": self._text_tokens}] if self._text_tokens else []),
            ]
        if self.thought_tokens:
            usage["thoughtsTokenCount"] = self.thought_tokens
        return usage


@dataclass(frozen=True)
class Picture:
    """A picture that was drawn."""

    data: bytes
    size: str
    thought_png: bytes | None = field(default=None, repr=False)
    mime_type: str = "image/png"

    def parts(self) -> list[Json]:
        """Its parts: a thought picture first, as image models show one, then the picture itself."""
        found = [inline_part(self.data, self.mime_type)]
        if self.thought_png is not None:
            found.insert(0, {**inline_part(self.thought_png), "thought": True})
        return found


def inline_part(data: bytes, mime_type: str = "image/png") -> Json:
    """A part that holds a picture."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def _pieces(parts: list[Json]) -> list[Json]:
    pieces: list[Json] = []
    for part in parts:
        if "text" not in part:
            pieces.append(part)
            continue
        text = part["text"]
        flags = {key: value for key, value in part.items() if key != "text"}
        cuts = range(0, len(text), _CHUNK_CHARACTERS)
        pieces.extend({"text": text[cut : cut + _CHUNK_CHARACTERS], **flags} for cut in cuts)
    return pieces
