"""A request that brought no answer: what happened, whether it can pass, and how long the server asks to wait."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import Any

_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
_MESSAGE_CHARACTERS = 300


class ProviderFailure(Exception):
    """A request without an answer. `code` is for the ledger, `delay_s` what the server asked us to wait.

    `cost_unknown` is true when the request may have been worked off and billed without our seeing the answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        transient: bool,
        cost_unknown: bool = False,
        delay_s: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message[:_MESSAGE_CHARACTERS]
        self.transient = transient
        self.cost_unknown = cost_unknown
        self.delay_s = delay_s

    def for_ledger(self) -> dict[str, Any]:
        """The `error` of the call's row. `provider_failure` counts for the model's circuit breaker."""
        return {
            "code": self.code,
            "message": self.message,
            "cost_unknown": self.cost_unknown,
            "provider_failure": self.transient,
            "retry_after_s": self.delay_s,
        }


def provider_failure(error: Exception) -> ProviderFailure | None:
    """An exception of a request as a ProviderFailure; None when it is a defect of ours."""
    import httpx  # noqa: PLC0415  with google.genai: only a service that uses models pays for the import
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from google.genai import errors  # noqa: PLC0415

    failure: ProviderFailure | None = None
    match error:
        case errors.APIError():
            failure = _refusal(error)
        case TimeoutError() | httpx.ReadTimeout() | httpx.WriteTimeout():
            failure = ProviderFailure("timeout", "no answer in time", transient=True, cost_unknown=True)
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            failure = ProviderFailure("connection", "the provider cannot be reached", transient=True)
        case httpx.TransportError():
            failure = ProviderFailure("connection", "the connection was lost", transient=True, cost_unknown=True)
        case JSONDecodeError() | errors.UnknownApiResponseError():
            failure = ProviderFailure("not_json", "the answer is not JSON", transient=True, cost_unknown=True)
        case GoogleAuthError():
            failure = ProviderFailure("credentials", str(error), transient=bool(getattr(error, "retryable", False)))
        case _:
            pass
    return failure


def server_delay_s(details: Any, headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """How long the server asks to wait: `google.rpc.RetryInfo` in the error's JSON, else the header Retry-After."""
    entries: list[Any] = []
    match details:
        case {"error": {"details": [*found]}} | {"details": [*found]}:
            entries = found
        case _:
            pass
    for entry in entries:
        match entry:
            case {"@type": str(kind), "retryDelay": str(delay)} if kind.endswith("google.rpc.RetryInfo"):
                if duration := _DURATION.fullmatch(delay):
                    return float(duration[1])
            case _:
                pass
    return _retry_after_s(headers.get("Retry-After"), now or datetime.now(UTC))


def _refusal(error: Any) -> ProviderFailure:
    code = f"{error.code} {error.status or ''}".strip()
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return ProviderFailure(
        code,
        str(error.message or code),
        transient=error.code in _TRANSIENT_STATUS,
        delay_s=server_delay_s(error.details, headers),
    )


def _retry_after_s(header: str | None, now: datetime) -> float | None:
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max((parsedate_to_datetime(header) - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
