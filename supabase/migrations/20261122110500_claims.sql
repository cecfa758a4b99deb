-- Which jobs may run now, asked wherever a job is listed or claimed; and the worker's functions tell it to stop while a kill switch is
-- engaged.

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
