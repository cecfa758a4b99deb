"""The handlers of the kinds `blog` and `deep_research`: from a claimed job to its outcome."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID, uuid5

import structlog
from psycopg import AsyncConnection
from pydantic import ValidationError
from slugify import slugify

from services.blog.company import research_question
from services.blog.metadata import citations_json, draft_metadata
from services.blog.payload import BlogRequest, ResearchRequest
from services.blog.ports import FileStore, Ports
from services.blog.records import BlogRecords, insert_draft
from services.blog.state import BlogState
from shared.content.brand import load_brand
from shared.engine.context import JobContext
from shared.engine.outcome import Done
from shared.engine.payload import parse_payload
from shared.model.gateway import JobModels, ModelGateway
from shared.research.collect import Fetcher
from shared.research.findings import findings_markdown
from shared.research.report import ResearchNotes
from shared.research.research import ResearchPorts, research

_log = structlog.get_logger()
_NOTES = "research_notes"
_MAX_SLUG_CHARS = 80


@dataclass(frozen=True, slots=True)
class Tools:
    """What the handlers share while the service runs."""

    gateway: ModelGateway
    fetcher: Fetcher
    files: FileStore


class BlogJobs:
    """The handlers, bound to the service's records and, while it runs, to its tools."""

    def __init__(self, records: BlogRecords) -> None:
        self._records = records
        self._tools: Tools | None = None

    @contextmanager
    def using(self, tools: Tools) -> Generator[None]:
        """The handlers work with `tools` as long as the context lasts."""
        self._tools = tools
        try:
            yield
        finally:
            self._tools = None

    async def blog(self, context: JobContext) -> Done:
        """Makes a blog draft. Raises JobError, as `shared/engine/errors.py` lists."""
        # LangGraph takes 1.8 s and 25 MiB to import: a service that has no job yet does without. The first job waits
        # for it in a thread, so that heartbeats and other jobs go on.
        await asyncio.to_thread(import_module, "services.blog.graph")
        from services.blog.graph import build_graph  # noqa: PLC0415
        from services.blog.steps import BlogSteps  # noqa: PLC0415
        from shared.engine.checkpoints import run_graph  # noqa: PLC0415

        request = parse_payload(BlogRequest, context.job.payload)
        tools = self._running_tools()
        ports = Ports(
            job_id=context.job.id,
            models=_models(tools, context),
            fetcher=tools.fetcher,
            files=tools.files,
            catalogue=self._records,
            notebook=CheckpointNotebook(context),
            stage=context.stage,
            report=context.report,
        )
        graph = build_graph(BlogSteps(ports, load_brand()))
        state: BlogState = await run_graph(graph, {"request": request}, context)  # pyright: ignore[reportAssignmentType]
        return await self._done(context, state)

    async def deep_research(self, context: JobContext) -> Done:
        """Research alone: the result is its report, with the findings as Markdown."""
        request = parse_payload(ResearchRequest, context.job.payload)
        tools = self._running_tools()
        notebook = CheckpointNotebook(context)
        ports = ResearchPorts(_models(tools, context), tools.fetcher, notebook.keep, context.report)
        async with context.stage("research"):
            question = research_question(request, await self._records.products(), load_brand())
            report = await research(question, ports, notebook.notes())
        spending = await self._records.spending(context.job.id)
        return Done(
            {
                "report": report.model_dump(mode="json"),
                "markdown": findings_markdown(report),
                "cost_usd": spending.cost_usd,
                "models": spending.models,
            }
        )

    async def _done(self, context: JobContext, state: BlogState) -> Done:
        job, draft = context.job, state["draft"]
        post_id = uuid5(job.id, "blog_posts")
        slug = await self._records.free_slug(
            slugify(draft.title, max_length=_MAX_SLUG_CHARS, word_boundary=True) or "post"
        )
        spending = await self._records.spending(job.id)
        metadata = draft_metadata(state, spending)

        async def persist(connection: AsyncConnection[Any]) -> None:
            await insert_draft(
                connection,
                post_id=post_id,
                job_id=job.id,
                user_id=job.user_id,
                slug=slug,
                draft=draft,
                metadata=metadata,
            )

        return Done(_result(post_id, slug, state, metadata), persist)

    def _running_tools(self) -> Tools:
        if self._tools is None:
            raise RuntimeError("a handler was called outside of BlogJobs.using()")
        return self._tools


class CheckpointNotebook:
    """Research notes in `jobs.checkpoint_data["research_notes"]`, written under the lease."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def notes(self) -> ResearchNotes:
        """What the last attempt kept; empty notes at first, or when this version cannot read them."""
        try:
            return ResearchNotes.model_validate(self._context.saved.get(_NOTES) or {})
        except ValidationError as error:
            _log.warning("research_notes_dropped", reason=str(error))
            return ResearchNotes()

    async def keep(self, notes: ResearchNotes) -> None:
        """Saves the notes; here a draining worker stops."""
        await self._context.checkpoint({_NOTES: notes.model_dump(mode="json")})

    async def clear(self) -> None:
        """Forgets them."""
        if self._context.saved.get(_NOTES):
            await self._context.checkpoint({_NOTES: None})


def _models(tools: Tools, context: JobContext) -> JobModels:
    return tools.gateway.for_job(context.lease, lambda: context.running_stage or "job")


def _result(post_id: UUID, slug: str, state: BlogState, metadata: dict[str, Any]) -> dict[str, Any]:
    """What the front end reads from `jobs.result`: where the draft is, and the figures that a list shows."""
    draft = state["draft"]
    return {
        "draft": {"table": "blog_posts", "id": str(post_id), "slug": slug, "title": draft.title},
        "quality_score": metadata["quality_score"],
        "cost_usd": metadata["cost_usd"],
        "words": metadata["words"],
        "citations": citations_json(state),
        "sources": len(draft.news_sources),
        "banner": draft.featured_image,
        "language": draft.language,
    }
