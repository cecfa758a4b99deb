"""Slack's incoming webhook: keeps each message as JSON, `<time in ns>.json`, instead of showing it to anybody."""

import time
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse


def create_slack_router(folder: Path) -> APIRouter:
    """`POST /__slack/incoming`; answers as Slack does."""
    router = APIRouter(include_in_schema=False)

    @router.post("/__slack/incoming")
    async def incoming(request: Request) -> PlainTextResponse:
        try:
            message = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(message, dict) or not message.get("text"):
            return PlainTextResponse("no_text", 400)
        _keep(folder, message)
        return PlainTextResponse("ok")

    return router


def _keep(folder: Path, message: dict[str, Any]) -> None:
    """A new file, there as a whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{time.time_ns()}.json"
    draft = folder / f".{name}"
    draft.touch(mode=0o600)
    draft.write_bytes(orjson.dumps(message))
    draft.rename(folder / name)
