"""The handler of the kind `sequence`: plans a series with one model call and enqueues its posts as one batch.

The batch is written in the transaction that completes the job, with ids made from the job's: whenever the worker dies,
there are either no posts or all of them, once. A further attempt is answered from the ledger.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from services.sequence.payload import SequenceRequest
from services.sequence.plan import SequencePlan, plan_sequence
from services.sequence.posts import batch_id_of, job_entries, shared_brief
from shared.content.brand import load_brand
from shared.engine.context import JobContext
from shared.engine.errors import JobError
from shared.engine.outcome import Done
from shared.engine.payload import parse_payload
from shared.model.gateway import ModelGateway

_ENQUEUE: LiteralString = "select public.enqueue_batch(%s, %s, %s, %s, %s)"
_REFUSALS = "PT4"  # what the intake says no to: quotas, kinds that are switched off, times too far ahead


class PostsRefused(JobError):
    """The posts could not be enqueued: a quota of the person is used up, say. None of them was."""

    code = "posts_refused"


class SequenceJobs:
    """The handler, bound to the models while the service runs."""

    def __init__(self) -> None:
        self._gateway: ModelGateway | None = None

    @contextmanager
    def using(self, gateway: ModelGateway) -> Generator[None]:
        """The handler asks `gateway` as long as the context lasts."""
        self._gateway = gateway
        try:
            yield
        finally:
            self._gateway = None

    async def sequence(self, context: JobContext) -> Done:
        """Plans and enqueues. Raises JobError: what the models raise, InvalidPayload, PostsRefused."""
        if self._gateway is None:
            raise RuntimeError("the handler was called outside of SequenceJobs.using()")
        request = parse_payload(SequenceRequest, context.job.payload)
        models = self._gateway.for_job(context.lease, lambda: context.running_stage)
        async with context.stage("plan"):
            await context.report(f"Planning a series of {request.count}…")
            plan = await plan_sequence(models, request, load_brand())
        return _enqueued(context, request, plan)


def _enqueued(context: JobContext, request: SequenceRequest, plan: SequencePlan) -> Done:
    job = context.job
    batch_id, brief = batch_id_of(job.id), shared_brief(request, plan)
    entries = job_entries(job.id, job.created_at, request, plan)

    async def persist(connection: AsyncConnection[Any]) -> None:
        parameters = (plan.title, Jsonb(brief), Jsonb(entries), job.user_id, batch_id)
        try:
            await connection.execute(_ENQUEUE, parameters)
        except psycopg.DatabaseError as error:
            if (error.sqlstate or "").startswith(_REFUSALS):
                reason = error.diag.message_primary or str(error)
                raise PostsRefused(f"The {len(entries)} posts were not started. {reason}", stage="plan") from None
            raise

    jobs = [
        {"id": entry["id"], "kind": post.kind, "topic": post.topic, "scheduled_for": entry["scheduled_for"]}
        for entry, post in zip(entries, plan.posts, strict=True)
    ]
    return Done({"batch_id": str(batch_id), "title": plan.title, "narrative": plan.narrative, "jobs": jobs}, persist)
