-- What happens when jobs are inserted or become due again: checks, the first event, and one hint a statement to the dispatcher.

create function engine.check_new_job() returns trigger
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
  if new.payload is null or new.payload = 'null' then
    new.payload := '{}';
  end if;
  if jsonb_typeof(new.payload) <> 'object' then
    raise exception using errcode = 'PT422', message = format('The payload of a job must be a JSON object, not %s.', jsonb_typeof(new.payload));
  end if;
  if octet_length(new.payload::text) > 262144 then
    raise exception using errcode = 'PT413', message = 'The payload is larger than 256 KiB.',
      hint = 'Put long texts or files into Storage and give their path.';
  end if;
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
  return new;
end $$;

create trigger check_new_job before insert on public.jobs for each row execute function engine.check_new_job();

-- A hint says "look at these jobs now". It carries ids and routing, nothing that a receiver would have to trust.
-- A lost hint costs time, never a job: the sweep finds what no hint announced. So nothing that goes wrong here may fail the statement.
create function engine.send_hint(event text, records jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  url text;
begin
  if records is null or to_regnamespace('net') is null then
    return;
  end if;
  url := engine.setting('dispatcher_url');
  if url is null then
    return;
  end if;
  perform net.http_post(
    url := url,
    body := jsonb_build_object('type', event, 'table', 'jobs', 'schema', 'public', 'record', records -> 0, 'old_record', null, 'records', records),
    params := '{}',
    headers := jsonb_build_object('content-type', 'application/json', 'x-webhook-secret', engine.setting('webhook_secret')),
    timeout_milliseconds := 5000
  );
exception when others then
  raise warning 'hint not sent: %', sqlerrm;
end $$;

create function engine.after_jobs_inserted() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  actor constant text := engine.actor();
  day_start timestamptz;
  quota record;
begin
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select i.id, 'queued', actor, 0, jsonb_build_object('job_type', i.job_type, 'kind', i.kind)
  from inserted i where i.status = 'queued';

  for quota in
    select distinct i.user_id, k.name, k.title, k.daily_quota
    from inserted i join public.job_kinds k on k.name = i.kind
    where i.status = 'queued' and k.daily_quota is not null
    order by i.user_id, k.name
  loop
    day_start := engine.day_start(engine.today());
    -- Concurrent inserts for the same user and kind wait for each other here, and then count each other.
    perform pg_advisory_xact_lock(hashtextextended('quota:' || quota.user_id || ':' || quota.name, 0));
    if (select count(*) from public.jobs j
        where j.user_id = quota.user_id and j.kind = quota.name and j.created_at >= day_start) > quota.daily_quota then
      raise exception using errcode = 'PT429',
        message = format('The daily limit of %s jobs of the kind "%s" is reached.', quota.daily_quota, quota.title),
        hint = 'The count starts again at midnight, São Paulo time.';
    end if;
  end loop;

  perform engine.send_hint('INSERT', (
    select jsonb_agg(jsonb_build_object('id', due.id, 'kind', due.kind, 'service', k.service))
    from (select i.id, i.kind from inserted i where i.status = 'queued' and i.scheduled_for <= clock_timestamp() limit 5000) due
    join public.job_kinds k on k.name = due.kind
  ));
  return null;
end $$;

create trigger after_jobs_inserted after insert on public.jobs
  referencing new table as inserted for each statement execute function engine.after_jobs_inserted();

create function engine.after_jobs_updated() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- Nearly every update is a claim, a heartbeat, a checkpoint or an end: for them this trigger has to cost next to nothing.
  if not exists (select from after_update where status = 'queued') or current_setting('engine.hints', true) = 'off' then
    return null;
  end if;
  perform engine.send_hint('UPDATE', (
    select jsonb_agg(jsonb_build_object('id', due.id, 'kind', due.kind, 'service', k.service))
    from (
      select n.id, n.kind from after_update n join before_update o on o.id = n.id
      where n.status = 'queued' and n.scheduled_for <= clock_timestamp() and (o.status <> 'queued' or o.scheduled_for <> n.scheduled_for)
      limit 5000
    ) due
    join public.job_kinds k on k.name = due.kind
  ));
  return null;
end $$;

create trigger after_jobs_updated after update on public.jobs
  referencing old table as before_update new table as after_update
  for each statement execute function engine.after_jobs_updated();

-- For callers that prefer a function to a plain insert. Row level security applies as to an insert.
create function public.enqueue_job(job_type text, payload jsonb, user_id uuid default null, scheduled_for timestamptz default null)
returns public.jobs
language sql set search_path = '' as $$
  insert into public.jobs (user_id, job_type, payload, status, scheduled_for)
  values (coalesce(enqueue_job.user_id, auth.uid()), enqueue_job.job_type, enqueue_job.payload, 'queued', enqueue_job.scheduled_for)
  returning *
$$;
revoke execute on function public.enqueue_job from public, anon;
grant execute on function public.enqueue_job to authenticated, service_role;
revoke execute on all functions in schema engine from public;
