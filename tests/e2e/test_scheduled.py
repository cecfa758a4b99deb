"""Scheduled jobs start when they are due, not when somebody happens to look."""

import asyncio
from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from tests.e2e.conftest import Office

AT_MOST_LATE_S = 2.0


async def test_scheduled_jobs_start_within_two_seconds_of_their_time(office: Office):
    """Some far enough ahead to be expected, some so close that the sweep has just passed."""
    await office.all_ended(await office.ask("echo", {}))  # the worker is warm
    ids = []
    for ahead_s in (0.05, 0.2, 0.7, 1.3, 1.9, 2.4, 3.1, 3.15, 4.0, 5.5):
        due_at = datetime.now(UTC) + timedelta(seconds=ahead_s)
        [row] = await office.rows(
            "select id from public.enqueue_job('echo', %s, %s, %s)", Jsonb({}), office.user["id"], due_at
        )
        ids.append(row["id"])
        await asyncio.sleep(0.13)  # so that they meet the sweep at different moments
    assert await office.all_ended(ids) == {"completed": len(ids)}
    late = await office.rows(
        "select extract(epoch from started_at - scheduled_for)::float as s from public.jobs where id = any(%s)"
        " order by scheduled_for",
        ids,
    )
    seconds = [round(row["s"], 2) for row in late]
    assert all(0 <= one < AT_MOST_LATE_S for one in seconds), seconds
