-- What people and services do with batches, and how a batch stands.

-- Jobs are [{"id"?, "job_type", "payload"?, "scheduled_for"?, "after"?: index of an earlier entry}]. All of them or none; row level
-- security and quotas apply as to an insert.
create function public.enqueue_batch(title text, brief jsonb, jobs jsonb, user_id uuid default null, id uuid default null)
returns public.job_batches
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  batch public.job_batches;
  ids uuid[];
  wrong bigint;
begin
  if jobs is null or jsonb_typeof(jobs) <> 'array' or jsonb_array_length(jobs) not between 1 and 50 then
    raise exception using errcode = 'PT422', message = 'A batch is made with a list of 1 to 50 jobs.';
  end if;
  select min(e.place) into wrong from jsonb_array_elements(jobs) with ordinality e (entry, place)
  where jsonb_typeof(e.entry) <> 'object' or not case jsonb_typeof(e.entry -> 'after')
    when 'number' then (e.entry ->> 'after')::numeric in (select generate_series(0, e.place - 2)) else coalesce(e.entry -> 'after', 'null') = 'null' end;
  if wrong is not null then
    raise exception using errcode = 'PT422', message = format('Entry %s of the jobs is not understood.', wrong - 1),
      hint = 'An entry is an object with job_type, payload, scheduled_for and after: the index, from 0, of an earlier entry.';
  end if;
  insert into public.job_batches (id, user_id, title, brief)
  values (coalesce(enqueue_batch.id, gen_random_uuid()), coalesce(enqueue_batch.user_id, auth.uid()), enqueue_batch.title, enqueue_batch.brief)
  returning * into batch;
  ids := array(select coalesce((e.entry ->> 'id')::uuid, gen_random_uuid()) from jsonb_array_elements(jobs) with ordinality e (entry, place) order by e.place);
  insert into public.jobs (id, user_id, job_type, payload, status, scheduled_for, batch_id, batch_order, depends_on)
  select ids[e.place], batch.user_id, e.entry ->> 'job_type', e.entry -> 'payload', 'queued', (e.entry ->> 'scheduled_for')::timestamptz,
    batch.id, e.place, ids[(e.entry ->> 'after')::integer + 1]
  from jsonb_array_elements(jobs) with ordinality e (entry, place) order by e.place;
  return batch;
end $$;

-- Cancels what is queued and running of it, leaves what has ended, and closes it. Cancelling twice, or when all has ended, is no error.
create function public.cancel_batch(batch_id uuid) returns public.job_batches
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  batch public.job_batches;
  open_jobs uuid[];
  open_job uuid;
begin
  select * into batch from public.job_batches b
  where b.id = cancel_batch.batch_id
    and (b.user_id = auth.uid() or engine.is_admin() or engine.caller_role() not in ('authenticated', 'anon'));
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such batch, or it is not yours.';
  end if;
  perform engine.lock_batch(batch.id);
  -- All rows first: whoever holds spending counters must not wait for a job. Ended ones too, for one may just be being retried.
  perform from public.jobs j where j.batch_id = batch.id order by j.batch_order for no key update;
  open_jobs := array(select j.id from public.jobs j where j.batch_id = batch.id and j.status in ('queued', 'processing') order by j.batch_order);
  foreach open_job in array open_jobs loop
    perform engine.abandon_calls(open_job);
  end loop;
  perform set_config('engine.dependents', 'off', true);  -- they are among these
  with cancelled as (
    update public.jobs j set
      status = 'cancelled', error = null, error_detail = null, completed_at = clock_timestamp(), lease_token = null, lease_expires_at = null,
      updated_at = clock_timestamp()
    where j.id = any (open_jobs)
    returning j.id, j.attempts, j.batch_order
  )
  insert into public.job_events (job_id, kind, actor, attempt)
  select c.id, 'cancelled', engine.actor(), c.attempts from cancelled c order by c.batch_order;
  perform set_config('engine.dependents', 'on', true);
  update public.job_batches b set cancelled_at = coalesce(b.cancelled_at, clock_timestamp()) where b.id = batch.id returning * into batch;
  return batch;
end $$;

create view public.job_batch_progress with (security_invoker = true) as
select b.id as batch_id, b.user_id, b.title, b.created_at, n.total, n.queued, n.processing, n.completed, n.failed, n.cancelled,
  case
    when n.queued = n.total then 'queued'
    when n.completed = n.total then 'completed'
    when n.queued + n.processing > 0 then 'processing'
    when n.failed > 0 then 'failed'
    else 'cancelled'
  end as state,
  n.cost_usd, n.started_at, case when n.queued + n.processing = 0 then n.completed_at end as completed_at
from public.job_batches b
cross join lateral (
  select count(*) as total, count(*) filter (where j.status = 'queued') as queued, count(*) filter (where j.status = 'processing') as processing,
    count(*) filter (where j.status = 'completed') as completed, count(*) filter (where j.status = 'failed') as failed,
    count(*) filter (where j.status = 'cancelled') as cancelled, coalesce(sum(j.cost_usd), 0) as cost_usd,
    min(j.started_at) as started_at, max(j.completed_at) as completed_at
  from public.jobs j where j.batch_id = b.id
) n;
comment on view public.job_batch_progress is 'How each batch stands; state: queued while none has started, failed and cancelled only when all have ended';
revoke all on public.job_batch_progress from public, anon, authenticated, service_role;
grant select on public.job_batch_progress to authenticated, service_role;

-- For the dispatcher: how long it may sleep before the next scheduled job is due; null when none is scheduled.
create function public.seconds_to_next_due() returns double precision
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  return (
    select extract(epoch from j.scheduled_for - clock_timestamp())
    from public.jobs j
    where j.completed_at is null and j.status = 'queued' and j.scheduled_for > (select clock_timestamp())
    order by j.scheduled_for limit 1
  );
end $$;

revoke execute on function public.enqueue_batch, public.cancel_batch from public, anon;
grant execute on function public.enqueue_batch, public.cancel_batch to authenticated, service_role;
revoke execute on function public.seconds_to_next_due from public, anon, authenticated;
grant execute on function public.seconds_to_next_due to service_role;
