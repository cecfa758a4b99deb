import math
from collections.abc import Iterator
from typing import Annotated, Literal

import httpx
import pytest
from google.genai import Client, errors, types
from pydantic import BaseModel, Field

from tests.infra.local.emulator_server import EMBEDDING, IMAGE, TEXT, RunningEmulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(params=["gemini", "vertex"])
def client(emulator: RunningEmulator, request: pytest.FixtureRequest) -> Client:
    return emulator.client(vertex=request.param == "vertex")


class Part(BaseModel):
    name: str = Field(min_length=3, max_length=40)
    kind: Literal["screw", "plate", "rod"]
    length_mm: float = Field(ge=1, le=120)
    notes: str | None = None


class Order(BaseModel):
    title: str = Field(description="50 to 70 characters")
    parts: Annotated[list[Part], Field(min_length=2, max_length=4)]
    urgent: bool
    quantity: int = Field(ge=10, le=5000)


def test_text_names_the_emulator_as_its_version(client: Client):
    answer = client.models.generate_content(model=TEXT, contents="Fale sobre a rastreabilidade de implantes.")
    assert answer.model_version == "emulator"
    assert answer.response_id
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert "rastreabilidade" in (answer.text or "")


@pytest.mark.parametrize("dialect", ["gemini", "json_schema"])
def test_json_fits_the_schema_in_both_dialects(client: Client, dialect: str):
    config = types.GenerateContentConfig(response_mime_type="application/json")
    if dialect == "gemini":
        config.response_schema = Order
    else:
        config.response_json_schema = Order.model_json_schema()
    answer = client.models.generate_content(model=TEXT, contents="Um pedido de parafusos de titânio.", config=config)
    order = Order.model_validate_json(answer.text or "")
    assert 50 <= len(order.title) <= 70
    assert 2 <= len(order.parts) <= 4


def test_schema_without_json_media_type_is_refused(client: Client):
    config = types.GenerateContentConfig(response_schema=Order)
    with pytest.raises(errors.ClientError, match="response_mime_type"):
        client.models.generate_content(model=TEXT, contents="x", config=config)


async def test_async_client_gets_the_same_answer(emulator: RunningEmulator):
    async with emulator.async_client() as client:
        first = await client.models.generate_content(model=TEXT, contents="Sala limpa")
        second = await client.models.generate_content(model=TEXT, contents="Sala limpa")
    assert first.text
    assert first.text == second.text
    assert first.response_id != second.response_id


def test_stream_comes_in_pieces_that_make_the_whole(client: Client):
    prompt = "Fale sobre a qualificação de fornecedores."
    chunks = list(client.models.generate_content_stream(model=TEXT, contents=prompt))
    whole = client.models.generate_content(model=TEXT, contents=prompt)
    assert len(chunks) > 1
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert all(chunk.model_version == "emulator" for chunk in chunks)


async def test_async_stream_comes_in_pieces(emulator: RunningEmulator):
    async with emulator.async_client() as client:
        stream = await client.models.generate_content_stream(model=TEXT, contents="Fale sobre metrologia.")
        texts = [chunk.text or "" async for chunk in stream]
    assert len(texts) > 1


_SEND = types.FunctionDeclaration(
    name="send_quote",
    description="Sends a quote to a customer",
    parameters_json_schema={
        "type": "object",
        "properties": {"topic": {"type": "string"}, "language": {"type": "string", "enum": ["pt-BR", "en"]}},
        "required": ["topic", "language"],
    },
)
_WEATHER = types.FunctionDeclaration(name="weather", description="Reads the temperature outdoors")


def _calling(mode: str, **extra: object) -> types.GenerateContentConfig:
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode), **extra)  # type: ignore[arg-type]
    return types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[_WEATHER, _SEND])],
        tool_config=types.ToolConfig(function_calling_config=calling),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def test_function_is_called_when_the_mode_demands_it(client: Client):
    config = _calling("ANY", allowed_function_names=["send_quote"])
    answer = client.models.generate_content(model=TEXT, contents="Um orçamento sobre placas TPLO", config=config)
    assert answer.function_calls
    call = answer.function_calls[0]
    assert call.name == "send_quote"
    assert call.args == {"topic": "placas TPLO", "language": "pt-BR"}


def test_function_is_called_when_the_prompt_names_it(client: Client):
    answer = client.models.generate_content(model=TEXT, contents="Please use weather now", config=_calling("AUTO"))
    assert answer.function_calls
    assert answer.function_calls[0].name == "weather"


def test_function_is_not_called_for_other_prompts(client: Client):
    answer = client.models.generate_content(model=TEXT, contents="Bom dia!", config=_calling("AUTO"))
    assert not answer.function_calls
    assert answer.text


def test_result_of_a_function_is_answered_with_text(client: Client):
    contents = [
        types.Content(role="user", parts=[types.Part(text="use weather")]),
        types.Content(role="model", parts=[types.Part.from_function_call(name="weather", args={})]),
        types.Content(role="user", parts=[types.Part.from_function_response(name="weather", response={"celsius": 21})]),
    ]
    answer = client.models.generate_content(model=TEXT, contents=contents, config=_calling("AUTO"))
    assert "21" in (answer.text or "")


def test_thoughts_are_shown_only_on_request_and_always_counted(client: Client):
    plain = client.models.generate_content(model=TEXT, contents="Oi")
    shown = client.models.generate_content(
        model=TEXT,
        contents="Oi",
        config=types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True)),
    )
    assert plain.parts
    assert not any(part.thought for part in plain.parts)
    assert shown.parts
    assert shown.parts[0].thought
    assert shown.text == plain.text
    assert plain.usage_metadata
    assert (plain.usage_metadata.thoughts_token_count or 0) > 0


def test_tokens_add_up_and_thinking_can_be_switched_off(client: Client):
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_budget=0))
    usage = client.models.generate_content(model=TEXT, contents="Oi" * 40, config=config).usage_metadata
    assert usage
    assert not usage.thoughts_token_count
    assert usage.prompt_token_count == 20
    assert usage.total_token_count == 20 + (usage.candidates_token_count or 0)


def test_answer_ends_at_the_output_limit(client: Client):
    config = types.GenerateContentConfig(max_output_tokens=10, thinking_config=types.ThinkingConfig(thinking_budget=0))
    answer = client.models.generate_content(model=TEXT, contents="Fale sobre implantes.", config=config)
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert answer.usage_metadata
    assert answer.usage_metadata.candidates_token_count == 10


def test_count_is_the_count_of_the_answer(client: Client):
    prompt = "Quantos tokens tem esta frase com acentuação?"
    counted = client.models.count_tokens(model=TEXT, contents=prompt)
    answer = client.models.generate_content(model=TEXT, contents=prompt)
    assert answer.usage_metadata
    assert counted.total_tokens == answer.usage_metadata.prompt_token_count


def _embedded(client: Client, text: str, size: int | None = None) -> list[float]:
    config = types.EmbedContentConfig(output_dimensionality=size, task_type="RETRIEVAL_DOCUMENT")
    answer = client.models.embed_content(model=EMBEDDING, contents=[text], config=config)
    assert answer.embeddings
    assert answer.embeddings[0].values
    return answer.embeddings[0].values


def _near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def test_similar_texts_are_near_each_other(client: Client):
    lot = _embedded(client, "A ISO 13485 exige a rastreabilidade de implantes", 768)
    same = _embedded(client, "Rastreabilidade de implante segundo a ISO 13485", 768)
    cat = _embedded(client, "O gato dorme no sofá da sala", 768)
    assert _near(lot, same) > 0.5
    assert _near(lot, cat) < 0.2


def test_short_vectors_are_the_beginning_of_the_full_one_and_not_normalised(client: Client):
    full, short = _embedded(client, "titânio"), _embedded(client, "titânio", 768)
    assert len(full) == 3072
    assert short == full[:768]
    assert math.hypot(*full) == pytest.approx(1, abs=1e-5)
    assert math.hypot(*short) < 0.99


def test_gemini_embeds_batches_and_vertex_one_text_a_request(emulator: RunningEmulator):
    gemini, vertex = emulator.client(), emulator.client(vertex=True)
    answer = gemini.models.embed_content(model=EMBEDDING, contents=["a b", "c d", "e f"])
    assert answer.embeddings
    assert len(answer.embeddings) == 3
    with pytest.raises(errors.ClientError, match="1 instance"):
        vertex.models.embed_content(model=EMBEDDING, contents=["a b", "c d"])
    with pytest.raises(errors.ClientError, match="at most 100"):
        gemini.models.embed_content(model=EMBEDDING, contents=[*(["a b"] * 101)])


def test_unknown_model_is_not_found(client: Client):
    with pytest.raises(errors.ClientError, match="NOT_FOUND") as caught:
        client.models.generate_content(model="gemini-1.0-gone", contents="x")
    assert caught.value.code == 404


def test_models_do_only_what_they_can(client: Client):
    with pytest.raises(errors.ClientError, match="NOT_FOUND"):
        client.models.generate_content(model=EMBEDDING, contents="x")
    with pytest.raises(errors.ClientError, match="modalities"):
        client.models.generate_content(
            model=TEXT, contents="x", config=types.GenerateContentConfig(response_modalities=["IMAGE"])
        )


def test_models_are_listed(client: Client):
    names = {(model.name or "").rsplit("/", 1)[-1] for model in client.models.list()}
    assert {TEXT, IMAGE, EMBEDDING} <= names


@pytest.mark.parametrize(
    ("path", "headers", "status", "reason"),
    [
        (f"/v1beta/models/{TEXT}:generateContent", {}, 403, "PERMISSION_DENIED"),
        (f"/v1beta/models/{TEXT}:generateContent", {"x-goog-api-key": "invalid"}, 400, "INVALID_ARGUMENT"),
        (
            f"/v1beta1/projects/p/locations/l/publishers/google/models/{TEXT}:generateContent",
            {},
            401,
            "UNAUTHENTICATED",
        ),
    ],
)
def test_callers_without_credentials_are_refused(
    emulator: RunningEmulator, path: str, headers: dict[str, str], status: int, reason: str
):
    answer = httpx.post(emulator.url + path, headers=headers, json={"contents": [{"parts": [{"text": "x"}]}]})
    assert answer.status_code == status
    assert answer.json()["error"]["status"] == reason


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"contents": []}', b'{"contents": [{"parts": []}]}'])
def test_broken_requests_are_invalid_arguments(emulator: RunningEmulator, body: bytes):
    path = f"/v1/models/{TEXT}:generateContent"
    answer = httpx.post(emulator.url + path, headers={"x-goog-api-key": "k"}, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_health_is_reported(emulator: RunningEmulator):
    assert httpx.get(f"{emulator.url}/healthz").json() == {"status": "ok", "model_version": "emulator"}
    assert httpx.get(f"{emulator.url}/readyz").status_code == 200
