import base64
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.errors import ModelRefused
from shared.model import answers
from shared.model.answers import UnusableAnswer
from shared.model.prices import Usage


def response(
    *parts: dict[str, Any],
    finish: str | None = "STOP",
    grounding: dict[str, Any] | None = None,
    usage: dict[str, Any] | None = None,
) -> types.GenerateContentResponse:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    if grounding is not None:
        candidate["groundingMetadata"] = grounding
    body: dict[str, Any] = {"candidates": [candidate]}
    if usage is not None:
        body["usageMetadata"] = usage
    return types.GenerateContentResponse.model_validate(body)


def picture(data: bytes, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}, **more}


def whole(answer: types.GenerateContentResponse) -> types.Candidate:
    return answers.whole_candidate(answer, "some-model", "write")


def test_a_finished_answer_is_read_without_its_thoughts() -> None:
    answer = response({"text": "let me think", "thought": True}, {"text": "Bom "}, {"text": "dia"})
    assert answers.text_of(whole(answer)) == "Bom dia"


@pytest.mark.parametrize(
    ("finish", "fault"),
    [
        ("MAX_TOKENS", "truncated"),
        ("RECITATION", "stopped"),
        ("MALFORMED_FUNCTION_CALL", "stopped"),
        ("CONTINUATION", "stopped"),
        ("NO_IMAGE", "no_image"),
        ("A_REASON_OF_TOMORROW", "stopped"),
        (None, "stopped"),
    ],
)
@pytest.mark.filterwarnings("ignore:A_REASON_OF_TOMORROW")
def test_an_answer_that_did_not_end_by_itself_is_of_no_use(finish: str | None, fault: str) -> None:
    with pytest.raises(UnusableAnswer) as caught:
        whole(response({"text": '{"whole": "looking"}'}, finish=finish))
    assert caught.value.fault == fault


@pytest.mark.parametrize("finish", ["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY"])
def test_a_filtered_answer_is_refused(finish: str) -> None:
    with pytest.raises(ModelRefused, match=rf"safety filter.*{finish}") as caught:
        whole(response({"text": "x"}, finish=finish))
    assert caught.value.stage == "write"
    assert not caught.value.retryable


def test_a_blocked_prompt_is_refused() -> None:
    blocked = types.GenerateContentResponse.model_validate({"promptFeedback": {"blockReason": "SAFETY"}})
    with pytest.raises(ModelRefused, match="blocked this request"):
        whole(blocked)


def test_no_candidate_is_an_empty_answer() -> None:
    with pytest.raises(UnusableAnswer, match="empty"):
        whole(types.GenerateContentResponse())


@pytest.mark.parametrize("parts", [[], [{"text": " \n"}], [{"text": "hm", "thought": True}]])
def test_an_answer_without_text_is_empty(parts: list[dict[str, Any]]) -> None:
    with pytest.raises(UnusableAnswer, match="empty"):
        answers.text_of(whole(response(*parts)))


def test_the_last_picture_that_is_no_thought_is_taken() -> None:
    answer = response(picture(b"draft", thought=True), picture(b"first"), {"text": "here"}, picture(b"last"))
    assert answers.picture_of(whole(answer)) == answers.GeneratedImage(b"last", "image/png")


def test_an_answer_with_only_a_draft_holds_no_picture() -> None:
    with pytest.raises(UnusableAnswer, match="no picture"):
        answers.picture_of(whole(response(picture(b"draft", thought=True))))


def test_usage_counts_thoughts_searches_and_text() -> None:
    answer = response(
        {"text": "x"},
        grounding={"webSearchQueries": ["iso 13485", "", "iso 13485", "rdc 665"]},
        usage={
            "promptTokenCount": 10,
            "toolUsePromptTokenCount": 3,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7,
        },
    )
    assert answers.usage_of(answer) == Usage(13, 5, 7, search_queries=2)


def test_tokens_of_a_picture_are_not_tokens_of_text() -> None:
    answer = response(
        {"text": "here"},
        picture(b"p"),
        usage={
            "promptTokenCount": 10,
            "candidatesTokenCount": 1123,
            "candidatesTokensDetails": [
                {"modality": "IMAGE", "tokenCount": 1120},
                {"modality": "TEXT", "tokenCount": 3},
            ],
        },
    )
    assert answers.usage_of(answer, image_size="2K") == Usage(10, 3, images=1, image_size="2K")


def test_a_picture_that_was_withheld_is_billed() -> None:
    answer = response(
        finish="IMAGE_SAFETY",
        usage={
            "promptTokenCount": 10,
            "candidatesTokenCount": 1120,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
        },
    )
    assert answers.usage_of(answer) == Usage(10, images=1)


def test_no_usage_is_not_no_cost() -> None:
    assert answers.usage_of(response({"text": "x"})) is None


TEXT = "Titânio é leve. A validação é obrigatória."
SECOND = "A validação é obrigatória."


def grounding(**changes: Any) -> dict[str, Any]:
    start = len(TEXT[: TEXT.index(SECOND)].encode())
    return {
        "webSearchQueries": ["validação de processos"],
        "groundingChunks": [
            {"retrievedContext": {"uri": "internal"}},
            {"web": {"uri": "https://redirect.test/1", "title": "anvisa.gov.br"}},
            {"web": {"uri": "https://redirect.test/2", "domain": "iso.org"}},
        ],
        "groundingSupports": [
            {
                "segment": {"endIndex": len("Titânio é leve.".encode()), "text": "Titânio é leve."},
                "groundingChunkIndices": [1],
            },
            {
                "segment": {"startIndex": start, "endIndex": len(TEXT.encode()), "text": SECOND},
                "groundingChunkIndices": [0, 2],
            },
        ],
    } | changes


def test_grounding_offsets_in_bytes_become_characters() -> None:
    answer = answers.grounded_answer_of(whole(response({"text": TEXT}, grounding=grounding())))
    assert [source.title for source in answer.sources] == ["anvisa.gov.br", "iso.org"]
    assert [(support.text, support.source_indexes) for support in answer.supports] == [
        ("Titânio é leve.", [0]),
        (SECOND, [1]),
    ]
    for support in answer.supports:
        assert answer.text[support.start : support.end] == support.text
    assert answer.queries == ["validação de processos"]


def test_grounding_offsets_count_from_their_own_part() -> None:
    support = {
        "segment": {"partIndex": 2, "startIndex": 0, "endIndex": len(SECOND.encode())},
        "groundingChunkIndices": [1],
    }
    parts = [{"text": "hm", "thought": True}, {"text": TEXT.removesuffix(SECOND)}, {"text": SECOND}]
    answer = answers.grounded_answer_of(whole(response(*parts, grounding=grounding(groundingSupports=[support]))))
    assert [support.text for support in answer.supports] == [SECOND]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"groundingChunks": None, "groundingSupports": None, "webSearchQueries": None},
        {"groundingChunks": [{}], "groundingSupports": [{}]},
        {"groundingChunks": [{"web": {}}], "groundingSupports": [{"groundingChunkIndices": [0]}]},
        {"groundingSupports": [{"segment": {"endIndex": 3}, "groundingChunkIndices": [7]}]},
    ],
)
def test_grounding_may_be_missing_anywhere(metadata: dict[str, Any] | None) -> None:
    answer = answers.grounded_answer_of(whole(response({"text": TEXT}, grounding=metadata)))
    assert (answer.text, answer.sources, answer.supports) == (TEXT, [], [])


def test_offsets_that_do_not_fit_leave_the_quoted_text() -> None:
    support = {"segment": {"startIndex": 4, "endIndex": 9000, "text": "leve"}, "groundingChunkIndices": [1]}
    answer = answers.grounded_answer_of(
        whole(response({"text": TEXT}, grounding=grounding(groundingSupports=[support])))
    )
    assert [(found.text, found.start) for found in answer.supports] == [("leve", None)]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_byte_offsets_of_any_stretch_find_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = len(text[:start].encode()), len(text[:end].encode())
    assert answers.character_span(text, first, last) == (start, end)


@given(st.text(), st.integers(-3, 40), st.integers(-3, 40))
def test_wrong_byte_offsets_are_never_an_error(text: str, start: int, end: int) -> None:
    text = answers.storable(text)
    span = answers.character_span(text, start, end)
    assert span is None or 0 <= span[0] < span[1] <= len(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\x00b", "ab"),
        (r'{"a": "b\u0000c"}', '{"a": "bc"}'),
        (r'{"path": "C:\\u0000"}', r'{"path": "C:\\u0000"}'),
        ("half \ud800 a pair", "half ? a pair"),
        ("ação", "ação"),
    ],
)
def test_what_postgres_refuses_is_taken_out(text: str, stored: str) -> None:
    assert answers.storable(text) == stored
