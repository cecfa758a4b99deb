-- Which jobs may run now, asked wherever a job is listed or claimed; and the worker's functions tell it to stop while a kill switch is
-- engaged. Workers of the version before go on: they call the same names with the same arguments.
-- squawk-ignore-file ban-drop-function

-- Pages of a compressed checkpoint cost four fifths of the time that writing it takes, and each one is replaced by the next.
alter table public.jobs alter column checkpoint_data set storage external;

create function engine.is_completed(job_id uuid) returns boolean
language plpgsql stable set search_path = '' as $$
begin
  return exists (select from public.jobs j where j.id = is_completed.job_id and j.status = 'completed');
end $$;

create or replace function public.claim_job(job_id uuid, worker text, kinds text[] default null)
returns table (id uuid, user_id uuid, kind text, job_type text, payload jsonb, checkpoint_data jsonb, attempt integer, max_attempts integer,
               lease_token uuid, lease_s double precision, trace_id text, created_at timestamptz)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
declare
  waiting record;
begin
  if engine.has_slot_limits() then
    select j.user_id, j.kind into waiting from public.jobs j
    where j.id = claim_job.job_id and j.status = 'queued' for no key update;
    if found and not engine.take_slot(claim_job.job_id, waiting.user_id, waiting.kind) then
      return;
    end if;
  end if;
  return query
    with claimed as (
      update public.jobs j set
        status = 'processing', attempts = j.attempts + 1, worker = claim_job.worker, lease_token = gen_random_uuid(),
        lease_expires_at = clock_timestamp() + make_interval(secs => k.lease_s),
        started_at = coalesce(j.started_at, clock_timestamp()), updated_at = clock_timestamp(),
        -- What the former system left there may be anything.
        checkpoint_data = case when jsonb_typeof(j.checkpoint_data) <> 'object' then '{}' else j.checkpoint_data end
      from engine.open_kinds k
      where j.id = claim_job.job_id and j.status = 'queued' and j.scheduled_for <= clock_timestamp() and k.name = j.kind
        and (j.depends_on is null or engine.is_completed(j.depends_on)) and (claim_job.kinds is null or j.kind = any (claim_job.kinds))
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

drop function public.heartbeat_job;
-- `paused`: a kill switch is engaged and no call is under way whose answer would be lost: give the job back.
create function public.heartbeat_job(job_id uuid, token uuid, out held boolean, out cancelled boolean, out paused boolean)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  kind text;
begin
  update public.jobs j set lease_expires_at = clock_timestamp() + make_interval(secs => k.lease_s)
  from public.job_kinds k
  where j.id = heartbeat_job.job_id and j.lease_token = heartbeat_job.token and k.name = j.kind
  returning j.kind into kind;
  held := found;
  cancelled := false;
  paused := false;
  if not held then
    cancelled := exists (select from public.jobs j where j.id = heartbeat_job.job_id and j.status = 'cancelled');
  elsif exists (select from engine.stopped_kinds s where s.name = kind) then
    paused := not exists (select from public.model_calls c where c.job_id = heartbeat_job.job_id and c.status = 'reserved');
  end if;
end $$;

drop function public.checkpoint_job;
-- Returns whether a kill switch is engaged: then this was the last step for now, give the job back.
create function public.checkpoint_job(job_id uuid, token uuid, data jsonb, progress jsonb default null) returns boolean
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
  returning j.worker, j.attempts, j.kind into job;
  if not found then
    perform engine.lease_lost(job_id);
  end if;
  if saved <> '{}' then
    insert into public.job_events (job_id, kind, actor, attempt, detail)
    values (checkpoint_job.job_id, 'checkpoint', job.worker, job.attempts, coalesce(progress, '{}'));
  end if;
  return exists (select from engine.stopped_kinds s where s.name = job.kind);
end $$;

drop function public.continue_job;
create function public.continue_job(job_id uuid, token uuid, after_s double precision default 0, reason text default null) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  perform engine.give_back(job_id, token, greatest(after_s, 0), 'continued',
    jsonb_strip_nulls(jsonb_build_object('after_s', greatest(after_s, 0), 'reason', reason)));
end $$;

drop function public.release_job;
create function public.release_job(job_id uuid, token uuid, reason text default null) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  perform engine.give_back(job_id, token, 0, 'released', jsonb_strip_nulls(jsonb_build_object('reason', reason)));
end $$;

-- Takes back the jobs of silent workers and tells which jobs are due, the longest waiting first.
create or replace function public.sweep_jobs(max_jobs integer default 1000)
returns table (id uuid, kind text, service text, attempts integer, scheduled_for timestamptz)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
declare
  expired record;
  blocked text[];
begin
  for expired in
    select j.id from public.jobs j where j.completed_at is null and j.status = 'processing' and j.lease_expires_at <= clock_timestamp()
    order by j.lease_expires_at limit sweep_jobs.max_jobs for no key update skip locked
  loop
    perform engine.expire_lease(expired.id, 'sweep');
  end loop;
  blocked := array(select b.scope || ':' || b.scope_key from engine.blocked_scopes() b);
  return query
    -- A subquery is a fixed value, so the index is read up to it and not through everything that is scheduled for later.
    select j.id, j.kind, k.service, j.attempts, j.scheduled_for
    from public.jobs j join engine.open_kinds k on k.name = j.kind
    where j.completed_at is null and j.status = 'queued' and j.scheduled_for <= (select clock_timestamp())
      and (blocked = '{}' or not blocked && array['overall:*', 'kind:' || j.kind, 'user:' || j.user_id])
      and (j.depends_on is null or engine.is_completed(j.depends_on))
    order by j.scheduled_for limit sweep_jobs.max_jobs;
end $$;

-- Where to send jobs that a hint has named: those of them that are due. (One plan for all numbers of ids: planning takes longer
-- than looking up a few.)
create or replace function public.due_jobs(ids uuid[])
returns table (id uuid, kind text, service text, attempts integer, scheduled_for timestamptz)
language plpgsql security definer set search_path = '' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  blocked constant text[] := array(select b.scope || ':' || b.scope_key from engine.blocked_scopes() b);
begin
  return query
    select j.id, j.kind, k.service, j.attempts, j.scheduled_for
    from public.jobs j join engine.open_kinds k on k.name = j.kind
    where j.id = any (due_jobs.ids) and j.status = 'queued' and j.scheduled_for <= clock_timestamp()
      and (blocked = '{}' or not blocked && array['overall:*', 'kind:' || j.kind, 'user:' || j.user_id])
      and (j.depends_on is null or engine.is_completed(j.depends_on))
    order by j.scheduled_for;
end $$;

revoke execute on all functions in schema engine from public;
revoke execute on function public.heartbeat_job, public.checkpoint_job, public.continue_job, public.release_job from public, anon, authenticated;
grant execute on function public.heartbeat_job, public.checkpoint_job, public.continue_job, public.release_job to service_role;
