"""The only way to a model: typed answers, each call reserved before, booked after, and replayed when a job resumes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from shared.db import Pool
from shared.engine.job import Lease
from shared.model.answers import GeneratedImage, GroundedAnswer, GroundedSource, GroundedSupport
from shared.model.calls import Call, ReferenceImage, image_call, search_call, text_call
from shared.model.client import open_client
from shared.model.embeddings import Task, embedding_calls
from shared.model.exchange import Exchange
from shared.model.ledger import CallKind, CallLedger
from shared.model.prices import PriceTable
from shared.model.prompts import RenderedPrompt
from shared.model.retries import POLICIES, CallPolicy
from shared.settings import ModelSettings

if TYPE_CHECKING:
    from google.genai import Client

__all__ = [
    "GeneratedImage",
    "GroundedAnswer",
    "GroundedSource",
    "GroundedSupport",
    "JobModels",
    "ModelGateway",
    "ReferenceImage",
    "open_gateway",
]

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


def _today() -> date:
    return datetime.now(UTC).date()


class ModelGateway:
    """All models of a process. One for each service; `for_job` gives the part that a job works with."""

    def __init__(
        self,
        client: "Client",
        ledger: CallLedger,
        prices: PriceTable,
        models: Mapping[str, str],
        *,
        concurrency: int = 16,
        policies: Mapping[CallKind, CallPolicy] = POLICIES,
        today: Callable[[], date] = _today,
    ) -> None:
        """`models` maps the roles text, search, image and embedding to model ids.

        Raises PriceUnknown when one of them has no price today: better at the start than at the first call.
        """
        for model in models.values():
            prices.price(model, today())
        self.models = models
        self.vertex = bool(client.vertexai)
        self.exchange = Exchange(client, ledger, prices, policies=policies, concurrency=concurrency, today=today)

    def for_job(self, lease: Lease, stage: Callable[[], str]) -> "JobModels":
        """The models for one attempt of a job. `stage` tells the stage that runs when a call is made."""
        return JobModels(self, lease, stage)


class JobModels:
    """Models for one attempt of a job. All methods may be called in parallel and raise:

    LeaseLost            the job is another attempt's; stop
    EnginePaused         a kill switch is engaged; stop
    ModelPutOff          the model has failed again and again; the job goes on later
    BudgetExceeded       a spending limit would be passed
    ModelUnavailable     the provider failed until the call's deadline
    ModelRejected        the provider does not accept the request
    ModelRefused         a safety filter blocked the prompt or the answer
    ModelOutputInvalid   the answer was of no use, and so was the second

    The same call with the same `variant` gives the answer of the first time, also in a later attempt, and costs
    nothing; another `variant` asks anew.
    """

    def __init__(self, gateway: ModelGateway, lease: Lease, stage: Callable[[], str]) -> None:
        self._gateway = gateway
        self._lease = lease
        self._stage = stage
        self._versions: dict[str, str] = {}
        self._cost_usd = Decimal(0)

    @property
    def versions(self) -> dict[str, str]:
        """What gave the answers so far: `name@version` of the prompt → version of the model."""
        return dict(self._versions)

    @property
    def cost_usd(self) -> Decimal:
        """What the answers so far cost, replayed ones included. What failed calls cost is in `jobs.cost_usd` alone."""
        return self._cost_usd

    async def text(
        self,
        prompt: RenderedPrompt,
        schema: type[Model],
        *,
        variant: int = 0,
        images: Sequence[ReferenceImage] = (),
    ) -> Model:
        """An answer as an instance of a pydantic model. `images`: PNG or JPEG that the model sees with the prompt."""
        model = self._gateway.models["text"]
        call = text_call(prompt, schema, model=model, stage=self._stage(), variant=variant, images=images)
        return await self._run(call)

    async def search(self, prompt: RenderedPrompt, *, variant: int = 0) -> GroundedAnswer:
        """An answer from a web search, with its sources."""
        model = self._gateway.models["search"]
        return await self._run(search_call(prompt, model=model, stage=self._stage(), variant=variant))

    async def image(
        self,
        prompt: RenderedPrompt,
        *,
        aspect_ratio: str,
        size: str = "1K",
        references: Sequence[ReferenceImage] = (),
        variant: int = 0,
    ) -> GeneratedImage:
        """A picture in the model's own pixels: `aspect_ratio` as 16:9, `size` 1K, 2K or 4K, at most 14 references."""
        call = image_call(
            prompt,
            model=self._gateway.models["image"],
            stage=self._stage(),
            variant=variant,
            aspect_ratio=aspect_ratio,
            size=size,
            references=references,
        )
        return await self._run(call)

    async def embed(self, texts: Sequence[str], *, task: Task) -> list[list[float]]:
        """768 numbers of unit length for each text, in order. `document`: to be found; `query`: to find with."""
        calls = embedding_calls(
            texts,
            task=task,
            model=self._gateway.models["embedding"],
            stage=self._stage(),
            vertex=self._gateway.vertex,
        )
        batches = await _all([self._run(call) for call in calls])
        return [vector for batch in batches for vector in batch]

    async def _run(self, call: Call[T]) -> T:
        answered = await self._gateway.exchange.run(call, self._lease)
        self._versions[call.row.prompt] = answered.model_version
        self._cost_usd += answered.cost_usd
        return answered.value


@asynccontextmanager
async def open_gateway(settings: ModelSettings, pool: Pool) -> AsyncGenerator[ModelGateway]:
    """The gateway as a service uses it: client by the settings, ledger in the database, prices of the product."""
    async with open_client(settings) as client:
        yield ModelGateway(
            client, CallLedger(pool), PriceTable.load(), settings.by_role, concurrency=settings.model_concurrency
        )


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Results in order. When one fails, the others are stopped and waited for before its error is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
