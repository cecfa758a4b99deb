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
  if job.user_id is null then
    raise exception using errcode = 'PT422', message = 'This job belongs to no user, so it cannot be run.';
  end if;
  if not exists (select from public.job_kinds k where k.name = job.kind and k.enabled) then
    raise exception using errcode = 'PT403', message = format('Jobs of the type "%s" are switched off at the moment.', job.job_type);
  end if;
  update public.jobs j set
    status = 'queued', attempts = 0, error = null, error_detail = null, completed_at = null, scheduled_for = clock_timestamp(),
    trace_id = coalesce(j.trace_id, replace(gen_random_uuid()::text, '-', '')), updated_at = clock_timestamp()
  where j.id = job.id
  returning * into job;
  insert into public.job_events (job_id, kind, actor, attempt, detail) values (job.id, 'retried', engine.actor(), 0, '{"manual": true}');
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
  insert into public.job_events (job_id, kind, actor, attempt) values (job.id, 'cancelled', engine.actor(), job.attempts);
  return job;
end $$;

-- Takes back the jobs of silent workers and tells which jobs are due, the longest waiting first.
create function public.sweep_jobs(max_jobs integer default 1000)
returns table (id uuid, kind text, service text, attempts integer, scheduled_for timestamptz)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
declare
  expired record;
begin
  for expired in
    select j.id from public.jobs j where j.completed_at is null and j.status = 'processing' and j.lease_expires_at <= clock_timestamp()
    order by j.lease_expires_at limit sweep_jobs.max_jobs for no key update skip locked
  loop
    perform engine.expire_lease(expired.id, 'sweep');
  end loop;
  return query
    -- A subquery is a fixed value, so the index is read up to it and not through everything that is scheduled for later.
    select j.id, j.kind, k.service, j.attempts, j.scheduled_for
    from public.jobs j join public.job_kinds k on k.name = j.kind and k.enabled
    where j.completed_at is null and j.status = 'queued' and j.scheduled_for <= (select clock_timestamp())
    order by j.scheduled_for limit sweep_jobs.max_jobs;
end $$;

-- Where to send jobs that a hint has named: those of them that are due. (One plan for all numbers of ids: planning takes longer
-- than looking up a few.)
create function public.due_jobs(ids uuid[])
returns table (id uuid, kind text, service text, attempts integer, scheduled_for timestamptz)
language plpgsql security definer set search_path = '' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    select j.id, j.kind, k.service, j.attempts, j.scheduled_for
    from public.jobs j join public.job_kinds k on k.name = j.kind and k.enabled
    where j.id = any (due_jobs.ids) and j.status = 'queued' and j.scheduled_for <= clock_timestamp()
    order by j.scheduled_for;
end $$;

-- Makes job_kinds equal to shared/catalog.yaml. Kinds that are gone from it stay for their old jobs, switched off.
create function public.sync_catalog(catalog jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  twice text;
begin
  select claimed.name into twice
  from jsonb_each(catalog -> 'kinds') kind,
       lateral (select kind.key union all select jsonb_array_elements_text(coalesce(kind.value -> 'aliases', '[]'))) claimed (name)
  group by claimed.name having count(*) > 1 limit 1;
  if found then
    raise exception using errcode = 'PT422', message = format('The catalogue has the job type name "%s" twice.', twice);
  end if;
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
  update public.job_kinds set enabled = false, aliases = '{}' where not (catalog -> 'kinds') ? name;

  -- Jobs from before the catalogue existed.
  update public.jobs j set kind = k.name, max_attempts = k.max_attempts
  from public.job_kinds k where j.kind is null and (k.name = lower(trim(j.job_type)) or lower(trim(j.job_type)) = any (k.aliases));
  with refused as (
    update public.jobs j set
      status = 'failed', completed_at = clock_timestamp(), updated_at = clock_timestamp(),
      error = format('Unknown job type "%s". Known job types: %s.', left(j.job_type, 80),
        (select string_agg(name, ', ' order by name) from public.job_kinds where enabled)),
      error_detail = jsonb_build_object('code', 'unknown_kind', 'stage', null, 'slide_index', null, 'message', 'Unknown job type.', 'retryable', false)
    where j.kind is null and j.status = 'queued'
    returning j.id, j.attempts, j.error_detail
  )
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select id, 'failed', 'migration', attempts, jsonb_build_object('migrated', true, 'error', error_detail) from refused;
end $$;

revoke execute on function public.retry_job, public.cancel_job from public, anon;
grant execute on function public.retry_job, public.cancel_job to authenticated, service_role;
revoke execute on function public.sweep_jobs, public.due_jobs, public.sync_catalog from public, anon, authenticated;
grant execute on function public.sweep_jobs, public.due_jobs to service_role;
revoke execute on function public.sync_catalog from service_role;
revoke execute on all functions in schema engine from public;
