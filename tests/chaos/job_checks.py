"""What must hold for jobs, checkpoints and drafts when everything is quiet again."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from tests.chaos.database import Database, Row
from tests.chaos.report import Report
from tests.supabase.stories import problems_of_all

LEAST_SUCCESS = 0.99
# Reasons that no retry mends. Whoever asked for nonsense or has spent the day's money gets told so.
GENUINE = {"invalid_payload", "echo_failed", "budget_exceeded", "sources_insufficient", "review_rejected"}

_LOST = """
    select asked.id from unnest(%s::uuid[]) asked (id)
    where not exists (select from public.jobs j where j.id = asked.id)
"""
_MUST_BE_EMPTY: dict[str, LiteralString] = {
    "jobs that have not ended": """
        select id, kind, status, attempts, worker, lease_expires_at, scheduled_for, error_detail from public.jobs
        where status not in ('completed', 'failed')
    """,
    "jobs that failed without a reason, or before their attempts were used up": """
        select id, kind, payload, attempts, max_attempts, error, error_detail from public.jobs
        where status = 'failed' and (
          coalesce(error, '') = '' or coalesce(error_detail ->> 'code', '') = ''
          or ((error_detail ->> 'retryable')::boolean and attempts < max_attempts))
    """,
    "jobs that ended otherwise than their payload asks for": """
        select id, payload, status, error_detail from public.jobs
        where kind = 'echo' and coalesce(error_detail ->> 'code', '') <> 'budget_exceeded' and (
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
    "steps that were taken again although a checkpoint held them": """
        select e.job_id, e.attempt, e.detail ->> 'done' as step, before.attempt as taken_in
        from public.job_events e join public.jobs j on j.id = e.job_id and j.kind = 'echo'
        join public.job_events before on before.job_id = e.job_id and before.kind = 'checkpoint' and before.id < e.id
          and before.attempt < e.attempt and before.detail ->> 'done' = e.detail ->> 'done'
        where e.kind = 'checkpoint'
    """,
    "blog jobs that did not end in exactly their draft": """
        select j.id, j.status, j.result -> 'draft' as draft, array_agg(p.id) as posts
        from public.jobs j left join public.blog_posts p on p.job_id = j.id
        where j.kind = 'blog' group by j.id
        having count(p.id) <> (j.status = 'completed')::integer
          or j.status = 'completed' and j.result #>> '{draft,id}' is distinct from max(p.id::text)
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
    for what, query in _MUST_BE_EMPTY.items():
        report.expect_none(what, await database.rows(query))
    report.expect_none("stories that do not fit together", await _problems(database))
    ends = await database.rows(_ENDS)
    for row in ends:
        report.say(f"{row['kind']}: {row['count']} {row['status']} {row['code']}".rstrip())
    _check_success(ends, report)


async def _problems(database: Database) -> list[tuple[Any, Any]]:
    async def read(connection: Any) -> dict[UUID, list[str]]:
        connection.row_factory = _plain
        return await problems_of_all(connection)

    return list((await database.work(read)).items())


def _plain(_: Any) -> Any:
    return tuple


def _check_success(ends: Sequence[Row], report: Report) -> None:
    """Of the blog jobs that nothing genuine speaks against, at least 99 % are completed."""
    of_blog = [row for row in ends if row["kind"] == "blog" and row["code"] not in GENUINE]
    tried = sum(row["count"] for row in of_blog)
    completed = sum(row["count"] for row in of_blog if row["status"] == "completed")
    report.figures |= {"jobs": sum(row["count"] for row in ends), "blogs": tried, "blogs_completed": completed}
    if tried == 0:
        report.find("no blog job was tried")
    elif completed / tried < LEAST_SUCCESS:
        report.find(f"only {completed} of {tried} blog jobs succeeded")
