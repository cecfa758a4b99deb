"""What a step of `echo` does. Steps know no HTTP and no SQL."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from shared.engine.errors import JobError
from shared.model.prompts import load_prompt

if TYPE_CHECKING:
    from shared.model.gateway import JobModels

OpenModels = Callable[[], Awaitable["JobModels"]]

HANG_LEASES = 3


class EchoFailed(JobError):
    """The payload asked for an error that no retry mends."""

    code = "echo_failed"


class EchoFailedForNow(EchoFailed):
    """The payload asked for an error that a retry mends."""

    code = "echo_failed_for_now"
    retryable = True


class Sentence(BaseModel):
    """What the model answers to the prompt `echo`."""

    sentence: str


async def take_step(step: int, steps: int, sleep_ms: int, calls: int, open_models: OpenModels) -> None:
    """Sleeps, then asks a model `calls` times; models are opened only when there is something to ask."""
    if sleep_ms:
        await asyncio.sleep(sleep_ms / 1000)
    if calls:
        models = await open_models()
        prompt = load_prompt(Path(__file__).parent, "echo").render(step=step, steps=steps)
        for call in range(calls):
            await models.text(prompt, Sentence, variant=call)


def fail(how: str, lease_s: float) -> None:
    """Fails as a payload asks for it. `hang` alone returns, `HANG_LEASES` leases later."""
    match how:
        case "retryable":
            raise EchoFailedForNow("This step failed because its payload asked for it. Another attempt may succeed.")
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(HANG_LEASES * lease_s)
        case _:
            raise EchoFailed("This step failed because its payload asked for it.")
