-- What workers call. Each function that carries a token changes nothing and raises PT409 when the lease is not held.
-- All locks are taken in one order (the job's row, then its calls, then spending counters), so that they cannot deadlock.

create function engine.lease_lost(job_id uuid) returns void
language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = 'PT409', message = format('The lease of job %s is not held by this attempt any more.', job_id),
    hint = 'Stop working on it: another attempt holds it, or it has ended.';
end $$;

create function engine.record_event(job public.jobs, kind text, actor text, detail jsonb default '{}') returns void
language sql set search_path = '' as $$
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  values (record_event.job.id, record_event.kind, record_event.actor, record_event.job.attempts, record_event.detail)
$$;

-- Ends the attempt of a job whose lease has run out: back to the queue at once, or failed when it has used up its attempts.
-- The caller holds the row's lock.
create function engine.expire_lease(job public.jobs, actor text) returns void
language plpgsql set search_path = '' as $$
declare
  last_one constant boolean := job.attempts >= job.max_attempts;
  stage constant text := job.checkpoint_data -> 'progress' ->> 'stage';
  message constant text := format('The worker stopped answering %s times in a row, so the job was given up.', job.attempts);
begin
  perform set_config('engine.hints', 'off', true);  -- whoever expires a lease looks after the job itself
  perform engine.abandon_calls(job.id);
  perform engine.record_event(job, 'lease_expired', actor, jsonb_build_object('worker', job.worker, 'lease_expired_at', job.lease_expires_at));
  update public.jobs set
    status = case when last_one then 'failed' else 'queued' end,
    error = case when last_one then message end,
    error_detail = jsonb_build_object('code', 'worker_lost', 'stage', stage, 'slide_index', null, 'message', message, 'retryable', true),
    completed_at = case when last_one then clock_timestamp() end,
    scheduled_for = clock_timestamp(), lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where id = job.id;
  perform set_config('engine.hints', 'on', true);
  if last_one then
    perform engine.record_event(job, 'failed', actor, jsonb_build_object('code', 'worker_lost', 'stage', stage, 'message', message));
  end if;
end $$;

create function public.claim_job(job_id uuid, worker text, kinds text[] default null)
returns table (id uuid, user_id uuid, kind text, job_type text, payload jsonb, checkpoint_data jsonb, attempt integer, max_attempts integer,
               lease_token uuid, lease_s double precision, trace_id text, created_at timestamptz)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  job public.jobs;
  job_kind public.job_kinds;
begin
  select * into job from public.jobs j where j.id = claim_job.job_id and j.status in ('queued', 'processing') for no key update;
  if not found or (claim_job.kinds is not null and job.kind <> all (claim_job.kinds)) then
    return;
  end if;
  select * into job_kind from public.job_kinds k where k.name = job.kind and k.enabled;
  if not found then
    return;
  end if;
  if job.status = 'processing' then
    if job.lease_expires_at > clock_timestamp() then
      return;
    end if;
    perform engine.expire_lease(job, claim_job.worker);
    if job.attempts >= job.max_attempts then
      return;
    end if;
  elsif job.scheduled_for > clock_timestamp() then
    return;
  end if;
  update public.jobs j set
    status = 'processing', attempts = j.attempts + 1, worker = claim_job.worker, lease_token = gen_random_uuid(),
    lease_expires_at = clock_timestamp() + make_interval(secs => job_kind.lease_s),
    started_at = coalesce(j.started_at, clock_timestamp()), updated_at = clock_timestamp()
  where j.id = job.id
  returning * into job;
  perform engine.record_event(job, 'claimed', claim_job.worker);
  return query select job.id, job.user_id, job.kind, job.job_type, coalesce(job.payload, '{}'), coalesce(job.checkpoint_data, '{}'),
    job.attempts, job.max_attempts, job.lease_token, job_kind.lease_s, job.trace_id, job.created_at;
end $$;

create function public.heartbeat_job(job_id uuid, token uuid, out held boolean, out cancelled boolean)
language plpgsql security definer set search_path = '' as $$
begin
  update public.jobs j
  set lease_expires_at = clock_timestamp() + make_interval(secs => (select k.lease_s from public.job_kinds k where k.name = j.kind))
  where j.id = heartbeat_job.job_id and j.lease_token = heartbeat_job.token;
  held := found;
  cancelled := not held and exists (select from public.jobs j where j.id = heartbeat_job.job_id and j.status = 'cancelled');
end $$;

create function public.checkpoint_job(job_id uuid, token uuid, data jsonb, progress jsonb default null) returns void
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs;
begin
  update public.jobs j set
    checkpoint_data = coalesce(j.checkpoint_data, '{}') || coalesce(checkpoint_job.data, '{}')
      || case when checkpoint_job.progress is null then '{}' else jsonb_build_object('progress', checkpoint_job.progress) end,
    lease_expires_at = clock_timestamp() + make_interval(secs => (select k.lease_s from public.job_kinds k where k.name = j.kind)),
    updated_at = clock_timestamp()
  where j.id = checkpoint_job.job_id and j.lease_token = checkpoint_job.token
  returning * into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  if coalesce(data, '{}') <> '{}' then
    perform engine.record_event(job, 'checkpoint', job.worker, coalesce(progress, '{}'));
  end if;
end $$;

-- Call it in the transaction that writes the draft: either both happen or neither.
create function public.complete_job(job_id uuid, token uuid, result jsonb) returns void
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  job public.jobs;
begin
  update public.jobs j set
    status = 'completed', result = complete_job.result, error = null, error_detail = null, completed_at = clock_timestamp(),
    lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where j.id = complete_job.job_id and j.lease_token = complete_job.token
  returning * into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  perform engine.abandon_calls(job.id);
  perform engine.record_event(job, 'completed', job.worker);
end $$;

create function public.continue_job(job_id uuid, token uuid, after_s double precision default 0) returns void
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs;
begin
  update public.jobs j set
    status = 'queued', attempts = j.attempts - 1, lease_token = null, lease_expires_at = null, updated_at = clock_timestamp(),
    scheduled_for = clock_timestamp() + make_interval(secs => greatest(continue_job.after_s, 0))
  where j.id = continue_job.job_id and j.lease_token = continue_job.token
  returning * into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  perform engine.abandon_calls(job.id);
  perform engine.record_event(job, 'continued', job.worker, jsonb_build_object('after_s', after_s));
end $$;

-- Retryable: due again after a pause drawn from [0, min(retry_cap_s, retry_base_s · 2^(attempt-1))), "full jitter"; else failed.
create function public.fail_job(job_id uuid, token uuid, error jsonb, retryable boolean) returns text
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  job public.jobs;
  job_kind public.job_kinds;
  again boolean;
  pause_s double precision;
begin
  select * into job from public.jobs j where j.id = fail_job.job_id and j.lease_token = fail_job.token for no key update;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  select * into job_kind from public.job_kinds k where k.name = job.kind;
  again := fail_job.retryable and job.attempts < job.max_attempts;
  pause_s := random() * least(job_kind.retry_cap_s, job_kind.retry_base_s * 2 ^ least(job.attempts - 1, 30));
  update public.jobs j set
    status = case when again then 'queued' else 'failed' end,
    error = case when not again then coalesce(fail_job.error ->> 'message', 'The job failed without saying why.') end,
    error_detail = fail_job.error,
    completed_at = case when not again then clock_timestamp() end,
    scheduled_for = case when again then clock_timestamp() + make_interval(secs => pause_s) else j.scheduled_for end,
    lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where j.id = job.id;
  perform engine.abandon_calls(job.id);
  perform engine.record_event(job, case when again then 'retried' else 'failed' end, job.worker,
    jsonb_build_object('error', error) || case when again then jsonb_build_object('after_s', round(pause_s::numeric, 3)) else '{}' end);
  return case when again then 'queued' else 'failed' end;
end $$;

create function public.release_job(job_id uuid, token uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs;
begin
  update public.jobs j set
    status = 'queued', attempts = j.attempts - 1, lease_token = null, lease_expires_at = null,
    scheduled_for = clock_timestamp(), updated_at = clock_timestamp()
  where j.id = release_job.job_id and j.lease_token = release_job.token
  returning * into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  perform engine.abandon_calls(job.id);
  perform engine.record_event(job, 'released', job.worker);
end $$;

do $$
declare
  name text;
begin
  foreach name in array array['claim_job', 'heartbeat_job', 'checkpoint_job', 'complete_job', 'continue_job', 'fail_job', 'release_job'] loop
    execute format('revoke execute on function public.%I from public, anon, authenticated', name);
    execute format('grant execute on function public.%I to service_role', name);
  end loop;
end $$;
