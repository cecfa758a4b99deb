"""What the table `jobs` itself refuses, whoever writes."""

from tests.supabase.desk import refusal, value


async def test_a_row_that_contradicts_itself_cannot_be_written(desk):
    waiting, running = await desk.insert(), await desk.claimed()
    done = await desk.claimed()
    await value(desk.worker, "select complete_job(%s, %s, '{}')", done.job_id, done.token)
    for job_id, change in (
        (waiting, "status = 'processing'"),
        (waiting, "status = 'pending'"),
        (waiting, "status = null"),
        (waiting, "completed_at = now()"),
        (waiting, "lease_token = gen_random_uuid()"),
        (running.job_id, "lease_token = null"),
        (running.job_id, "lease_expires_at = null"),
        (running.job_id, "completed_at = now()"),
        (running.job_id, "status = 'failed'"),
        (done.job_id, "status = 'queued'"),
        (done.job_id, "lease_token = gen_random_uuid(), lease_expires_at = now()"),
    ):
        error = await refusal(desk.root, f"update jobs set {change} where id = %s", job_id)
        assert error.sqlstate in {"23514", "23502"}, change
    error = await refusal(
        desk.root, "insert into job_events (job_id, kind, actor, attempt) values (%s, 'x', 'w', 1)", waiting
    )
    assert error.sqlstate == "23514"
