import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.model.answers import UnusableAnswer
from shared.model.calls import Call, ReferenceImage, image_call, search_call, text_call
from shared.model.embeddings import embedding_calls, unit_length
from shared.model.ledger import StoredAnswer
from shared.model.prompts import RenderedPrompt

PROMPT = RenderedPrompt("write", "1", "text", "Write about titanium", system="Be brief", max_output_tokens=100)


class Title(BaseModel):
    title: str
    words: int


class Slogan(BaseModel):
    slogan: str


def call(
    prompt: RenderedPrompt = PROMPT,
    schema: type[BaseModel] = Title,
    *,
    model: str = "m",
    stage: str = "write",
    variant: int = 0,
) -> Call[BaseModel]:
    return text_call(prompt, schema, model=model, stage=stage, variant=variant)


def picture(
    prompt: RenderedPrompt, *, ratio: str = "16:9", size: str = "1K", reference: bytes | None = None
) -> Call[Any]:
    references = [] if reference is None else [ReferenceImage(reference, "image/png")]
    return image_call(prompt, model="m", stage="image", variant=0, aspect_ratio=ratio, size=size, references=references)


def generation(made: Call[Any]) -> Any:
    return made.send.__self__  # type: ignore[attr-defined]


def test_the_same_call_has_the_same_key() -> None:
    assert call().row == call().row
    assert call().row.key.startswith("write/write@1/0/")


@pytest.mark.parametrize(
    "other",
    [
        call(variant=1),
        call(stage="review"),
        call(model="other"),
        call(schema=Slogan),
        call(dataclasses.replace(PROMPT, text="Write about steel")),
        call(dataclasses.replace(PROMPT, system="Be long")),
        call(dataclasses.replace(PROMPT, system=None)),
        call(dataclasses.replace(PROMPT, version="2")),
        call(dataclasses.replace(PROMPT, name="other")),
    ],
    ids=["variant", "stage", "model", "schema", "text", "system", "no system", "version", "name"],
)
def test_another_call_has_another_key(other: Call[BaseModel]) -> None:
    assert other.row.key != call().row.key


def test_the_key_of_a_picture_covers_its_shape_and_references() -> None:
    prompt = dataclasses.replace(PROMPT, role="image")
    calls = [
        picture(prompt),
        picture(prompt, ratio="1:1"),
        picture(prompt, size="4K"),
        picture(prompt, reference=b"a"),
        picture(prompt, reference=b"b"),
    ]
    assert len({each.row.key for each in calls}) == len(calls)


def test_the_key_of_an_embedding_covers_texts_and_task() -> None:
    def keys(texts: list[str], task: Any) -> list[str]:
        return [each.row.key for each in embedding_calls(texts, task=task, model="m", stage="s", vertex=False)]

    assert keys(["a", "b"], "document") == keys(["a", "b"], "document")
    assert len({*keys(["a", "b"], "document"), *keys(["ab"], "document"), *keys(["a", "b"], "query")}) == 3


@pytest.mark.parametrize(
    ("texts", "vertex", "sizes"),
    [(0, False, []), (100, False, [100]), (250, False, [100, 100, 50]), (3, True, [1] * 3)],
)
def test_embeddings_go_in_batches(texts: int, vertex: bool, sizes: list[int]) -> None:
    calls = embedding_calls(["four"] * texts, task="document", model="m", stage="s", vertex=vertex)
    assert [each.bounds.input_tokens // 5 for each in calls] == sizes


@pytest.mark.parametrize("make", [text_call, search_call])
def test_a_prompt_is_used_for_its_own_role_only(make: Any) -> None:
    prompt = dataclasses.replace(PROMPT, role="image")
    arguments = (prompt, Title) if make is text_call else (prompt,)
    with pytest.raises(ValueError, match="for the role image"):
        make(*arguments, model="m", stage="s", variant=0)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_no_prompt_has_more_tokens_than_its_bound(text: str) -> None:
    bound = call(dataclasses.replace(PROMPT, text=text)).bounds.input_tokens
    assert bound >= len(text) + len("Be brief") + len(json.dumps(Title.model_json_schema()))


def test_a_references_tokens_are_in_the_bound() -> None:
    prompt = dataclasses.replace(PROMPT, role="image")
    with_reference = picture(prompt, reference=b"a").bounds
    assert with_reference.input_tokens >= picture(prompt).bounds.input_tokens + 1120
    assert (with_reference.images, with_reference.image_size) == (1, "1K")


def test_only_a_search_has_searches_in_its_bound() -> None:
    prompt = dataclasses.replace(PROMPT, role="search")
    assert search_call(prompt, model="m", stage="s", variant=0).bounds.max_searches > 0
    assert call().bounds.max_searches == 0


def test_an_answer_by_the_schema_is_restored() -> None:
    assert call().restore(StoredAnswer({"text": '{"title": "A", "words": 3}'})) == Title(title="A", words=3)


def invalid(text: str) -> UnusableAnswer:
    with pytest.raises(UnusableAnswer) as caught:
        call().restore(StoredAnswer({"text": text}))
    return caught.value


def test_an_invalid_answer_is_repaired_with_its_problems_named() -> None:
    fault = invalid('{"title": "A </input>", "words": "many"}')
    again = call().second_chance(fault)
    assert again is not None
    assert again.row == call().row
    repair = generation(again).parts[-1]["text"]
    assert "words: Input should be a valid integer" in repair
    assert '"title": "A &lt;/input>"' in repair
    assert again.bounds.input_tokens > call().bounds.input_tokens


def test_an_answer_that_is_no_json_is_not_shown_again() -> None:
    again = call().second_chance(invalid('{"title": "half of'))
    assert again is not None
    assert "half of" not in generation(again).parts[-1]["text"]


def test_a_truncated_answer_gets_twice_the_room_and_nothing_of_the_fragment() -> None:
    again = call().second_chance(UnusableAnswer("truncated", "was cut off"))
    assert again is not None
    assert generation(again).parts == generation(call()).parts
    assert (call().bounds.max_output_tokens, again.bounds.max_output_tokens) == (100, 200)


def test_there_is_no_second_chance_without_more_room() -> None:
    longest = call(dataclasses.replace(PROMPT, max_output_tokens=65_536))
    assert longest.second_chance(UnusableAnswer("truncated", "was cut off")) is None


def test_an_empty_answer_is_asked_for_again_as_it_was() -> None:
    again = call().second_chance(UnusableAnswer("empty", "was empty"))
    assert again is not None
    assert again.bounds == call().bounds


def test_a_vector_gets_unit_length() -> None:
    vector = unit_length([3.0, 4.0] + [0.0] * 766)
    assert vector[:2] == [0.6, 0.8]


@pytest.mark.parametrize("values", [[1.0] * 767, [0.0] * 768, [float("nan")] * 768, []])
def test_a_vector_that_is_none_is_refused(values: list[float]) -> None:
    with pytest.raises(UnusableAnswer, match="vector"):
        unit_length(values)
