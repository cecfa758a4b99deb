"""One call to a model: what is sent, what it may cost at most, how its answer is read, and what to do with a bad one.

An unusable answer gets one second chance, and no third:

- not valid by the schema: asked again with the problems named (and the answer, when it was JSON at all);
- cut off at its greatest length: the same again with twice the room, never with the fragment;
- empty, ended early, without a picture: the same again.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from shared.model import answers
from shared.model.answers import GeneratedImage, GroundedAnswer, UnusableAnswer
from shared.model.ledger import CallKind, CallRow, StoredAnswer
from shared.model.prices import Usage
from shared.model.prompts import RenderedPrompt, load_prompt

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import GenerateContentResponse

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

_MAX_OUTPUT_TOKENS: dict[CallKind, int] = {"text": 16_384, "search": 8_192, "image": 8_192}
_MOST_OUTPUT_TOKENS = 65_536
# The model decides how often it searches. More than this was not seen; it would be paid and booked, but not reserved.
_MAX_SEARCHES = 10
# A token is at least one byte, so bytes bound tokens from above. A picture takes 258 tokens for each tile of 768 pixels
# (1080 × 1350: four tiles), or what the media resolution says: at the highest this many, more than eight tiles.
_TOKENS_PER_PICTURE = 2_240
_TOKENS_AROUND_THE_PROMPT = 64
_PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds of what a request uses, for its reservation."""

    input_tokens: int
    max_output_tokens: int = 0
    max_searches: int = 0
    images: int = 0
    image_size: str | None = None


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """A picture that goes with a prompt: to be kept to when drawing, to be looked at when judging."""

    data: bytes
    mime_type: str


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call of any kind, ready to be made.

    `send(client, timeout_s)` makes one request; `measure` reads what a response used (None: it does not say);
    `extract` turns a response into what the ledger keeps, or raises UnusableAnswer or ModelRefused; `restore` builds
    the typed result from that, live and on replay, or raises UnusableAnswer; `second_chance` gives the call to make
    after an unusable answer, or None.
    """

    row: CallRow
    bounds: Bounds
    send: Callable[["Client", float], Awaitable[Any]]
    measure: Callable[[Any], Usage | None]
    extract: Callable[[Any], StoredAnswer]
    restore: Callable[[StoredAnswer], T]
    second_chance: "Callable[[UnusableAnswer], Call[T] | None]"


@dataclass(frozen=True, slots=True)
class Generation:
    """The body of a generateContent request, without what all of them share."""

    model: str
    parts: list[dict[str, Any]]
    max_output_tokens: int
    system: str | None = None
    temperature: float | None = None
    extra: dict[str, Any] | None = None

    async def send(self, client: "Client", timeout_s: float) -> "GenerateContentResponse":
        """One request, and exactly one: continuation and function calling by the SDK are off."""
        config: dict[str, Any] = {
            "max_output_tokens": self.max_output_tokens,
            "automatic_continuation": False,
            "automatic_function_calling": {"disable": True},
            "http_options": {"timeout": max(1, round(timeout_s * 1000))},
            **(self.extra or {}),
        }
        if self.system is not None:
            config["system_instruction"] = self.system
        if self.temperature is not None:
            config["temperature"] = self.temperature
        contents: Any = [{"role": "user", "parts": self.parts}]
        settings: Any = config
        return await client.aio.models.generate_content(model=self.model, contents=contents, config=settings)

    @property
    def input_tokens(self) -> int:
        """More tokens than the prompt can have."""
        texts = [self.system or "", json.dumps(self.extra or {}), *(part.get("text", "") for part in self.parts)]
        pictures = sum("inline_data" in part for part in self.parts)
        return sum(len(text.encode()) for text in texts) + pictures * _TOKENS_PER_PICTURE + _TOKENS_AROUND_THE_PROMPT


def text_call(
    prompt: RenderedPrompt,
    schema: type[Model],
    *,
    model: str,
    stage: str,
    variant: int,
    images: Sequence[ReferenceImage] = (),
) -> Call[Model]:
    """A call whose answer is JSON by a pydantic model. The model sees `images` in order, before the prompt."""
    json_schema = schema.model_json_schema()
    # Without pictures the key is that of a call that knows of none: what was paid for before still counts.
    row = _row(prompt, "text", model, stage, variant, json_schema, *([_hashes(images)] if images else []))
    extra = {"response_mime_type": "application/json", "response_json_schema": json_schema}

    def extract(response: "GenerateContentResponse") -> StoredAnswer:
        return StoredAnswer({"text": answers.text_of(answers.whole_candidate(response, model, stage))})

    def restore(answer: StoredAnswer) -> Model:
        return _validated(answer.response["text"], schema)

    def second_chance(fault: UnusableAnswer) -> Call[Model] | None:
        if fault.fault != "invalid":
            return _same_again(call, generation, fault)
        repair = load_prompt(Path(__file__).parent, "repair").render(
            answer=fault.answer or "It was not JSON.", problems="\n".join(fault.problems)
        )
        return _with(call, replace(generation, parts=[*generation.parts, {"text": repair.text}]))

    generation = _with_pictures(_generation(prompt, "text", model, extra), images)
    call = _generating(row, generation, extract, restore, second_chance)
    return call


def search_call(prompt: RenderedPrompt, *, model: str, stage: str, variant: int) -> Call[GroundedAnswer]:
    """A call that searches the web and answers in text, with the sources of what it says."""
    row = _row(prompt, "search", model, stage, variant)

    def extract(response: "GenerateContentResponse") -> StoredAnswer:
        answer = answers.grounded_answer_of(answers.whole_candidate(response, model, stage))
        return StoredAnswer(answer.model_dump(mode="json"))

    def restore(answer: StoredAnswer) -> GroundedAnswer:
        return GroundedAnswer.model_validate(answer.response)

    def second_chance(fault: UnusableAnswer) -> Call[GroundedAnswer] | None:
        return _same_again(call, generation, fault)

    generation = _generation(prompt, "search", model, {"tools": [{"google_search": {}}]})
    call = _generating(row, generation, extract, restore, second_chance)
    bounds = replace(call.bounds, max_searches=_MAX_SEARCHES)
    call = replace(call, measure=answers.search_usage_of, bounds=bounds)
    return call


def image_call(
    prompt: RenderedPrompt,
    *,
    model: str,
    stage: str,
    variant: int,
    aspect_ratio: str,
    size: str,
    references: Sequence[ReferenceImage],
) -> Call[GeneratedImage]:
    """A call that draws one picture, like `references` if there are any. `size` is 1K, 2K or 4K."""
    row = _row(prompt, "image", model, stage, variant, aspect_ratio, size, _hashes(references))

    def extract(response: "GenerateContentResponse") -> StoredAnswer:
        picture = answers.picture_of(answers.whole_candidate(response, model, stage))
        return StoredAnswer({}, picture.data, picture.mime_type)

    def restore(answer: StoredAnswer) -> GeneratedImage:
        return GeneratedImage(answer.blob or b"", answer.blob_mime_type or "image/png")

    def measure(response: "GenerateContentResponse") -> Usage | None:
        return answers.usage_of(response, image_size=size)

    def second_chance(fault: UnusableAnswer) -> Call[GeneratedImage] | None:
        return _same_again(call, generation, fault)

    extra = {
        "response_modalities": ["TEXT", "IMAGE"],
        "image_config": {"aspect_ratio": aspect_ratio, "image_size": size},
    }
    generation = _with_pictures(_generation(prompt, "image", model, extra), references)
    call = _generating(row, generation, extract, restore, second_chance)
    call = replace(call, measure=measure, bounds=replace(call.bounds, images=1, image_size=size))
    return call


def call_key(stage: str, name: str, version: str, variant: int, *content: Any) -> str:
    """The name of a call within its job: the same content gives the same key, in this process and in the next."""
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return f"{stage}/{name}@{version}/{variant}/{hashlib.sha256(canonical.encode()).hexdigest()}"


def _row(prompt: RenderedPrompt, kind: CallKind, model: str, stage: str, variant: int, *settings: Any) -> CallRow:
    if prompt.role != kind:
        raise ValueError(f"the prompt {prompt.ref} is for the role {prompt.role} and was used for {kind}")
    key = call_key(stage, prompt.name, prompt.version, variant, model, prompt.system, prompt.text, *settings)
    return CallRow(key=key, kind=kind, stage=stage, model=model, prompt=prompt.ref)


def _generation(prompt: RenderedPrompt, kind: CallKind, model: str, extra: dict[str, Any]) -> Generation:
    return Generation(
        model=model,
        parts=[{"text": prompt.text}],
        max_output_tokens=prompt.max_output_tokens or _MAX_OUTPUT_TOKENS[kind],
        system=prompt.system,
        temperature=prompt.temperature,
        extra=extra,
    )


def _hashes(pictures: Sequence[ReferenceImage]) -> list[tuple[str, str]]:
    """What stands for pictures in a key. The pictures themselves are sent and never kept."""
    return [(picture.mime_type, hashlib.sha256(picture.data).hexdigest()) for picture in pictures]


def _with_pictures(generation: Generation, pictures: Sequence[ReferenceImage]) -> Generation:
    inline = [{"inline_data": {"data": picture.data, "mime_type": picture.mime_type}} for picture in pictures]
    return replace(generation, parts=[*inline, *generation.parts])


def _generating(
    row: CallRow,
    generation: Generation,
    extract: Callable[[Any], StoredAnswer],
    restore: Callable[[StoredAnswer], T],
    second_chance: Callable[[UnusableAnswer], Call[T] | None],
) -> Call[T]:
    return Call(
        row=row,
        bounds=Bounds(generation.input_tokens, generation.max_output_tokens),
        send=generation.send,
        measure=answers.usage_of,
        extract=extract,
        restore=restore,
        second_chance=second_chance,
    )


def _with(call: Call[T], generation: Generation) -> Call[T]:
    bounds = replace(call.bounds, input_tokens=generation.input_tokens, max_output_tokens=generation.max_output_tokens)
    return replace(call, send=generation.send, bounds=bounds)


def _same_again(call: Call[T], generation: Generation, fault: UnusableAnswer) -> Call[T] | None:
    if fault.fault != "truncated":
        return call
    room = min(generation.max_output_tokens * 2, _MOST_OUTPUT_TOKENS)
    return _with(call, replace(generation, max_output_tokens=room)) if room > generation.max_output_tokens else None


def _validated(text: str, schema: type[Model]) -> Model:
    try:
        return schema.model_validate_json(text)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in details]
        is_json = all(each["type"] != "json_invalid" for each in details)
        raise UnusableAnswer(
            "invalid",
            f"did not fit its schema ({problems[0]})",
            problems=tuple(problems[:_PROBLEMS_SHOWN]),
            answer=text if is_json else None,
        ) from None
