"""What the pipeline needs of the world, and nothing more. `job.py` passes the real things, tests pass their own."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from services.blog.company import Product
from shared.model.prompts import RenderedPrompt
from shared.research.collect import Fetcher, Report, ResearchModels
from shared.research.report import ResearchNotes

if TYPE_CHECKING:
    from shared.model.answers import GeneratedImage
    from shared.model.calls import ReferenceImage


class Models(ResearchModels, Protocol):
    """Calls to models: `text` and `search` as for research, and pictures."""

    async def image(
        self,
        prompt: RenderedPrompt,
        *,
        aspect_ratio: str,
        size: str = "1K",
        references: Sequence["ReferenceImage"] = (),
        variant: int = 0,
    ) -> "GeneratedImage":
        """One picture in the model's own pixels."""
        ...


class FileStore(Protocol):
    """Where files go; `shared.storage.Storage` is one."""

    async def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> str:
        """Stores a file in place of an earlier one at the same path; its public URL. Raises StorageUnavailable."""
        ...


class Catalogue(Protocol):
    """The product catalogue."""

    async def products(self) -> list[Product]:
        """All products that may be mentioned."""
        ...


class Notebook(Protocol):
    """Where research keeps its notes between two attempts."""

    def notes(self) -> ResearchNotes:
        """What the last attempt kept; empty notes at first."""
        ...

    async def keep(self, notes: ResearchNotes) -> None:
        """Saves the notes under the lease."""
        ...

    async def clear(self) -> None:
        """Forgets the notes, once their report is saved elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of them, for one job. `stage` opens a stage by name; `report` tells its progress: words, done, total."""

    job_id: UUID
    models: Models
    fetcher: Fetcher
    files: FileStore
    catalogue: Catalogue
    notebook: Notebook
    stage: Callable[[str], AbstractAsyncContextManager[None]]
    report: Report
