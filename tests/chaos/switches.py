"""Kill switches that an administrator engages for some seconds, and what must not happen in the meantime."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from tests.chaos.database import Database, rows_of
from tests.chaos.people import People
from tests.chaos.plan import Trouble
from tests.chaos.report import Report

# "One row stops all new claims and all new calls within 2 s, everywhere."
STOPS_WITHIN_S = 2.0

_SET = "select changed_at from public.set_kill_switch(%s, %s, 'The chaos suite wants it.')"
_NOW = "select clock_timestamp() as at"
_ENGAGED = "select kind from public.kill_switches where engaged"
MUST_BE_EMPTY: dict[str, LiteralString] = {
    "claims while a kill switch was engaged": """
        select e.job_id, j.kind, e.at, e.actor from public.job_events e join public.jobs j on j.id = e.job_id
        where e.kind = 'claimed' and e.at between %s + make_interval(secs => %s) and %s and %s in ('*', j.kind)
    """,
    "calls while a kill switch was engaged": """
        select c.id, c.job_id, c.kind, c.created_at, c.status from public.model_calls c
        where c.created_at between %s + make_interval(secs => %s) and %s and %s in ('*', c.kind)
    """,
}
_GAVE_BACK = """
    select count(*) as times from public.job_events where kind = 'released' and detail ->> 'reason' = 'kill_switch'
"""


@dataclass(frozen=True)
class Standstill:
    """A kind of jobs, or `*`, stood still in this time of the database's clock."""

    kind: str
    engaged_at: datetime
    lifted_at: datetime


class Switches:
    """Makes troubles: each is the method of its name."""

    def __init__(self, people: People, database: Database, report: Report) -> None:
        self._people = people
        self._database = database
        self._report = report
        self.standstills: list[Standstill] = []

    async def halt_everything(self, trouble: Trouble) -> None:
        """All kinds at once."""
        await self._halt("*", trouble.lasts_s)

    async def halt_echo(self, trouble: Trouble) -> None:
        """The kind of which there is most."""
        await self._halt("echo", trouble.lasts_s)

    async def halt_blog(self, trouble: Trouble) -> None:
        """The kind that makes most calls at once."""
        await self._halt("blog", trouble.lasts_s)

    async def _halt(self, kind: str, lasts_s: float) -> None:
        engaged_at = await self._set(kind, engaged=True)
        self._report.say(f"the kill switch of {kind} is engaged for {lasts_s:.1f} s")
        await asyncio.sleep(lasts_s)
        [now] = await self._database.rows(_NOW)
        await self._set(kind, engaged=False)
        self.standstills.append(Standstill(kind, engaged_at, now["at"]))

    async def _set(self, kind: str, *, engaged: bool) -> datetime:
        """When the database took it."""

        async def change(connection: Any) -> datetime:
            [row] = await rows_of(connection, _SET, (kind, engaged))
            return row["changed_at"]

        return await self._people.act("admin", change)

    async def lift_all(self) -> None:
        """Whatever a trouble that broke off has left engaged."""
        for row in await self._database.rows(_ENGAGED):
            await self._set(row["kind"], engaged=False)


async def check_standstills(database: Database, standstills: list[Standstill], report: Report) -> None:
    """Nothing was claimed and no call was made more than two seconds after a kill switch was engaged."""
    for what, query in MUST_BE_EMPTY.items():
        for each in standstills:
            parameters = (each.engaged_at, STOPS_WITHIN_S, each.lifted_at, each.kind)
            report.expect_none(what, await database.rows(query, *parameters))
    [gave_back] = await database.rows(_GAVE_BACK)
    report.say(f"{len(standstills)} times a kill switch was engaged; {gave_back['times']} jobs gave their slot back")
