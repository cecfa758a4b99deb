"""What a content fault does to an answer that was generated well."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from infra.local.emulator.answer import Answer
from infra.local.emulator.wire import GenerateRequest
from infra.local.emulator.writing.compose import rated_low

_KEPT = 0.6


def spoil(answer: Answer, fault: str, request: GenerateRequest) -> tuple[Answer, str | None]:
    """The answer with the fault; tokens that were generated stay billed, a blocked prompt costs only its input.

    A fault that this answer cannot have is none.
    """
    if fault == "low_rating":
        low = rated_low(answer.text, request.prompt_text)
        return (answer, None) if low is None else (answer.with_text(low), fault)
    spoiled = _SPOILED.get(fault)
    return (spoiled(answer) if spoiled else answer), fault


def _cut(text: str) -> str:
    return text[: max(1, round(len(text) * _KEPT))] if text else "{"


def _broken(text: str) -> str:
    # A stray comma and a missing end: what a parser refuses and a careless repair might let pass.
    middle = len(text) // 2
    return f"{text[:middle]},,{text[middle:].rstrip('}] ')}"


def _without_parts(answer: Answer, **changes: Any) -> Answer:
    billed = answer.usage.output_tokens
    return replace(answer, parts=[], images=0, grounding=None, billed_output_tokens=billed, **changes)


# Faults that are none of the answer's (429, slow, …) are not here.
_SPOILED: dict[str, Callable[[Answer], Answer]] = {
    "truncated": lambda answer: answer.with_text(_cut(answer.text), finish_reason="MAX_TOKENS", grounding=None),
    "malformed_json": lambda answer: answer.with_text(_broken(answer.text)),
    "safety": lambda answer: Answer([], answer.prompt_tokens, block_reason="SAFETY"),
    "safety_answer": lambda answer: _without_parts(answer, finish_reason="SAFETY"),
    "empty": _without_parts,
    "no_image": lambda answer: answer.with_text("I could not draw this picture; here are words instead."),
}
