"""What a webhook may say to the dispatcher: "look at these jobs now". Of its body, ids are all that is read."""

from collections.abc import AsyncIterable, Callable, Coroutine, Sequence
from hmac import compare_digest
from typing import Annotated, Any, cast
from uuid import UUID

import orjson
from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from shared.engine.service_app import Refusal

MAX_BODY_BYTES = 1024 * 1024
_SHAPE = 'Send {"table": "jobs", "record": {"id": …}} or {"table": "jobs", "records": [{"id": …}, …]}.'


_ROW = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}}
HINT: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["table"],
                "properties": {"table": {"const": "jobs"}, "schema": {"const": "public"}},
                "anyOf": [
                    {"required": ["record"], "properties": {"record": _ROW, "records": {"type": "null"}}},
                    {"required": ["records"], "properties": {"records": {"type": "array", "items": _ROW}}},
                ],
            }
        }
    },
}
"""The body of a webhook, for the description of the service."""
_IN_HEADER = APIKeyHeader(name="x-webhook-secret", scheme_name="webhook_secret", auto_error=False)
_AS_BEARER = HTTPBearer(scheme_name="webhook_secret_as_bearer", auto_error=False)


def for_those_who_know(secrets: Sequence[bytes]) -> Callable[..., Coroutine[Any, Any, None]]:
    """A dependency of routes that only callers with one of `secrets` may use. Raises a 401 `Refusal`."""

    async def check(
        request: Request,
        _in_header: Annotated[str | None, Security(_IN_HEADER)],
        _as_bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_AS_BEARER)],
    ) -> None:
        check_secret(request.headers, secrets)

    return check


def check_secret(headers: Headers, secrets: Sequence[bytes]) -> None:
    """Lets a caller pass that knows one of `secrets`, in `x-webhook-secret` or as a bearer token.

    Every secret is compared, each in constant time, so that the answer's delay tells nothing. Raises a 401 `Refusal`.
    """
    given = headers.get("x-webhook-secret") or _bearer_token(headers.get("authorization", ""))
    matches = [compare_digest(given.encode("latin-1"), secret) for secret in secrets]
    if not given or not any(matches):
        raise Refusal(
            401,
            "unauthorized",
            "The secret is missing or wrong. Send it in the header x-webhook-secret or as Authorization: Bearer.",
            headers={"www-authenticate": "Bearer"},
        )


async def read_body(headers: Headers, stream: AsyncIterable[bytes]) -> bytes:
    """The body, of at most 1 MiB: reading stops where it passes that. Raises a 413 `Refusal`."""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def job_ids(body: bytes) -> list[UUID]:
    """The ids that a hint or a webhook of the Supabase dashboard names, each once, in order.

    A deletion names no job to look at. Raises a 422 `Refusal` that says what is wrong.
    """
    try:
        hint: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(422, "invalid_json", f"The body is not JSON. {_SHAPE}") from None
    if not isinstance(hint, dict):
        raise Refusal(422, "invalid_shape", f"The body is not a JSON object. {_SHAPE}")
    fields = cast("dict[str, Any]", hint)
    if fields.get("table") != "jobs" or fields.get("schema", "public") != "public":
        raise Refusal(422, "wrong_table", f"Only changes of public.jobs belong here. {_SHAPE}")
    records = fields.get("records")
    if records is None:
        record = fields.get("record")
        records = [] if record is None and fields.get("type") == "DELETE" else [record]
    if not isinstance(records, list):
        raise Refusal(422, "invalid_shape", f"`records` is not a list. {_SHAPE}")
    return list(dict.fromkeys(_job_id(record, at) for at, record in enumerate(cast("list[Any]", records))))


def _job_id(record: Any, at: int) -> UUID:
    value = cast("dict[str, Any]", record).get("id") if isinstance(record, dict) else None
    try:
        if isinstance(value, str):
            return UUID(value)
    except ValueError:
        pass
    raise Refusal(422, "invalid_id", f"Record {at} has no UUID as its id. {_SHAPE}")


def _bearer_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _too_large() -> Refusal:
    return Refusal(
        413, "too_large", "The body is larger than 1 MiB. Send fewer records; the sweep finds the jobs left out."
    )
