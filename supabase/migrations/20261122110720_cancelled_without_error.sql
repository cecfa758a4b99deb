-- A cancelled job has not failed: what an earlier attempt of it failed with is in its events.

create or replace function public.cancel_job(job_id uuid) returns public.jobs
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs := engine.lock_own_job(cancel_job.job_id);
begin
  if job.status = 'cancelled' then
    return job;  -- asked twice
  end if;
  if job.status in ('completed', 'failed') then
    raise exception using errcode = 'PT409', message = format('This job is %s; only queued and running jobs can be cancelled.', job.status);
  end if;
  perform engine.abandon_calls(job.id);
  update public.jobs j set
    status = 'cancelled', error = null, error_detail = null, completed_at = clock_timestamp(), lease_token = null, lease_expires_at = null,
    updated_at = clock_timestamp()
  where j.id = job.id
  returning * into job;
  insert into public.job_events (job_id, kind, actor, attempt) values (job.id, 'cancelled', engine.actor(), job.attempts);
  return job;
end $$;
