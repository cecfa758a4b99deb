-- Batches: jobs that belong together. They share a brief, have an order, may wait for an earlier one, and are cancelled together.
-- Locks, in this order: the batch's advisory lock (it joins and cancels: no job comes in while it is being cancelled), then its jobs'
-- rows by batch_order, then what hangs on them as for any job, then the batch's row.

create table public.job_batches (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  title text not null check (char_length(title) between 1 and 200),
  brief jsonb not null default '{}' check (jsonb_typeof(brief) = 'object'),
  created_at timestamptz not null default now(),
  cancelled_at timestamptz
);
comment on table public.job_batches is 'Jobs that belong together: a sequence of posts, an uploaded list';
comment on column public.job_batches.brief is 'what all its jobs share: it is in each job''s payload, where the job''s own goes before it';
comment on column public.job_batches.cancelled_at is 'since then no job can join it';
create index job_batches_user_id on public.job_batches (user_id, created_at desc);

-- squawk-ignore-file adding-foreign-key-constraint
-- None of these columns, nor a condition on one, is changed by a claim, a heartbeat or a checkpoint.
alter table public.jobs
  add column batch_id uuid references public.job_batches (id) on delete cascade,
  add column batch_order integer,
  add column depends_on uuid references public.jobs (id) on delete set null;
comment on column public.jobs.depends_on is 'an earlier job of the same batch: this one is not claimed before that one is completed';
create unique index jobs_batch_id on public.jobs (batch_id, batch_order) where batch_id is not null;
create index jobs_depends_on on public.jobs (depends_on) where depends_on is not null;
grant insert (batch_id, batch_order, depends_on) on public.jobs to authenticated;

create function engine.check_new_batch() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.title := trim(new.title);
  if coalesce(char_length(new.title), 0) not between 1 and 200 then
    raise exception using errcode = 'PT422', message = 'A batch needs a title of at most 200 characters.';
  end if;
  if new.brief is null or new.brief = 'null' then
    new.brief := '{}';
  end if;
  if jsonb_typeof(new.brief) <> 'object' then
    raise exception using errcode = 'PT422', message = format('The brief of a batch must be a JSON object, not %s.', jsonb_typeof(new.brief));
  end if;
  if octet_length(new.brief::text) > 65536 then
    raise exception using errcode = 'PT413', message = 'The brief of the batch is larger than 64 KiB.';
  end if;
  return new;
end $$;
create trigger check_new_batch before insert on public.job_batches for each row execute function engine.check_new_batch();

-- The payload as it is kept; null is an empty one.
create function engine.check_payload(payload jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  if payload is null or payload = 'null' then
    return '{}';
  end if;
  if jsonb_typeof(payload) <> 'object' then
    raise exception using errcode = 'PT422', message = format('The payload of a job must be a JSON object, not %s.', jsonb_typeof(payload));
  end if;
  if octet_length(payload::text) > 262144 then
    raise exception using errcode = 'PT413', message = 'The payload is larger than 256 KiB.',
      hint = 'Put long texts or files into Storage and give their path.';
  end if;
  return payload;
end $$;

create function engine.lock_batch(batch_id uuid) returns void
language plpgsql set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('batch:' || batch_id, 0));
end $$;

-- The new job with its place in the batch and with the batch's brief.
create function engine.join_batch(job public.jobs) returns public.jobs
language plpgsql set search_path = '' as $$
declare
  batch public.job_batches;
  earlier record;
begin
  perform engine.lock_batch(job.batch_id);
  select * into batch from public.job_batches b where b.id = job.batch_id and b.user_id = job.user_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such batch, or it is not yours.';
  end if;
  if batch.cancelled_at is not null then
    raise exception using errcode = 'PT422', message = format('The batch "%s" is cancelled, so no job can be added to it.', batch.title),
      hint = 'Start a new batch.';
  end if;
  job.payload := engine.check_payload(batch.brief || job.payload);
  if job.batch_order is null then
    select coalesce(max(j.batch_order), 0) + 1 into job.batch_order from public.jobs j where j.batch_id = job.batch_id;
  end if;
  if job.depends_on is not null then
    -- Shared with other newcomers; the end of that job waits, and then sees this one.
    select j.status into earlier from public.jobs j
    where j.id = job.depends_on and j.batch_id = job.batch_id and j.batch_order < job.batch_order for share;
    if not found then
      raise exception using errcode = 'PT422', message = 'A job can only wait for an earlier job of the same batch (depends_on).';
    end if;
    if earlier.status in ('failed', 'cancelled') then
      raise exception using errcode = 'PT422', message = format('The job that this one would wait for is %s.', earlier.status),
        hint = 'Retry that job first.';
    end if;
  end if;
  return job;
end $$;

create or replace function engine.check_new_job() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  wanted constant text := lower(trim(new.job_type));
  job_kind public.job_kinds;
begin
  select * into job_kind from public.job_kinds k where k.name = wanted or wanted = any (k.aliases) limit 1;
  if not found then
    raise exception using errcode = 'PT422',
      message = format('Unknown job type "%s". Known job types: %s.', left(new.job_type, 80),
        (select string_agg(name, ', ' order by name) from public.job_kinds where enabled));
  end if;
  new.kind := job_kind.name;
  new.payload := engine.check_payload(new.payload);
  if new.status = 'queued' then
    if not job_kind.enabled then
      raise exception using errcode = 'PT403', message = format('%s (%s) is switched off at the moment.', job_kind.title, job_kind.name),
        hint = 'An administrator can switch it on.';
    end if;
    if new.user_id is null then
      raise exception using errcode = 'PT422', message = 'A job needs the user it is for (user_id).';
    end if;
    if new.scheduled_for > now() + interval '366 days' then
      raise exception using errcode = 'PT422', message = 'A job can be scheduled for a year ahead at most.';
    end if;
    -- Nothing is due before it was asked for: a time in the past would go before everybody else's jobs.
    new.scheduled_for := greatest(new.scheduled_for, now());
    new.max_attempts := job_kind.max_attempts;
    if new.trace_id is null then
      new.trace_id := replace(gen_random_uuid()::text, '-', '');
    elsif new.trace_id !~ '^[0-9a-f]{32}$' then
      raise exception using errcode = 'PT422', message = 'A trace id has 32 hexadecimal digits.';
    end if;
  end if;
  if new.batch_id is not null then
    new := engine.join_batch(new);
  elsif new.batch_order is not null or new.depends_on is not null then
    raise exception using errcode = 'PT422', message = 'Only a job of a batch has an order and can wait for another one (batch_id).';
  end if;
  return new;
end $$;

-- All jobs that wait for this one, through however many others; those that failed because of it alone when `stranded` is asked for.
-- None of them has run since this one was not completed. (Level by level, with lists of ids: that reads the index whatever the statistics say.)
create function engine.dependents_of(job_id uuid, stranded boolean default false) returns uuid[]
language plpgsql set search_path = '' as $$
declare
  level uuid[] := array[job_id];
  found_so_far uuid[] := '{}';
begin
  loop
    level := array(
      select j.id from public.jobs j where j.depends_on = any (level)
        and (not stranded or j.status = 'failed' and j.error_detail ->> 'code' = 'dependency_failed'));
    exit when cardinality(level) = 0;
    found_so_far := found_so_far || level;
  end loop;
  return found_so_far;
end $$;

create function engine.fail_dependents(job public.jobs, dependents uuid[]) returns void
language plpgsql set search_path = '' as $$
begin
  with told as (
    select w.id, jsonb_build_object('code', 'dependency_failed', 'stage', null, 'slide_index', null, 'retryable', true,
      'depends_on', w.depends_on, 'message', format(
        'This job waits for no. %s of its batch, %s%s, which %s. Retry that job: this one then waits for it again.',
        d.batch_order, k.title, coalesce(' "' || left(coalesce(d.payload ->> 'topic', d.payload ->> 'title'), 100) || '"', ''),
        case when d.id <> job.id then 'could not run either' when job.status = 'cancelled' then 'was cancelled' else 'failed' end)) as detail
    from public.jobs w join public.jobs d on d.id = w.depends_on join public.job_kinds k on k.name = d.kind
    where w.id = any (dependents) and w.status = 'queued'
  ), failed as (
    update public.jobs j set
      status = 'failed', error = t.detail ->> 'message', error_detail = t.detail, completed_at = clock_timestamp(), updated_at = clock_timestamp()
    from told t where j.id = t.id and j.id = any (dependents)
    returning j.id, j.attempts, j.error_detail, j.batch_order
  )
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select f.id, 'failed', engine.actor(), f.attempts, jsonb_build_object('error', f.error_detail) from failed f order by f.batch_order;
end $$;

create function engine.requeue_dependents(job public.jobs) returns void
language plpgsql set search_path = '' as $$
declare
  stranded constant uuid[] := engine.dependents_of(job.id, stranded => true);
begin
  with waiting as (
    update public.jobs j set
      status = 'queued', attempts = 0, error = null, error_detail = null, completed_at = null, updated_at = clock_timestamp()
    where j.id = any (stranded)
    returning j.id, j.batch_order
  )
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select w.id, 'retried', engine.actor(), 0, jsonb_build_object('manual', true, 'with', job.id) from waiting w order by w.batch_order;
end $$;

-- What the end or the retry of a job means for the jobs that wait for it.
create function engine.after_batch_job_moved() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  dependents uuid[];
begin
  if new.status = old.status or not (new.status in ('completed', 'failed', 'cancelled') or old.status in ('failed', 'cancelled')) then
    return null;  -- claimed, or given back
  end if;
  if current_setting('engine.dependents', true) = 'off' then
    return null;
  end if;
  if new.status = 'completed' then
    perform engine.send_hint('UPDATE', (
      select jsonb_agg(jsonb_build_object('id', j.id, 'kind', j.kind, 'service', k.service) order by j.batch_order)
      from public.jobs j join public.job_kinds k on k.name = j.kind
      where j.depends_on = new.id and j.status = 'queued' and j.scheduled_for <= clock_timestamp()
    ));
    return null;
  end if;
  if new.status = 'queued' and exists (select from public.jobs j where j.id = new.depends_on and j.status in ('failed', 'cancelled')) then
    raise exception using errcode = 'PT409', message = format('This job waits for no. %s of its batch, which has not succeeded.',
      (select j.batch_order from public.jobs j where j.id = new.depends_on)), hint = 'Retry that job; then this one can run.';
  end if;
  if coalesce(new.error_detail, old.error_detail) ->> 'code' = 'dependency_failed' then
    return null;  -- moved with the job that it waits for, and so were those that wait for it
  end if;
  dependents := engine.dependents_of(new.id);
  if cardinality(dependents) = 0 then
    return null;
  end if;
  -- Whatever their status: one that is just being retried is seen as it stands afterwards.
  perform from public.jobs j where j.id = any (dependents) order by j.batch_order for no key update;
  if new.status = 'queued' then
    perform engine.requeue_dependents(new);
  else
    perform engine.fail_dependents(new, dependents);
  end if;
  return null;
end $$;

-- A short condition, since every statement parses it anew; heartbeats and checkpoints do not even come to it.
create trigger after_batch_job_moved after update of status on public.jobs for each row when (new.batch_id is not null)
  execute function engine.after_batch_job_moved();

revoke execute on all functions in schema engine from public;
alter table public.job_batches enable row level security;
revoke all on public.job_batches from public, anon, authenticated, service_role;
grant select on public.job_batches to authenticated, service_role;
grant insert (id, user_id, title, brief) on public.job_batches to authenticated;
grant insert on public.job_batches to service_role;
create policy "people see their own batches, administrators all" on public.job_batches for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_admin()));
create policy "people start their own batches" on public.job_batches for insert to authenticated
  with check (user_id = (select auth.uid()));
