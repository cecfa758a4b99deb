"""Checks that the counters of spending are what the calls add up to."""

from typing import Any

from psycopg import AsyncConnection, Connection

# Counters that differ from the sums over model_calls, or that have no call, or calls that have no counter.
DIFFERENT = """
    with call as (
      select day, user_id, kind, job_id, cost_usd, case status when 'reserved' then reserved_usd else 0 end as held_usd
      from public.model_calls
    ), expected as (
      select s.scope, s.scope_key, s.day, sum(cost_usd) as spent_usd, sum(held_usd) as reserved_usd
      from call cross join lateral (
        values ('overall', '*', day), ('user', user_id::text, day), ('kind', kind, day), ('job', job_id::text, 'epoch')
      ) s (scope, scope_key, day)
      group by 1, 2, 3
    )
    select * from expected e full join engine.spend_counters c using (scope, scope_key, day)
    where (e.spent_usd, e.reserved_usd) is distinct from (c.spent_usd, c.reserved_usd)
"""
# Calls that are reserved although no attempt is under way that could settle them.
LEFT_OVER = """
    select c.id, j.status from public.model_calls c left join public.jobs j on j.id = c.job_id
    where c.status = 'reserved' and j.lease_token is distinct from c.lease_token
"""
# Jobs whose cost is not what their calls cost.
MISPRICED = """
    select j.id from public.jobs j
    where j.cost_usd <> (select coalesce(sum(c.cost_usd), 0) from public.model_calls c where c.job_id = j.id)
"""


async def assert_books_balance(connection: AsyncConnection[Any]) -> None:
    """Every counter and every job's cost is the sum of its calls, and nothing is reserved without an attempt."""
    for query in (DIFFERENT, LEFT_OVER, MISPRICED):
        assert await (await connection.execute(query)).fetchall() == []


def assert_books_balance_now(connection: Connection[Any]) -> None:
    """The same on a blocking connection."""
    for query in (DIFFERENT, LEFT_OVER, MISPRICED):
        assert connection.execute(query).fetchall() == []
