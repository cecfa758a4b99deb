-- What people, the dispatcher and the migration step call.

-- The job, locked, when the caller may control it; somebody else's job looks as if it did not exist.
create function engine.lock_own_job(job_id uuid) returns public.jobs
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs;
begin
  select * into job from public.jobs j
  where j.id = lock_own_job.job_id
    and (j.user_id = auth.uid() or engine.is_admin() or engine.caller_role() not in ('authenticated', 'anon'))
  for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such job, or it is not yours.';
  end if;
  return job;
end $$;

create function public.retry_job(job_id uuid) returns public.jobs
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs := engine.lock_own_job(retry_job.job_id);
begin
  if job.status in ('queued', 'processing') then
    return job;  -- asked twice
  end if;
  if job.status = 'completed' then
    raise exception using errcode = 'PT409', message = 'This job is completed; only failed and cancelled jobs can be retried.';
  end if;
  if not exists (select from public.job_kinds k where k.name = job.kind and k.enabled) then
    raise exception using errcode = 'PT403', message = format('Jobs of the type "%s" are switched off at the moment.', job.job_type);
  end if;
  update public.jobs j set
    status = 'queued', attempts = 0, error = null, error_detail = null, completed_at = null, scheduled_for = clock_timestamp(),
    trace_id = coalesce(j.trace_id, replace(gen_random_uuid()::text, '-', '')), updated_at = clock_timestamp()
  where j.id = job.id
  returning * into job;
  perform engine.record_event(job, 'retried', engine.actor(), jsonb_build_object('manual', true));
  return job;
end $$;

create function public.cancel_job(job_id uuid) returns public.jobs
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
    status = 'cancelled', completed_at = clock_timestamp(), lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where j.id = job.id
  returning * into job;
  perform engine.record_event(job, 'cancelled', engine.actor());
  return job;
end $$;

-- Takes back the jobs of silent workers and tells which jobs are due, the longest waiting first.
create function public.sweep_jobs(max_jobs integer default 1000)
returns table (id uuid, kind text, service text, attempts integer, scheduled_for timestamptz)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  job public.jobs;
begin
  for job in
    select * from public.jobs j where j.status = 'processing' and j.lease_expires_at <= clock_timestamp()
    order by j.lease_expires_at limit sweep_jobs.max_jobs for no key update skip locked
  loop
    perform engine.expire_lease(job, 'sweep');
  end loop;
  return query
    select j.id, j.kind, k.service, j.attempts, j.scheduled_for
    from public.jobs j join public.job_kinds k on k.name = j.kind and k.enabled
    where j.status = 'queued' and j.scheduled_for <= clock_timestamp()
    order by j.scheduled_for limit sweep_jobs.max_jobs;
end $$;

-- Where to send jobs that a hint has named: those of them that are due.
create function public.due_jobs(ids uuid[])
returns table (id uuid, kind text, service text, attempts integer, scheduled_for timestamptz)
language sql stable security definer set search_path = '' as $$
  select j.id, j.kind, k.service, j.attempts, j.scheduled_for
  from public.jobs j join public.job_kinds k on k.name = j.kind and k.enabled
  where j.id = any (due_jobs.ids) and j.status = 'queued' and j.scheduled_for <= clock_timestamp()
  order by j.scheduled_for
$$;

-- Makes job_kinds equal to shared/catalog.yaml. Kinds that are gone from it stay for their old jobs, switched off.
create function public.sync_catalog(catalog jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.job_kinds (name, title, service, aliases, enabled, lease_s, max_attempts, retry_base_s, retry_cap_s, concurrency, daily_quota)
  select kind.key, spec.title, spec.service, coalesce(spec.aliases, '{}'), spec.enabled, spec.lease_s, spec.max_attempts, spec.retry_base_s,
         spec.retry_cap_s, spec.concurrency, spec.daily_quota
  from jsonb_each(catalog -> 'kinds') kind,
       jsonb_to_record(kind.value) spec (title text, service text, aliases text[], enabled boolean, lease_s double precision,
         max_attempts integer, retry_base_s double precision, retry_cap_s double precision, concurrency integer, daily_quota integer)
  on conflict (name) do update set
    title = excluded.title, service = excluded.service, aliases = excluded.aliases, enabled = excluded.enabled, lease_s = excluded.lease_s,
    max_attempts = excluded.max_attempts, retry_base_s = excluded.retry_base_s, retry_cap_s = excluded.retry_cap_s,
    concurrency = excluded.concurrency, daily_quota = excluded.daily_quota;
  update public.job_kinds set enabled = false where not (catalog -> 'kinds') ? name;

  -- Jobs from before the catalogue existed.
  update public.jobs j set kind = (engine.resolve_kind(j.job_type)).name where j.kind is null;
  update public.jobs j set
    status = 'failed', completed_at = clock_timestamp(),
    error = format('Unknown job type "%s". Known job types: %s.', j.job_type, (select string_agg(name, ', ' order by name) from public.job_kinds where enabled)),
    error_detail = jsonb_build_object('code', 'unknown_kind', 'stage', null, 'slide_index', null, 'message', 'Unknown job type', 'retryable', false)
  where j.kind is null and j.status = 'queued';
end $$;

revoke execute on function public.retry_job, public.cancel_job from public, anon;
grant execute on function public.retry_job, public.cancel_job to authenticated, service_role;
revoke execute on function public.sweep_jobs, public.due_jobs, public.sync_catalog from public, anon, authenticated;
grant execute on function public.sweep_jobs, public.due_jobs to service_role;
revoke execute on function public.sync_catalog from service_role;
