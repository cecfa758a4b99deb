"""What must hold for jobs, checkpoints and drafts when everything is quiet again."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection

from tests.chaos.database import Database, Row
from tests.chaos.report import Report
from tests.supabase.stories import problems_of_all

LEAST_SUCCESS = 0.99
# Whose limit is reached has not been failed by the engine, nor who waits for a job that failed for its own reasons.
REFUSED = {"budget_exceeded", "dependency_failed"}

_LOST = """
    select asked.id from unnest(%s::uuid[]) asked (id)
    where not exists (select from public.jobs j where j.id = asked.id)
"""
# The steps of echo jobs. A retry with another payload begins another life: nothing of the one before is kept.
_STEPS: LiteralString = """
    with step as (
      select e.job_id, e.id, e.kind, e.detail ->> 'done' as done,
        count(*) filter (where e.kind = 'claimed') over (partition by e.job_id order by e.id) as claim,
        count(*) filter (where e.detail ? 'payload_changes') over (partition by e.job_id order by e.id) as life
      from public.job_events e join public.jobs j on j.id = e.job_id and j.kind = 'echo'
    )
"""
MUST_BE_EMPTY: dict[str, LiteralString] = {
    "jobs that have not ended": """
        select id, kind, status, attempts, worker, lease_expires_at, scheduled_for, error_detail from public.jobs
        where status not in ('completed', 'failed', 'cancelled')
    """,
    "leases that are left": """
        select id, kind, status, worker, lease_token, lease_expires_at from public.jobs
        where lease_token is not null or lease_expires_at is not null
    """,
    "jobs that were cancelled, but not by whoever asked for them": """
        select j.id, j.kind from public.jobs j
        where j.status = 'cancelled' and not exists (
          select from public.job_events e
          where e.job_id = j.id and e.kind = 'cancelled' and e.actor = 'user:' || j.user_id)
    """,
    "jobs that failed without a reason, or before their attempts were used up": """
        select id, kind, payload, attempts, max_attempts, error, error_detail from public.jobs
        where status = 'failed' and (
          coalesce(error, '') = '' or coalesce(error_detail ->> 'code', '') = ''
          or (error_detail ->> 'retryable')::boolean and attempts < max_attempts
             and error_detail ->> 'code' <> 'dependency_failed')
    """,
    "jobs that failed because of a job that did not": """
        select j.id, j.depends_on, d.status from public.jobs j left join public.jobs d on d.id = j.depends_on
        where j.error_detail ->> 'code' = 'dependency_failed'
          and coalesce(d.status not in ('failed', 'cancelled'), true)
    """,
    "jobs that did not wait for the job before them": """
        select e.job_id, e.id, e.at, j.depends_on from public.job_events e
        join public.jobs j on j.id = e.job_id and j.depends_on is not null
        where e.kind = 'claimed' and not exists (
          select from public.job_events d where d.job_id = j.depends_on and d.kind = 'completed' and d.id < e.id)
    """,
    "jobs that ended otherwise than their payload asks for": """
        select id, payload, status, error_detail from public.jobs
        where kind = 'echo' and status <> 'cancelled'
          and coalesce(error_detail ->> 'code', '') not in ('budget_exceeded', 'dependency_failed') and (
          payload ->> 'steps' = '0' and error_detail ->> 'code' is distinct from 'invalid_payload'
          or payload #>> '{fail,kind}' = 'permanent' and error_detail ->> 'code' is distinct from 'echo_failed')
    """,
    "jobs that were completed twice": """
        select job_id, count(*) from public.job_events where kind = 'completed' group by job_id having count(*) > 1
    """,
    "attempts that ended in a defect": """
        select job_id, kind, attempt, at, detail from public.job_events where detail #>> '{error,code}' = 'unexpected'
    """,
    "completed echo jobs whose result does not list each step once, in order": """
        select id, payload, result from public.jobs
        where kind = 'echo' and status = 'completed' and (
          array(select (step ->> 'step')::integer
                from jsonb_array_elements(result -> 'steps') with ordinality s (step, at) order by at)
          is distinct from array(select generate_series(1, (payload ->> 'steps')::integer)))
    """,
    "steps that were taken again although a checkpoint held them": _STEPS
    + """
        -- the same claim may write a checkpoint twice: the news of the first was lost with its connection
        select job_id, done, array_agg(claim order by id) as claims from step
        where kind = 'checkpoint' group by job_id, life, done having count(distinct claim) > 1
    """,
    "checkpoints that are lost": _STEPS
    + """
        select j.id, j.status, j.checkpoint_data -> 'steps' as steps, saved.steps as saved
        from public.jobs j cross join lateral (
          select count(distinct s.done) as steps from step s
          where s.job_id = j.id and s.kind = 'checkpoint' and s.life = (
            select max(l.life) from step l where l.job_id = j.id)) saved
        where j.kind = 'echo' and coalesce(jsonb_array_length(j.checkpoint_data -> 'steps'), 0) <> saved.steps
    """,
    "blog jobs that did not end in exactly their draft": """
        select j.id, j.status, j.result -> 'draft' as draft, array_agg(p.id) as posts
        from public.jobs j left join public.blog_posts p on p.job_id = j.id
        where j.kind = 'blog' group by j.id
        having count(p.id) <> (j.status = 'completed')::integer
          or j.status = 'completed' and j.result #>> '{draft,id}' is distinct from max(p.id::text)
    """,
    "sequences that did not ask for each of their posts once": """
        select j.id, j.status, j.result -> 'jobs' as asked_for, array_agg(p.id) as posts
        from public.jobs j left join public.jobs p on p.batch_id::text = j.result ->> 'batch_id'
        where j.kind = 'sequence' and j.status = 'completed' group by j.id
        having array_agg(p.id::text order by p.id::text) is distinct from
          array(select post ->> 'id' from jsonb_array_elements(j.result -> 'jobs') post order by 1)
    """,
    "batches that nobody asked for": """
        select b.id, b.title from public.job_batches b
        where b.title <> 'What the chaos suite wants' and not exists (
          select from public.jobs j
          where j.kind = 'sequence' and j.status = 'completed' and j.result ->> 'batch_id' = b.id::text)
    """,
    "limits of concurrent jobs that were passed": """
        with moved as (
          select e.id, j.user_id, e.kind = 'claimed' as begins,
            lag(e.kind) over (partition by e.job_id order by e.id) is not distinct from 'claimed' as ends
          from public.job_events e join public.jobs j on j.id = e.job_id where e.kind <> 'checkpoint'
        ), running as (
          select l.scope_key, l.concurrent_jobs, m.id, sum(m.begins::integer - m.ends::integer)
            over (partition by l.scope_key order by m.id) as jobs
          from moved m join public.spend_limits l on l.scope = 'user' and l.scope_key = m.user_id::text
        )
        select * from running where jobs > concurrent_jobs
    """,
    "limits of jobs a day that were passed": """
        select l.scope_key, l.jobs_per_day, count(*) from public.jobs j
        join public.spend_limits l on l.scope = 'user' and l.scope_key = j.user_id::text
        group by l.scope, l.scope_key, engine.day_of(j.created_at) having count(*) > l.jobs_per_day
    """,
    "posts that are no untouched drafts": """
        select id, job_id, status, approved_by, approved_at, published_at from public.blog_posts
        where status <> 'draft' or approved_by is not null or approved_at is not null or published_at is not null
          or not ai_generated
    """,
}
_ENDS = """
    select kind, status, coalesce(error_detail ->> 'code', '') as code, count(*)::integer from public.jobs
    group by 1, 2, 3 order by 1, 2, 3
"""


async def check_jobs(database: Database, asked: Sequence[UUID], report: Report) -> None:
    """Every job ended well or says why not, did everything once, and its events tell how."""
    report.expect_none("jobs whose insert was confirmed are gone", await database.rows(_LOST, list(asked)))
    for what, query in MUST_BE_EMPTY.items():
        report.expect_none(what, await database.rows(query))
    report.expect_none("stories that do not fit together", await database.work(_problems))
    ends = await database.rows(_ENDS)
    for row in ends:
        report.say(f"{row['kind']}: {row['count']} {row['status']} {row['code']}".rstrip())
    _check_success(ends, report)


async def _problems(connection: AsyncConnection[Any]) -> list[tuple[UUID, list[str]]]:
    return list((await problems_of_all(connection)).items())


def _check_success(ends: Sequence[Row], report: Report) -> None:
    """Of the blog jobs that nobody cancelled and no limit refused, at least 99 % are completed."""
    of_blog = [row for row in ends if row["kind"] == "blog" and row["status"] != "cancelled"]
    tried = sum(row["count"] for row in of_blog if row["code"] not in REFUSED)
    completed = sum(row["count"] for row in of_blog if row["status"] == "completed")
    refused = sum(row["count"] for row in ends if row["code"] in REFUSED)
    report.figures |= {
        "jobs": sum(row["count"] for row in ends),
        "cancelled": sum(row["count"] for row in ends if row["status"] == "cancelled"),
        "refused": refused,
        "blogs": tried,
        "blogs_completed": completed,
    }
    if tried == 0:
        report.find("no blog job was tried")
    elif completed / tried < LEAST_SUCCESS:
        report.find(f"only {completed} of {tried} blog jobs succeeded")
