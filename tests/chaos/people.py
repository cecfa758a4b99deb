"""People who ask for jobs as fast as the stack works them off, change their minds, and ask again.

All of it as the signed-in user that the front end would be, through row level security and the public functions.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from tests.chaos.database import Database, Row, rows_of
from tests.chaos.plan import TOPICS, Trouble, Wish, batch_jobs, blog_wishes, echo_wishes, sequence_payload
from tests.chaos.report import Report

T = TypeVar("T")

_BATCH_TITLE = "What the chaos suite wants"
_OPEN = {"echo": 30, "blog": 4}
_AT_ONCE = {"echo": 8, "blog": 1}
_LOOK_EVERY_S = 0.4
_CANCELLED_AT_ONCE = 3
_RETRIED_AT_ONCE = 6

_OPEN_JOBS = "select kind, count(*) as open from public.jobs where completed_at is null group by kind"
_INSERT = "insert into public.jobs (user_id, job_type, payload, status) values (%s, %s, %s, 'queued') returning id"
_CANCELLABLE = "select id, user_id from public.jobs where completed_at is null order by created_at, id"
_CANCEL = "select status from public.cancel_job(%s)"
_RETRYABLE = """
    select id, user_id, kind, error_detail ->> 'code' as code,
      checkpoint_data #> '{progress,stages_done}' as stages_done
    from public.jobs where status in ('failed', 'cancelled') order by created_at, id
"""
_RETRY = "select status from public.retry_job(%s, %s, %s)"
_ENQUEUE_BATCH = "select id from public.enqueue_batch(%s, '{}', %s)"
_OPEN_BATCHES = """
    select b.id, b.user_id from public.job_batches b
    where exists (select from public.jobs j where j.batch_id = b.id and j.completed_at is null)
    order by b.created_at, b.id
"""
_CANCEL_BATCH = "select cancelled_at from public.cancel_batch(%s)"

_TOO_LATE = "PT409"  # the job has ended, or been completed, in the meantime, or waits for one that failed
_LIMIT_REACHED = "PT429"


@dataclass
class People:
    """Keeps a number of jobs of each kind open; `asked` are those whose insert was confirmed, `refused` counts those
    that were more than a limit allows."""

    database: Database
    users: dict[str, Row]  # by role
    seed: int
    report: Report
    asked: list[UUID] = field(default_factory=list)
    refused: int = 0

    async def ask(self) -> None:
        """Asks until cancelled."""
        wishes = {"echo": echo_wishes(self.seed), "blog": blog_wishes(self.seed)}
        while True:
            is_open = {row["kind"]: row["open"] for row in await self.database.rows(_OPEN_JOBS)}
            for kind, stream in wishes.items():
                for _ in range(min(_AT_ONCE[kind], _OPEN[kind] - is_open.get(kind, 0))):
                    await self._ask(next(stream))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def ask_for_sequence(self, trouble: Trouble) -> None:
        """Somebody asks for a series of posts."""
        await self._ask(Wish("marketing", "sequence", sequence_payload(trouble.seed)))
        self.report.say("people asked for a sequence")

    async def _ask(self, wish: Wish) -> None:
        user = self.users[wish.person]

        async def insert(connection: AsyncConnection[Any]) -> UUID:
            [row] = await rows_of(connection, _INSERT, (user["id"], wish.job_type, Jsonb(wish.payload)))
            return row["id"]

        try:
            self.asked.append(await self.act(wish.person, insert))
        except psycopg.DatabaseError as error:
            if error.sqlstate != _LIMIT_REACHED:
                raise
            self.refused += 1

    async def ask_for_batch(self, trouble: Trouble) -> None:
        """Somebody asks for several jobs at once, some of which wait for others."""
        jobs = batch_jobs(trouble.seed)
        batch = (_BATCH_TITLE, Jsonb(jobs))
        # They are there already when the news of it was lost with the connection.
        with suppress(psycopg.errors.UniqueViolation):
            await self.act("marketing", lambda connection: rows_of(connection, _ENQUEUE_BATCH, batch))
        self.asked += [UUID(job["id"]) for job in jobs]
        self.report.say(f"people asked for a batch of {len(jobs)} jobs")

    async def cancel(self, trouble: Trouble) -> None:
        """People do not want some of their waiting and running jobs any more."""
        chosen = await self._choose(_CANCELLABLE, _CANCELLED_AT_ONCE, random.Random(trouble.seed))
        changed = [job for job in chosen if await self._may(job, _CANCEL, (job["id"],))]
        self.report.say(f"people cancelled {len(changed)} of their jobs")

    async def cancel_batch(self, trouble: Trouble) -> None:
        """Somebody does not want a batch any more."""
        chosen = await self._choose(_OPEN_BATCHES, 1, random.Random(trouble.seed))
        changed = [batch for batch in chosen if await self._may(batch, _CANCEL_BATCH, (batch["id"],))]
        self.report.say(f"people cancelled {len(changed)} of their batches")

    async def retry(self, trouble: Trouble) -> None:
        """People ask again for some of the jobs that were cancelled or failed, as they were or otherwise."""
        chance = random.Random(trouble.seed)
        chosen = await self._choose(_RETRYABLE, _RETRIED_AT_ONCE, chance)
        changed = [job for job in chosen if await self._may(job, _RETRY, (job["id"], *_otherwise(job, chance)))]
        self.report.say(f"people retried {len(changed)} of their jobs")

    async def _choose(self, choice: LiteralString, at_most: int, chance: random.Random) -> list[Row]:
        there = await self.database.rows(choice)
        return chance.sample(there, min(at_most, len(there)))

    async def _may(self, owned: Row, change: LiteralString, parameters: Sequence[Any]) -> bool:
        """Whether the database did what the owner wants; false when it was too late."""
        role = next(role for role, user in self.users.items() if user["id"] == str(owned["user_id"]))
        try:
            await self.act(role, lambda connection: rows_of(connection, change, parameters))
        except psycopg.DatabaseError as error:
            if error.sqlstate != _TOO_LATE:
                raise
            return False
        return True

    async def act(self, role: str, work: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        """`work` in one transaction with the rights of the person of this role."""
        claims = {"sub": self.users[role]["id"], "role": "authenticated", "app_metadata": {"role": role}}

        async def signed_in(connection: AsyncConnection[Any]) -> T:
            async with connection.transaction():
                await connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
                await connection.execute("set local role authenticated")
                return await work(connection)

        return await self.database.work(signed_in)


def _otherwise(job: Row, chance: random.Random) -> tuple[str | None, Jsonb | None]:
    """The stage to start from and the new payload of a retry; None for what stays."""
    if job["code"] == "invalid_payload":
        return None, Jsonb({"steps": chance.randint(1, 3)})  # mended
    if job["kind"] != "blog" or chance.random() < 0.5:
        return None, None
    if chance.random() < 0.3:
        return None, Jsonb({"topic": chance.choice(TOPICS), "researchLevel": "light"})
    return chance.choice(job["stages_done"] or ["research"]), None
