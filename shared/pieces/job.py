"""The handler of every kind that makes a piece: from a claimed job to the finished piece, which a service records."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from shared.content.brand import load_brand
from shared.content.brief import Brief
from shared.content.finished import FinishedPiece, generation_metadata
from shared.content.platforms.base import Platform
from shared.content.ports import StudioPorts
from shared.engine.context import JobContext
from shared.engine.job import Job
from shared.engine.outcome import Done
from shared.engine.payload import parse_payload
from shared.model.spending import Spending, spending_of
from shared.pieces.legibility import SlideGate, SlideTypesetter
from shared.pieces.pictures import JobPictures
from shared.pieces.search import JobAssets
from shared.pieces.tools import Tools
from shared.retrieval.search import AssetFinder

if TYPE_CHECKING:
    from shared.content.studio import StudioState


@dataclass(frozen=True, slots=True)
class Made:
    """A piece that is ready to be written down. `pictures` and `folder`: for further files of the job."""

    job: Job
    piece: FinishedPiece
    spending: Spending
    pictures: JobPictures
    folder: str

    @property
    def title(self) -> str:
        """What people call the piece: the headline of its first slide."""
        return self.piece.text.slides[0].headline

    @property
    def metadata(self) -> dict[str, Any]:
        """The JSON of the column `generation_metadata`."""
        return generation_metadata(self.piece) | {
            "cost_usd": self.spending.cost_usd,
            "cost_by_stage": self.spending.by_stage,
            "models": self.spending.models,
        }

    def result(self, table: str, row_id: str) -> dict[str, Any]:
        """What the front end reads from `jobs.result`: where the draft is, and what a list shows of it."""
        piece = self.piece
        return {
            "draft": {"table": table, "id": row_id, "title": self.title},
            "quality_score": piece.quality_score,
            "below_threshold": piece.flagged,
            "cost_usd": self.spending.cost_usd,
            "slides": [visual.url for visual in piece.visuals],
            "format": piece.format,
            "language": piece.brief.language,
            "assets_used_count": sum(visual.asset.origin == "real" for visual in piece.visuals),
            "regeneration_count": piece.regeneration_count,
        }


Write = Callable[[Made], Awaitable[Done]]
"""Makes the outcome of a piece: its files, its row, the job's result. Runs again when the attempt dies after it."""


class PieceJobs:
    """The handler for one platform, bound, while its service runs, to its tools."""

    def __init__(self, platform: Platform, write: Write) -> None:
        self._platform = platform
        self._write = write
        self._tools: Tools | None = None

    @contextmanager
    def using(self, tools: Tools) -> Generator[None]:
        """The handler works with `tools` as long as the context lasts."""
        self._tools = tools
        try:
            yield
        finally:
            self._tools = None

    async def make(self, context: JobContext) -> Done:
        """Makes a draft. Raises JobError, as `shared/engine/errors.py` lists."""
        # LangGraph takes seconds to import: the first job waits for it in a thread, heartbeats and other jobs go on.
        await asyncio.to_thread(import_module, "shared.pieces.graph")
        from shared.content.studio import Studio  # noqa: PLC0415
        from shared.engine.checkpoints import run_graph  # noqa: PLC0415
        from shared.pieces.graph import build_graph  # noqa: PLC0415

        if self._tools is None:
            raise RuntimeError("the handler was called outside of PieceJobs.using()")
        tools, job = self._tools, context.job
        brief = parse_payload(Brief, job.payload)
        ports = self._ports(context, tools, brief)
        studio = Studio(ports, self._platform, load_brand())
        state = await run_graph(build_graph(studio), {"brief": brief}, context)
        await context.report("Saving the draft…")
        piece = studio.finished(cast("StudioState", state))
        spending = await spending_of(tools.pool, job.id)
        return await self._write(Made(job, piece, spending, tools.pictures, ports.folder))

    def _ports(self, context: JobContext, tools: Tools, brief: Brief) -> StudioPorts:
        models = tools.gateway.for_job(context.lease, lambda: context.running_stage)
        return StudioPorts(
            models=models,
            assets=JobAssets(AssetFinder(tools.index, models)),
            pictures=tools.pictures,
            legibility=SlideGate(tools.gate),
            typesetter=SlideTypesetter(tools.gate, brief.voice, self._platform.grid_ratio),
            stage=context.stage,
            report=context.report,
            folder=f"jobs/{context.job.id}",
        )
