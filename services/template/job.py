"""The tool `echo`: what it takes, and how a job goes from step to step.

To make a tool, copy this directory. `job.py` says what the payload is and turns a job into an outcome, `steps.py` does
the work and knows neither HTTP nor SQL, `app.py` puts the parts together, `prompts/` holds what models are asked.
"""

from typing import Any, Literal

from pydantic import Field

from services.template.steps import OpenModels, fail, take_step
from shared.engine.context import JobContext
from shared.engine.outcome import Done
from shared.engine.payload import Payload, parse_payload


class Failure(Payload):
    """Fails in the step `at_step` (counted from 1), in each of the first `times` attempts.

    retryable, permanent   an error of that sort
    crash                  the worker's process is killed
    hang                   the worker's process stands still, heartbeats included, until the lease is long over; then it
                           goes on, as a frozen machine does that wakes: whatever it writes now must be refused
    """

    at_step: int = Field(ge=1)
    kind: Literal["retryable", "permanent", "crash", "hang"]
    times: int = Field(default=1, ge=1)


class EchoPayload(Payload):
    """`steps` steps, each of which sleeps `sleep_ms` and asks a model `calls_per_step` times."""

    steps: int = Field(default=1, ge=1, le=1000)
    sleep_ms: int = Field(default=0, ge=0, le=600_000)
    calls_per_step: int = Field(default=0, ge=0, le=20)
    fail: Failure | None = None


async def echo(context: JobContext, open_models: OpenModels) -> Done:
    """Takes the steps that are left and tells which attempt took which: `{"steps": [{"step": 1, "attempt": 1}, …]}`."""
    payload = parse_payload(EchoPayload, context.job.payload)
    steps: list[dict[str, Any]] = list(context.saved.get("steps", ()))  # what earlier attempts finished
    async with context.stage("echo"):
        for step in range(len(steps) + 1, payload.steps + 1):
            if payload.fail and payload.fail.at_step == step and context.job.attempt <= payload.fail.times:
                fail(payload.fail.kind, context.lease.lease_s)
            await take_step(step, payload.steps, payload.sleep_ms, payload.calls_per_step, open_models)
            steps.append({"step": step, "attempt": context.job.attempt})
            progress = {"message": f"Step {step} of {payload.steps}", "done": step, "total": payload.steps}
            await context.checkpoint({"steps": steps}, progress)
    return Done({"steps": steps})
