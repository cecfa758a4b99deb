"""The checker of stories on connections that tests have at hand."""

from itertools import groupby
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection

from shared.engine.story import Event, Standing, problems, problems_after

_EVENTS = "select job_id, kind, actor, attempt, at, detail from public.job_events order by job_id, id"
_JOBS = "select id, status, attempts, max_attempts from public.jobs order by id"


async def problems_of_all(connection: AsyncConnection[Any]) -> dict[UUID, list[str]]:
    """The problems of every job that has some. The connection has to see all rows."""
    found: dict[UUID, list[str]] = {}
    last: UUID | None = UUID(int=0)
    while last is not None:
        more, last = await problems_after(connection, last)
        found |= more
    return found


def problems_now(connection: Connection[Any]) -> dict[UUID, list[str]]:
    """The same on a blocking connection."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        events = connection.execute(_EVENTS).fetchall()
        jobs = connection.execute(_JOBS).fetchall()
    told = {job_id: [Event(*row[1:]) for row in rows] for job_id, rows in groupby(events, key=lambda row: row[0])}
    found = {job_id: problems(told.get(job_id, []), Standing(*standing)) for job_id, *standing in jobs}
    return {job_id: what for job_id, what in found.items() if what}
