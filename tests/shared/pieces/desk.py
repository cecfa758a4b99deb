"""A worker's parts around one database: the emulator's models, Storage over HTTP, the index of assets."""

import io
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from PIL import Image
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.content.legibility.report import LegibilityReport
from shared.content.legibility.slide_text import SlideText
from shared.content.platforms.base import Platform
from shared.db import Pool
from shared.engine.runner import AttemptEnd, run_attempt
from shared.engine.store import JobStore
from shared.model.gateway import ModelGateway
from shared.pieces.job import PieceJobs, Write
from shared.pieces.pictures import JobPictures
from shared.pieces.tools import Tools
from shared.retrieval.search import AssetIndex
from tests.shared.model.provider import Provider

Row = dict[str, Any]


@dataclass
class Glance:
    """A legibility gate that takes no second: every picture passes it, but those that the script fails."""

    verdicts: list[bool] = field(default_factory=list[bool])

    async def check(self, data: bytes, expected: SlideText) -> LegibilityReport:  # noqa: ARG002  as the gate
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "PNG"
        passed = self.verdicts.pop(0) if self.verdicts else True
        return LegibilityReport(passed, 0.0, 0.0, () if passed else ("Larger, please.",), (), (), 40.0, 7.0)


@dataclass
class Desk:
    """Asks for jobs of one kind and works them off, each attempt as a worker would."""

    kind: str
    platform: Platform
    write: Write
    pool: Pool
    connection: AsyncConnection[Any]
    user_id: UUID
    gateway: ModelGateway
    provider: Provider
    pictures: JobPictures
    project: str
    gate: Glance = field(default_factory=Glance)

    async def ask(self, **payload: Any) -> UUID:
        [row] = await self.rows(
            "select id from public.enqueue_job(%s, %s, %s)",
            self.kind,
            Jsonb({"topic": "Rastreabilidade de lote em placas de trauma", **payload}),
            self.user_id,
        )
        return row["id"]

    async def work(self, job_id: UUID) -> AttemptEnd:
        jobs = PieceJobs(self.platform, self.write)
        index = AssetIndex(self.pool, self.project)
        with jobs.using(Tools(self.gateway, index, self.pictures, cast("Any", self.gate), self.pool)):
            return await run_attempt(JobStore(self.pool), {self.kind: jobs.make}, job_id, "test")

    async def again(self, job_id: UUID) -> AttemptEnd:
        """Another attempt at once."""
        await self.connection.execute("update public.jobs set scheduled_for = now() where id = %s", (job_id,))
        return await self.work(job_id)

    async def job(self, job_id: UUID) -> Row:
        return (await self.rows("select * from public.jobs where id = %s", job_id))[0]

    async def rows(self, query: Any, *parameters: Any) -> list[Row]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def calls(self, job_id: UUID) -> list[tuple[str, str]]:
        """Stage and kind of each call that was paid for, in order."""
        rows = await self.rows(
            "select stage, call_kind from public.model_calls where job_id = %s and status = 'settled' order by id",
            job_id,
        )
        return [(row["stage"], row["call_kind"]) for row in rows]

    async def size_of(self, url: str) -> tuple[int, int]:
        with Image.open(io.BytesIO(await self.pictures.load(url))) as picture:
            return picture.size

    async def add_product(self, name: str, photograph: bytes) -> str:
        """A product with a photograph in Storage; its address."""
        url = await self.pictures.save("products/photograph.png", photograph)
        await self.connection.execute(
            "insert into public.product_catalog (name, description, category, image_url) values (%s, '', '', %s)",
            (name, url),
        )
        return url
