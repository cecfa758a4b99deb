"""The Gemini HTTP API: both path families, each request metered, faulty when asked to be."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, HTTPException, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse

from infra.local.emulator import google_errors
from infra.local.emulator.answer import Answer
from infra.local.emulator.embedding_calls import EmbeddingCall, parse_embedding_call
from infra.local.emulator.faults import Faults
from infra.local.emulator.faulty import spoil
from infra.local.emulator.generate import count_prompt, generate, kind_of
from infra.local.emulator.google_errors import GoogleError
from infra.local.emulator.meter import Kind, Meter
from infra.local.emulator.prices import Family, Prices, Usage
from infra.local.emulator.wire import GenerateRequest, body_digest, field

_EMBEDDING_METHODS = {"embedContent", "batchEmbedContents", "predict"}
_GENERATING_METHODS = {"generateContent", "streamGenerateContent", "countTokens"}
_CLIENT_GAVE_UP = 499
_LONGEST_HOLD_S = 300.0

Json = dict[str, Any]


@dataclass
class Emulator:
    """What all requests share."""

    prices: Prices
    meter: Meter
    faults: Faults


@dataclass(frozen=True)
class Call:
    """One request, with everything that its path and headers say."""

    request: Request
    version: str
    model: str
    method: str
    vertex: bool
    raw: bytes

    @property
    def digest(self) -> str:
        """Tells whether two requests were the same."""
        return body_digest(f"{self.model}:{self.method}", self.raw)

    def body(self) -> Json:
        """The JSON body."""
        try:
            parsed = orjson.loads(self.raw or b"{}")
        except orjson.JSONDecodeError as error:
            raise GoogleError(400, f"Invalid JSON payload received. {error}") from error
        if not isinstance(parsed, dict):
            raise GoogleError(400, "Invalid JSON payload received. Expected an object.")
        return parsed


def create_router(emulator: Emulator) -> APIRouter:
    """All paths of the API."""
    router = APIRouter(include_in_schema=False)

    async def gemini(request: Request, version: str, target: str) -> Response:
        return await _answer(emulator, await _call(request, version, target, vertex=False))

    async def vertex(request: Request, version: str, target: str) -> Response:
        return await _answer(emulator, await _call(request, version, target, vertex=True))

    async def list_models() -> Response:
        models = [_model_json(emulator.prices, model) for model in emulator.prices.models]
        return JSONResponse({"models": models})

    async def list_publisher_models() -> Response:
        models = [
            {"name": f"publishers/google/models/{model}", "versionId": "emulator"} for model in emulator.prices.models
        ]
        return JSONResponse({"publisherModels": models})

    async def get_model(version: str, model: str) -> Response:
        if emulator.prices.family(model) is None:
            return _error(google_errors.unknown_model(model, "getModel", version, vertex=False))
        return JSONResponse(_model_json(emulator.prices, model))

    location = "/{version}/projects/{project}/locations/{location}"
    router.add_api_route("/{version}/models", list_models, methods=["GET"])
    router.add_api_route("/{version}/models/{model}", get_model, methods=["GET"])
    router.add_api_route("/{version}/publishers/google/models", list_publisher_models, methods=["GET"])
    router.add_api_route("/{version}/publishers/google/models/{model}", get_model, methods=["GET"])
    router.add_api_route("/{version}/models/{target}", gemini, methods=["POST"])
    router.add_api_route("/{version}/publishers/google/models/{target}", vertex, methods=["POST"])
    router.add_api_route(location + "/publishers/google/models/{target}", vertex, methods=["POST"])
    return router


async def _call(request: Request, version: str, target: str, *, vertex: bool) -> Call:
    model, _, method = target.rpartition(":")
    try:
        raw = await request.body()
    except ClientDisconnect:
        raise HTTPException(_CLIENT_GAVE_UP) from None  # heard by nobody: the client died while it spoke
    return Call(request, version, model, method, vertex, raw)


async def _answer(emulator: Emulator, call: Call) -> Response:
    kind: Kind = _kind_by_method(call.method)
    fault: str | None = None
    try:
        family = _authorised_family(emulator, call)
        body = call.body()
        if call.method in _EMBEDDING_METHODS:
            work, usage = _embedding_work(parse_embedding_call(call.method, body, vertex=call.vertex))
        elif call.method == "countTokens":
            work, usage = _counting_work(call, body)
        else:
            generating = GenerateRequest(call.model, body)
            kind = kind_of(generating, stream=call.method == "streamGenerateContent")
            fault = emulator.faults.draw(kind, call.model)
            await _before(emulator, call, fault)
            return await _generated(emulator, call, generating, family, kind, fault)
        fault = emulator.faults.draw(kind, call.model)
        await _before(emulator, call, fault)
        result = await asyncio.to_thread(work)
    except GoogleError as error:
        emulator.meter.failed(call.model, kind, error.code, call.digest, fault=fault)
        return _error(error)
    emulator.meter.served(call.model, kind, usage, call.digest, fault=fault)
    return JSONResponse(result)


async def _generated(
    emulator: Emulator, call: Call, request: GenerateRequest, family: Family, kind: Kind, fault: str | None
) -> Response:
    answer = await asyncio.to_thread(generate, request, family, fault=fault)
    answer, fault = spoil(answer, fault, request) if fault else (answer, None)
    if fault == "slow" and await call.request.is_disconnected():
        raise GoogleError(_CLIENT_GAVE_UP, "The client closed the connection.")
    emulator.meter.served(call.model, kind, answer.usage, call.digest, fault=fault)
    if kind != "stream":
        return JSONResponse(answer.as_json())
    if call.request.query_params.get("alt") == "sse":
        return StreamingResponse(_events(answer), media_type="text/event-stream")
    return JSONResponse(list(answer.chunks()))


async def _events(answer: Answer) -> AsyncIterator[str]:
    for chunk in answer.chunks():
        yield f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n"
        await asyncio.sleep(0)


async def _before(emulator: Emulator, call: Call, fault: str | None) -> None:
    """Latency and faults that keep an answer from being made."""
    plan = emulator.faults.plan
    if plan.latency_ms:
        await asyncio.sleep(plan.latency_ms / 1000)
    match fault:
        case "429":
            raise google_errors.quota_exceeded(plan.retry_after_s)
        case "500":
            raise google_errors.internal()
        case "503":
            raise google_errors.overloaded()
        case "timeout":
            await _hold(call.request)
        case "slow":
            await asyncio.sleep(plan.slow_ms / 1000)
        case _:
            pass


async def _hold(request: Request) -> None:
    """Answers nothing until the client gives up, at most for a while; then it is too late anyway."""
    try:
        async with asyncio.timeout(_LONGEST_HOLD_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        raise google_errors.deadline_exceeded() from None
    raise GoogleError(_CLIENT_GAVE_UP, "The client closed the connection.")


def _authorised_family(emulator: Emulator, call: Call) -> Family:
    """What the model is. Raises GoogleError for a caller without a key or a model that cannot do this."""
    _check_caller(call)
    family = emulator.prices.family(call.model)
    methods = _EMBEDDING_METHODS if family == "embedding" else _GENERATING_METHODS
    if family is None or call.method not in methods:
        raise google_errors.unknown_model(call.model, call.method, call.version, vertex=call.vertex)
    return family


def _check_caller(call: Call) -> None:
    headers, query = call.request.headers, call.request.query_params
    key = headers.get("x-goog-api-key") or query.get("key")
    if call.vertex and not key:
        token = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not token:
            raise google_errors.missing_token()
        return
    if not key:
        raise google_errors.missing_key()
    if key.startswith("invalid"):
        raise google_errors.invalid_key()


def _embedding_work(call: EmbeddingCall) -> tuple[Callable[[], Any], Usage]:
    return call.answer, Usage(input_tokens=call.tokens)


def _counting_work(call: Call, body: Json) -> tuple[Callable[[], Any], Usage]:
    inner = field(body, "generateContentRequest") or body
    tokens = count_prompt(GenerateRequest(call.model, inner))
    answer: Json = {"totalTokens": tokens}
    if call.vertex:
        answer["totalBillableCharacters"] = len(GenerateRequest(call.model, inner).prompt_text)
    return lambda: answer, Usage()


def _kind_by_method(method: str) -> Kind:
    if method in _EMBEDDING_METHODS:
        return "embedding"
    kinds: dict[str, Kind] = {"countTokens": "count", "streamGenerateContent": "stream"}
    return kinds.get(method, "text")


def _error(error: GoogleError) -> Response:
    return JSONResponse(error.body(), status_code=error.code)


def _model_json(prices: Prices, model: str) -> Json:
    methods = ["embedContent"] if prices.family(model) == "embedding" else ["generateContent", "countTokens"]
    return {
        "name": f"models/{model}",
        "version": "emulator",
        "displayName": f"{model} (emulator)",
        "supportedGenerationMethods": methods,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
    }
