"""Makes the answer to a `generateContent` request: function call, picture, grounded text, JSON or text."""

import json
from dataclasses import replace
from typing import Any

from infra.local.emulator.answer import Answer
from infra.local.emulator.calling import function_call, result_text
from infra.local.emulator.drawing.request import draw
from infra.local.emulator.google_errors import GoogleError
from infra.local.emulator.grounding import grounded_text
from infra.local.emulator.meter import Kind
from infra.local.emulator.prices import Family
from infra.local.emulator.tokens import CHARACTERS_PER_TOKEN, prompt_tokens, text_tokens
from infra.local.emulator.wire import GenerateRequest
from infra.local.emulator.writing.compose import compose_json, compose_text

_LEAST_THOUGHT_TOKENS = 24
_THOUGHT_SHARE = 0.15


def kind_of(request: GenerateRequest, *, stream: bool) -> Kind:
    """What the meter counts the request as."""
    if stream:
        return "stream"
    if request.wants_image:
        return "image"
    return "search" if request.wants_search else "text"


def generate(request: GenerateRequest, family: Family, *, fault: str | None = None) -> Answer:
    """The answer, with no fault but `illegible`, which is part of its making. CPU work: call it off the event loop.

    Raises:
        GoogleError: 400 for what the model cannot do.
    """
    if request.wants_image and family != "image":
        raise GoogleError(
            400, "The requested combination of response modalities (IMAGE) is not supported by the model."
        )
    answer = _content(request, count_prompt(request), illegible=fault == "illegible")
    return _within_output_limit(answer, request)


def count_prompt(request: GenerateRequest) -> int:
    """Tokens of the prompt: its texts, tools and pictures."""
    tools = [declared.name + declared.description + json.dumps(declared.parameters) for declared in request.functions]
    return prompt_tokens([request.system_text, request.prompt_text, *tools], len(request.files))


def _content(request: GenerateRequest, tokens: int, *, illegible: bool) -> Answer:
    prompt = f"{request.system_text}\n{request.prompt_text}"
    call = function_call(request)
    if call is not None:
        return _thought_about(Answer([call], tokens), request)
    if request.wants_image:
        picture = draw(request, illegible=illegible)
        return Answer(picture.parts(), tokens, images=1, image_size=picture.size)
    if request.schema is not None:
        value = compose_json(request.schema, prompt, len(request.files))
        return _thought_about(Answer([{"text": json.dumps(value, ensure_ascii=False)}], tokens), request)
    if request.wants_search:
        found = grounded_text(prompt)
        answer = Answer([{"text": found.text}], tokens, grounding=found.metadata, search_queries=found.queries)
        return _thought_about(answer, request)
    if request.function_responses:
        return _thought_about(Answer([{"text": result_text(request)}], tokens), request)
    return _thought_about(Answer([{"text": compose_text(prompt)}], tokens), request)


def _thought_about(answer: Answer, request: GenerateRequest) -> Answer:
    """The answer with the tokens of its thoughts, and a summary of them when the request wants one."""
    written = text_tokens(answer.text)
    thoughts = _LEAST_THOUGHT_TOKENS + round(written * _THOUGHT_SHARE)
    if request.thinking_budget is not None:
        thoughts = min(thoughts, request.thinking_budget)
    parts: list[dict[str, Any]] = list(answer.parts)
    if request.wants_thoughts and thoughts:
        parts.insert(0, {"text": "Reading the inputs and the evidence, then writing from them.", "thought": True})
    return replace(answer, parts=parts, thought_tokens=thoughts)


def _within_output_limit(answer: Answer, request: GenerateRequest) -> Answer:
    """Cut where `maxOutputTokens` ends, thoughts included, as the real API does."""
    limit = request.max_output_tokens
    if limit is None or not answer.text or text_tokens(answer.text) + answer.thought_tokens <= limit:
        return answer
    thoughts = min(answer.thought_tokens, limit)
    kept = answer.text[: (limit - thoughts) * CHARACTERS_PER_TOKEN]
    parts = [{"text": kept}] if kept else []
    return replace(answer, parts=parts, thought_tokens=thoughts, finish_reason="MAX_TOKENS", grounding=None)


def warm_up() -> None:
    """Reads phrases, articles and the search index, so that the first answer is as fast as the others."""
    compose_json({"type": "object", "properties": {"queries": {"type": "array"}}}, "ISO 13485")
    grounded_text("ISO 13485")
