"""What the agents need of the world, and nothing more. A service passes the real things, tests pass their own."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel

from shared.content.brand import Language
from shared.content.piece import Reading, SlideCopy
from shared.model.prompts import RenderedPrompt

if TYPE_CHECKING:
    from shared.model.answers import GeneratedImage
    from shared.model.calls import ReferenceImage

T = TypeVar("T", bound=BaseModel)
Size = tuple[int, int]
Report = Callable[[str, int | None, int | None], Awaitable[None]]


class PictureUnavailable(Exception):
    """A photograph that was found could not be read. The slide does without it."""


class StudioModels(Protocol):
    """Calls to models; `shared.model.gateway.JobModels` has them."""

    async def text(
        self,
        prompt: RenderedPrompt,
        schema: type[T],
        *,
        variant: int = 0,
        images: Sequence["ReferenceImage"] = (),
    ) -> T:
        """An answer as an instance of a pydantic model; the model sees `images`."""
        ...

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


class AssetHit(Protocol):
    """Something of the company's that a search found. `relevance`: 0 to 100, how sure it is what was asked for.

    `kind`: product, facility, team, equipment, logo or past_work.
    """

    @property
    def asset_id(self) -> UUID | str:
        """Its id in the index."""
        ...

    @property
    def source(self) -> str:
        """The table or bucket that it comes from."""
        ...

    @property
    def kind(self) -> str:
        """What it shows."""
        ...

    @property
    def title(self) -> str:
        """Its name, for people."""
        ...

    @property
    def description(self) -> str:
        """What is said about it."""
        ...

    @property
    def url(self) -> str | None:
        """Where its picture is; None when it has none."""
        ...

    @property
    def relevance(self) -> float:
        """0 to 100."""
        ...


class AssetFinder(Protocol):
    """The search among the company's products, photographs and past work."""

    async def find(
        self, query: str, *, language: Language, kinds: Sequence[str] | None = None, limit: int = 5
    ) -> Sequence[AssetHit]:
        """The best hits first. `kinds`: only these; None: all."""
        ...


class Pictures(Protocol):
    """Where pictures are."""

    async def load(self, url: str) -> bytes:
        """The file at an address that `save` or a search gave. Raises PictureUnavailable."""
        ...

    async def save(self, path: str, data: bytes) -> str:
        """Stores a PNG in place of an earlier one at the same path; its public URL. Raises StorageUnavailable."""
        ...


class Legibility(Protocol):
    """The gate that every picture with text passes."""

    async def check(self, image: bytes, slide: SlideCopy, size: Size) -> Reading:
        """Reads a PNG of `size` pixels back and compares it with the words that the slide should say."""
        ...


class Typesetter(Protocol):
    """Sets text with the brand's font."""

    async def set(self, image: bytes, slide: SlideCopy, size: Size) -> tuple[bytes, Reading]:
        """A PNG of `size` pixels with the slide's words over the picture, whatever the picture; and how it reads."""
        ...


@dataclass(frozen=True, slots=True)
class StudioPorts:
    """All of them, for one job. `stage` opens a stage by name; `report` tells its progress: words, done, total.

    `folder`: where the job's pictures go. `slides_at_once`: pictures that are made at the same time.
    """

    models: StudioModels
    assets: AssetFinder
    pictures: Pictures
    legibility: Legibility
    typesetter: Typesetter
    stage: Callable[[str], AbstractAsyncContextManager[None]]
    report: Report
    folder: str
    slides_at_once: int = 8
