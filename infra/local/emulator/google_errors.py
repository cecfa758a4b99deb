"""Errors in the shape that Google's APIs answer them with."""

from typing import Any

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GoogleError(Exception):
    """An error answer: HTTP code, message and details."""

    def __init__(self, code: int, message: str, *, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or []

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "status": _STATUS.get(self.code, "UNKNOWN"),
        }
        if self.details:
            error["details"] = self.details
        return {"error": error}


def missing_key() -> GoogleError:
    """403 of the Gemini API for a request without any key."""
    return GoogleError(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
        "form of API consumer identity to call this API.",
    )


def invalid_key() -> GoogleError:
    """400 of the Gemini API for a key that it does not know."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    return GoogleError(400, "API key not valid. Please pass a valid API key.", details=[info])


def missing_token() -> GoogleError:
    """401 of Vertex AI for a request without an access token."""
    return GoogleError(
        401,
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "
        "valid authentication credential.",
    )


def unknown_model(model: str, method: str, version: str, *, vertex: bool) -> GoogleError:
    """404 for a model that does not exist or does not know the method."""
    if vertex:
        return GoogleError(
            404,
            f"Publisher Model `publishers/google/models/{model}` was not found or your project does not have access to "
            "it. Please ensure you are using a valid model version.",
        )
    return GoogleError(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for {method}. Call ListModels to "
        "see the list of available models and their supported methods.",
    )


def quota_exceeded(retry_after_s: float) -> GoogleError:
    """429 with the delay that the server asks for."""
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaMetric": "generativelanguage.googleapis.com/generate_content_requests"}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after_s:g}s"},
    ]
    return GoogleError(
        429,
        "You exceeded your current quota, please check your plan and billing details. "
        f"Please retry in {retry_after_s:g}s.",
        details=details,
    )


def internal() -> GoogleError:
    """500."""
    return GoogleError(500, "An internal error has occurred. Please retry.")


def overloaded() -> GoogleError:
    """503."""
    return GoogleError(503, "The model is overloaded. Please try again later.")


def deadline_exceeded() -> GoogleError:
    """504."""
    return GoogleError(504, "Deadline expired before operation could complete.")
