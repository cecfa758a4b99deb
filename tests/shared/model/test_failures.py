from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from google.auth.exceptions import RefreshError
from google.genai import errors

from shared.model.failures import ProviderFailure, provider_failure, server_delay_s

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def api_error(code: int, **headers: str) -> errors.APIError:
    return errors.APIError(
        code, {"error": {"code": code, "status": "SOME", "message": "m"}}, httpx.Response(code, headers=headers)
    )


def failure_of(error: Exception) -> ProviderFailure:
    failure = provider_failure(error)
    assert failure is not None
    return failure


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_status_that_passes_is_transient_and_not_billed(code: int) -> None:
    failure = failure_of(api_error(code))
    assert failure.transient
    assert not failure.cost_unknown
    assert failure.code == f"{code} SOME"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413])
def test_a_refusal_is_final(code: int) -> None:
    assert not failure_of(api_error(code)).transient


@pytest.mark.parametrize(
    "error", [TimeoutError(), httpx.ReadTimeout(""), httpx.RemoteProtocolError(""), httpx.ReadError("")]
)
def test_an_answer_that_may_have_been_on_its_way_may_have_been_billed(error: Exception) -> None:
    failure = failure_of(error)
    assert failure.transient
    assert failure.cost_unknown


@pytest.mark.parametrize("error", [httpx.ConnectError(""), httpx.ConnectTimeout("")])
def test_a_provider_that_was_not_reached_billed_nothing(error: Exception) -> None:
    failure = failure_of(error)
    assert failure.transient
    assert not failure.cost_unknown


def test_credentials_that_do_not_work_are_final() -> None:
    assert not failure_of(RefreshError("no account")).transient


def test_a_defect_of_ours_is_not_the_providers() -> None:
    assert provider_failure(KeyError("x")) is None


@pytest.mark.parametrize(
    ("details", "headers", "delay_s"),
    [
        ({"error": {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}}, {}, 7.0),
        ({"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.25s"}]}, {}, 0.25),
        ({"error": {"details": [{"@type": "google.rpc.Help"}]}}, {"retry-after": "3"}, 3.0),
        ({}, {"Retry-After": "Sun, 22 Nov 2026 12:00:05 GMT"}, 5.0),
        ({}, {"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({}, {"Retry-After": "soon"}, None),
        ({"error": "text"}, {}, None),
        ({"error": {"details": ["text", {"@type": 3}]}}, {}, None),
        (None, {}, None),
        ([], {}, None),
    ],
)
def test_the_delay_that_a_server_asks_for_is_read(details: Any, headers: dict[str, str], delay_s: float | None) -> None:
    assert server_delay_s(details, httpx.Headers(headers), now=NOW) == delay_s
