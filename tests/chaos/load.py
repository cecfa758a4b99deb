"""People who ask for jobs, as fast as the stack works them off."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from tests.chaos.database import Database, Row, rows_of
from tests.chaos.plan import Wish, blog_wishes, echo_wishes

_OPEN = {"echo": 30, "blog": 6}
_AT_ONCE = {"echo": 8, "blog": 1}
_LOOK_EVERY_S = 0.4

_OPEN_JOBS = "select kind, count(*) as open from public.jobs where completed_at is null group by kind"
_INSERT = "insert into public.jobs (user_id, job_type, payload, status) values (%s, %s, %s, 'queued') returning id"


@dataclass
class Load:
    """Keeps a number of jobs of each kind open; `asked` are those whose insert was confirmed."""

    database: Database
    users: dict[str, Row]
    seed: int
    asked: list[UUID] = field(default_factory=list)

    async def run(self) -> None:
        """Asks until cancelled."""
        wishes = {"echo": echo_wishes(self.seed), "blog": blog_wishes(self.seed)}
        while True:
            is_open = {row["kind"]: row["open"] for row in await self.database.rows(_OPEN_JOBS)}
            for kind, stream in wishes.items():
                for _ in range(min(_AT_ONCE[kind], _OPEN[kind] - is_open.get(kind, 0))):
                    await self._ask(stream)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _ask(self, stream: Iterator[Wish]) -> None:
        """Inserts one job under row level security, as the front end does."""
        wish = next(stream)
        user = self.users[wish.person]
        claims = {"sub": user["id"], "role": "authenticated", "app_metadata": {"role": wish.person}}

        async def insert(connection: AsyncConnection[Any]) -> UUID:
            async with connection.transaction():
                await connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
                await connection.execute("set local role authenticated")
                [row] = await rows_of(connection, _INSERT, (user["id"], wish.job_type, Jsonb(wish.payload)))
            return row["id"]

        self.asked.append(await self.database.work(insert))
