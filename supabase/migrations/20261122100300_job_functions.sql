-- What workers call. Each function that carries a token changes nothing and raises PT409 when the lease is not held.
-- All locks are taken in one order (the job's row, then its calls, then spending counters), so that they cannot deadlock.
-- These are hot paths: a row is found by its key whatever the statistics say (enable_seqscan), and payload and checkpoint are not
-- read unless they are asked for.

create function engine.lease_lost(job_id uuid) returns void
language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = 'PT409', message = format('The lease of job %s is not held by this attempt any more.', job_id),
    hint = 'Stop working on it: another attempt holds it, or it has ended.';
end $$;

-- Ends the attempt of a job whose lease has run out: back to the queue at once, or failed when it has used up its attempts.
-- The caller holds the row's lock, and looks after the job itself: it sends no hint.
create function engine.expire_lease(job_id uuid, actor text) returns void
language plpgsql set search_path = '' as $$
declare
  job record;
  last_one boolean;
  lost jsonb;
begin
  perform engine.abandon_calls(expire_lease.job_id);
  select j.attempts, j.max_attempts, j.worker, j.lease_expires_at, j.checkpoint_data #>> '{progress,stage}' as stage into strict job
  from public.jobs j where j.id = expire_lease.job_id;
  last_one := job.attempts >= job.max_attempts;
  lost := jsonb_build_object('code', 'worker_lost', 'stage', job.stage, 'slide_index', null, 'retryable', true, 'message',
    case when last_one then format('The worker stopped answering in the last of %s attempts, so the job was given up.', job.max_attempts)
         else 'The worker stopped answering.' end);
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  values (expire_lease.job_id, 'lease_expired', expire_lease.actor, job.attempts,
          jsonb_build_object('worker', job.worker, 'lease_expired_at', job.lease_expires_at));
  perform set_config('engine.hints', 'off', true);
  update public.jobs j set
    status = case when last_one then 'failed' else 'queued' end,
    error = case when last_one then lost ->> 'message' end,
    error_detail = lost,
    completed_at = case when last_one then clock_timestamp() end,
    scheduled_for = case when last_one then j.scheduled_for else clock_timestamp() end,
    lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where j.id = expire_lease.job_id;
  perform set_config('engine.hints', 'on', true);
  if last_one then
    insert into public.job_events (job_id, kind, actor, attempt, detail)
    values (expire_lease.job_id, 'failed', expire_lease.actor, job.attempts, jsonb_build_object('error', lost));
  end if;
end $$;

create function public.claim_job(job_id uuid, worker text, kinds text[] default null)
returns table (id uuid, user_id uuid, kind text, job_type text, payload jsonb, checkpoint_data jsonb, attempt integer, max_attempts integer,
               lease_token uuid, lease_s double precision, trace_id text, created_at timestamptz)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
begin
  return query
    with claimed as (
      update public.jobs j set
        status = 'processing', attempts = j.attempts + 1, worker = claim_job.worker, lease_token = gen_random_uuid(),
        lease_expires_at = clock_timestamp() + make_interval(secs => k.lease_s),
        started_at = coalesce(j.started_at, clock_timestamp()), updated_at = clock_timestamp(),
        -- What the former system left there may be anything.
        checkpoint_data = case when jsonb_typeof(j.checkpoint_data) <> 'object' then '{}' else j.checkpoint_data end
      from public.job_kinds k
      where j.id = claim_job.job_id and j.status = 'queued' and j.scheduled_for <= clock_timestamp()
        and k.name = j.kind and k.enabled and (claim_job.kinds is null or j.kind = any (claim_job.kinds))
      returning j.id, j.user_id, j.kind, j.job_type, j.payload, j.checkpoint_data, j.attempts, j.max_attempts, j.lease_token, k.lease_s,
        j.trace_id, j.created_at
    ), event as (
      insert into public.job_events (job_id, kind, actor, attempt) select c.id, 'claimed', claim_job.worker, c.attempts from claimed c
    )
    select c.id, c.user_id, c.kind, c.job_type,
      case when jsonb_typeof(c.payload) = 'object' then c.payload else '{}' end, coalesce(c.checkpoint_data, '{}'),
      c.attempts, c.max_attempts, c.lease_token, c.lease_s, c.trace_id, c.created_at
    from claimed c;
  if found then
    return;
  end if;
  -- A lease that has run out is taken over.
  perform from public.jobs j join public.job_kinds k on k.name = j.kind and k.enabled
  where j.id = claim_job.job_id and j.status = 'processing' and j.lease_expires_at <= clock_timestamp()
    and (claim_job.kinds is null or j.kind = any (claim_job.kinds))
  for no key update of j;
  if found then
    perform engine.expire_lease(claim_job.job_id, claim_job.worker);
    return query select * from public.claim_job(claim_job.job_id, claim_job.worker, claim_job.kinds);
  end if;
end $$;

create function public.heartbeat_job(job_id uuid, token uuid, out held boolean, out cancelled boolean)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  update public.jobs j set lease_expires_at = clock_timestamp() + make_interval(secs => k.lease_s)
  from public.job_kinds k
  where j.id = heartbeat_job.job_id and j.lease_token = heartbeat_job.token and k.name = j.kind;
  held := found;
  cancelled := false;
  if not held then
    cancelled := exists (select from public.jobs j where j.id = heartbeat_job.job_id and j.status = 'cancelled');
  end if;
end $$;

create function public.checkpoint_job(job_id uuid, token uuid, data jsonb, progress jsonb default null) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  saved constant jsonb := coalesce(data, '{}');
  shown constant jsonb := case when progress is null then '{}' else jsonb_build_object('progress', progress) end;
  job record;
begin
  if jsonb_typeof(saved) <> 'object' then
    raise exception using errcode = 'PT422', message = 'A checkpoint is a JSON object.';
  end if;
  update public.jobs j set
    checkpoint_data = coalesce(j.checkpoint_data, '{}') || saved || shown,
    lease_expires_at = clock_timestamp() + make_interval(secs => k.lease_s),
    updated_at = clock_timestamp()
  from public.job_kinds k
  where j.id = checkpoint_job.job_id and j.lease_token = checkpoint_job.token and k.name = j.kind
  returning j.worker, j.attempts into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  if saved <> '{}' then
    insert into public.job_events (job_id, kind, actor, attempt, detail)
    values (checkpoint_job.job_id, 'checkpoint', job.worker, job.attempts, coalesce(progress, '{}'));
  end if;
end $$;

-- Call it in the transaction that writes the draft: either both happen or neither.
create function public.complete_job(job_id uuid, token uuid, result jsonb) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
declare
  job record;
begin
  update public.jobs j set
    status = 'completed', result = complete_job.result, error = null, error_detail = null, completed_at = clock_timestamp(),
    lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where j.id = complete_job.job_id and j.lease_token = complete_job.token
  returning j.worker, j.attempts into job;
  if not found then
    perform engine.lease_lost(complete_job.job_id);
  end if;
  perform engine.abandon_calls(complete_job.job_id);
  insert into public.job_events (job_id, kind, actor, attempt) values (complete_job.job_id, 'completed', job.worker, job.attempts);
end $$;

-- The end of an attempt that does not count: the job waits again with what it has finished.
create function engine.give_back(job_id uuid, token uuid, after_s double precision, event text, detail jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  job record;
begin
  update public.jobs j set
    status = 'queued', attempts = j.attempts - 1, lease_token = null, lease_expires_at = null, updated_at = clock_timestamp(),
    scheduled_for = clock_timestamp() + make_interval(secs => after_s)
  where j.id = give_back.job_id and j.lease_token = give_back.token
  returning j.worker, j.attempts + 1 as attempt into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  perform engine.abandon_calls(job_id);
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  values (give_back.job_id, give_back.event, job.worker, job.attempt, give_back.detail);
end $$;

create function public.continue_job(job_id uuid, token uuid, after_s double precision default 0) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  perform engine.give_back(job_id, token, greatest(after_s, 0), 'continued', jsonb_build_object('after_s', greatest(after_s, 0)));
end $$;

create function public.release_job(job_id uuid, token uuid) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  perform engine.give_back(job_id, token, 0, 'released', '{}');
end $$;

-- Retryable: due again after a pause drawn from [0, min(retry_cap_s, retry_base_s · 2^(attempt-1))), "full jitter"; else failed.
create function public.fail_job(job_id uuid, token uuid, error jsonb, retryable boolean) returns text
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
declare
  job record;
  again boolean;
  pause_s double precision;
  message constant text := coalesce(nullif(fail_job.error ->> 'message', ''), 'The job failed without saying why.');
  problem constant jsonb := case when jsonb_typeof(fail_job.error) = 'object' then fail_job.error else '{}' end
    || jsonb_build_object('message', message);
begin
  select j.worker, j.attempts, j.max_attempts, k.retry_base_s, k.retry_cap_s into job
  from public.jobs j join public.job_kinds k on k.name = j.kind
  where j.id = fail_job.job_id and j.lease_token = fail_job.token for no key update of j;
  if not found then
    perform engine.lease_lost(fail_job.job_id);
  end if;
  again := coalesce(fail_job.retryable, false) and job.attempts < job.max_attempts;
  pause_s := random() * least(job.retry_cap_s, job.retry_base_s * 2 ^ least(job.attempts - 1, 30));
  update public.jobs j set
    status = case when again then 'queued' else 'failed' end,
    error = case when not again then message end,
    error_detail = problem,
    completed_at = case when not again then clock_timestamp() end,
    scheduled_for = case when again then clock_timestamp() + make_interval(secs => pause_s) else j.scheduled_for end,
    lease_token = null, lease_expires_at = null, updated_at = clock_timestamp()
  where j.id = fail_job.job_id;
  perform engine.abandon_calls(fail_job.job_id);
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  values (fail_job.job_id, case when again then 'retried' else 'failed' end, job.worker, job.attempts, jsonb_build_object('error', problem)
    || case when again then jsonb_build_object('after_s', round(pause_s::numeric, 3)) else '{}' end);
  return case when again then 'queued' else 'failed' end;
end $$;

revoke execute on all functions in schema engine from public;
revoke execute on function public.claim_job, public.heartbeat_job, public.checkpoint_job, public.complete_job, public.continue_job,
  public.release_job, public.fail_job from public, anon, authenticated;
grant execute on function public.claim_job, public.heartbeat_job, public.checkpoint_job, public.complete_job, public.continue_job,
  public.release_job, public.fail_job to service_role;
