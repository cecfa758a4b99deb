import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.genai import errors, types
from pydantic import BaseModel, ValidationError

from infra.local.emulator.app import EmulatorSettings, create_app
from infra.local.emulator.faults import FAULTS, FaultPlan, Faults
from infra.local.emulator.prices import DEFAULT_TABLE
from tests.infra.local.emulator_server import EMBEDDING, IMAGE, TEXT, RunningEmulator, running_emulator


class Note(BaseModel):
    title: str
    lines: list[str]


_AS_NOTE = {"response_mime_type": "application/json", "response_schema": Note}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture
def emulator(running: RunningEmulator) -> RunningEmulator:
    running.reset()
    return running


def _note(emulator: RunningEmulator) -> types.GenerateContentResponse:
    return emulator.ask("Uma nota sobre metrologia", **_AS_NOTE)


def _reason(answer: types.GenerateContentResponse) -> types.FinishReason | None:
    assert answer.candidates
    return answer.candidates[0].finish_reason


@pytest.mark.parametrize(
    ("fault", "status"), [("429", "RESOURCE_EXHAUSTED"), ("500", "INTERNAL"), ("503", "UNAVAILABLE")]
)
@pytest.mark.parametrize("vertex", [False, True])
def test_errors_have_googles_shape(emulator: RunningEmulator, fault: str, status: str, vertex: bool):
    emulator.faults(script=[fault])
    client = emulator.client(vertex=vertex)
    with pytest.raises(errors.APIError) as caught:
        client.models.generate_content(model=TEXT, contents="x")
    assert (caught.value.code, caught.value.status) == (int(fault), status)
    assert client.models.generate_content(model=TEXT, contents="x").text


def test_quota_error_says_when_to_come_back(emulator: RunningEmulator):
    emulator.faults(script=["429"], retry_after_s=1.5)
    with pytest.raises(errors.ClientError) as caught:
        emulator.ask("x")
    details = caught.value.details["error"]["details"]  # type: ignore[index]
    retry = [detail for detail in details if detail["@type"].endswith("google.rpc.RetryInfo")]
    assert retry[0]["retryDelay"] == "1.5s"


def test_truncated_json_ends_at_max_tokens_and_cannot_be_parsed(emulator: RunningEmulator):
    emulator.faults(script=["truncated"])
    answer = _note(emulator)
    assert _reason(answer) == types.FinishReason.MAX_TOKENS
    assert answer.parsed is None
    with pytest.raises(ValidationError):
        Note.model_validate_json(answer.text or "")


def test_malformed_json_looks_finished(emulator: RunningEmulator):
    emulator.faults(script=["malformed_json"])
    answer = _note(emulator)
    assert _reason(answer) == types.FinishReason.STOP
    with pytest.raises(ValidationError):
        Note.model_validate_json(answer.text or "")


def test_blocked_prompt_has_no_candidates(emulator: RunningEmulator):
    emulator.faults(script=["safety"])
    answer = _note(emulator)
    assert answer.prompt_feedback
    assert answer.prompt_feedback.block_reason == types.BlockedReason.SAFETY
    assert not answer.candidates


def test_blocked_answer_has_a_reason_and_no_parts(emulator: RunningEmulator):
    emulator.faults(script=["safety_answer"])
    answer = _note(emulator)
    assert _reason(answer) == types.FinishReason.SAFETY
    assert answer.text is None


def test_empty_answer_has_no_parts(emulator: RunningEmulator):
    emulator.faults(script=["empty"])
    answer = _note(emulator)
    assert _reason(answer) == types.FinishReason.STOP
    assert not answer.parts


def test_no_image_is_an_answer_in_words(emulator: RunningEmulator):
    emulator.faults(script=["no_image"])
    answer = emulator.ask("um parafuso", model=IMAGE, response_modalities=["TEXT", "IMAGE"])
    assert answer.text
    assert not any(part.inline_data for part in answer.parts or [])


def test_timeout_holds_the_request_until_the_client_gives_up(emulator: RunningEmulator):
    emulator.faults(script=["timeout"])
    impatient = emulator.client(timeout_ms=300)
    begun = time.monotonic()
    with pytest.raises(Exception, match=r"(?i)timed out|timeout"):
        impatient.models.generate_content(model=TEXT, contents="x")
    assert 0.25 < time.monotonic() - begun < 5
    deadline = time.monotonic() + 5
    while not emulator.meter()["totals"]["failed"].get("timeout"):
        assert time.monotonic() < deadline, "the request that was given up is not counted"
    assert emulator.meter()["totals"]["cost_usd"] == 0


def test_slow_is_right_but_late(emulator: RunningEmulator):
    emulator.faults(script=["slow"], slow_ms=250)
    begun = time.monotonic()
    assert _note(emulator).parsed
    assert time.monotonic() - begun >= 0.25


def test_latency_is_added_to_every_request(emulator: RunningEmulator):
    emulator.faults(latency_ms=120)
    begun = time.monotonic()
    emulator.ask("x")
    emulator.ask("x")
    assert time.monotonic() - begun >= 0.24


def test_stream_fails_before_its_first_piece(emulator: RunningEmulator):
    emulator.faults(script=["503", {"fault": "truncated", "match": {"kind": "stream"}}])
    models = emulator.client().models
    with pytest.raises(errors.ServerError):
        list(models.generate_content_stream(model=TEXT, contents="x"))
    chunks = list(models.generate_content_stream(model=TEXT, contents="x"))
    assert _reason(chunks[-1]) == types.FinishReason.MAX_TOKENS


def test_script_waits_for_the_requests_that_it_names(emulator: RunningEmulator):
    step = {"fault": "500", "match": {"kind": "embedding", "model": EMBEDDING}, "times": 2}
    emulator.faults(script=[step, "ok", "429"])
    assert emulator.ask("x").text
    with pytest.raises(errors.ClientError):
        emulator.ask("x")
    for _ in range(2):
        with pytest.raises(errors.ServerError):
            emulator.client().models.embed_content(model=EMBEDDING, contents=["a"])
    assert emulator.client().models.embed_content(model=EMBEDDING, contents=["a"]).embeddings


def test_rates_are_met_and_repeat_with_their_seed():
    def drawn(seed: int) -> list[str | None]:
        faults = Faults()
        faults.set(FaultPlan(rates={"429": 0.2, "slow": 0.1}, seed=seed))
        return [faults.draw("text", TEXT) for _ in range(2000)]

    first = drawn(7)
    assert first == drawn(7) != drawn(8)
    assert first.count("429") == pytest.approx(400, abs=60)
    assert first.count("slow") == pytest.approx(200, abs=45)


@pytest.mark.parametrize(
    "plan",
    [
        {"rates": {"418": 0.5}},
        {"script": ["ok", "explode"]},
        {"script": [{"fault": "429", "match": {"kind": "video"}}]},
        {"rates": {"429": 1.5}},
        {"rates": {"429": 0.6, "500": 0.6}},
        {"speed": 3},
    ],
)
def test_plans_with_unknown_names_are_refused(emulator: RunningEmulator, plan: dict[str, Any]):
    assert emulator.faults(**plan).status_code == 422
    assert emulator.ask("x").text


def test_refusal_names_the_known_faults(emulator: RunningEmulator):
    said = emulator.faults(rates={"418": 0.5}).text
    assert all(fault in said for fault in FAULTS)


def test_plan_can_be_read_and_cleared(emulator: RunningEmulator):
    path = f"{emulator.url}/__emulator/faults"
    emulator.faults(rates={"429": 1.0}, script=["ok"])
    assert httpx.get(path).json()["rates"] == {"429": 1.0}
    assert httpx.delete(path).json()["rates"] == {}
    assert emulator.ask("x").text


async def test_a_client_that_dies_while_it_speaks_is_no_defect_of_the_emulator(tmp_path: Path):
    app = create_app(EmulatorSettings(tmp_path, web_port=None, web_fd=None, prices=DEFAULT_TABLE))
    path = f"/v1beta/models/{TEXT}:generateContent"
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b"", "http_version": "1.1"}
    said = iter([{"type": "http.request", "body": b'{"cont', "more_body": True}, {"type": "http.disconnect"}])
    answers: list[Any] = []

    async def receive() -> Any:
        return next(said)

    async def send(message: Any) -> None:
        answers.append(message)

    await app(scope, receive, send)
    assert answers[0]["status"] == 499
