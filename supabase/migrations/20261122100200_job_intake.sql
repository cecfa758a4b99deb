-- What happens when jobs are inserted or become due again: checks, the first event, and one hint a statement to the dispatcher.

create function engine.resolve_kind(job_type text) returns public.job_kinds
language sql stable security definer set search_path = '' as $$
  select k from public.job_kinds k
  where k.name = lower(trim(resolve_kind.job_type)) or lower(trim(resolve_kind.job_type)) = any (k.aliases)
$$;

create function engine.check_new_job() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  job_kind public.job_kinds := engine.resolve_kind(new.job_type);
begin
  if job_kind.name is null then
    raise exception using errcode = 'PT422',
      message = format('Unknown job type "%s".', left(new.job_type, 80)),
      hint = 'Known job types: ' || (select string_agg(name, ', ' order by name) from public.job_kinds where enabled);
  end if;
  new.kind := job_kind.name;
  new.payload := coalesce(new.payload, '{}');
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
    new.max_attempts := job_kind.max_attempts;
    new.scheduled_for := coalesce(new.scheduled_for, clock_timestamp());
    new.trace_id := coalesce(new.trace_id, replace(gen_random_uuid()::text, '-', ''));
  end if;
  return new;
end $$;

create trigger check_new_job before insert on public.jobs for each row execute function engine.check_new_job();

-- A hint says "look at these jobs now". It carries ids and routing, nothing that a receiver would have to trust.
-- A lost hint costs time, never a job: the sweep finds what no hint announced.
create function engine.send_hint(event text, records jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  url text := engine.setting('dispatcher_url');
begin
  if records is null or url is null or to_regnamespace('net') is null then
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
  over record;
begin
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select id, 'queued', engine.actor(), 0, jsonb_build_object('job_type', job_type, 'kind', kind)
  from inserted where status = 'queued';

  -- One lock a user and kind, in a fixed order, so that concurrent inserts count each other.
  perform pg_advisory_xact_lock(hashtextextended('quota:' || q.user_id::text || ':' || q.kind, 0))
  from (
    select distinct i.user_id, i.kind from inserted i
    join public.job_kinds k on k.name = i.kind and k.daily_quota is not null
    where i.status = 'queued' order by i.user_id, i.kind
  ) q;
  select k.title, k.daily_quota into over
  from (select distinct user_id, kind from inserted where status = 'queued') i
  join public.job_kinds k on k.name = i.kind and k.daily_quota is not null
  where (select count(*) from public.jobs j
         where j.user_id = i.user_id and j.kind = i.kind and j.created_at >= engine.day_start(engine.today())) > k.daily_quota
  limit 1;
  if found then
    raise exception using errcode = 'PT429',
      message = format('The daily limit of %s jobs of the kind "%s" is reached.', over.daily_quota, over.title),
      hint = 'The count starts again at midnight, São Paulo time.';
  end if;

  perform engine.send_hint('INSERT', (
    select jsonb_agg(jsonb_build_object('id', due.id, 'kind', due.kind, 'service', k.service))
    from (select id, kind from inserted where status = 'queued' and scheduled_for <= clock_timestamp() limit 5000) due
    join public.job_kinds k on k.name = due.kind
  ));
  return null;
end $$;

create trigger after_jobs_inserted after insert on public.jobs
  referencing new table as inserted for each statement execute function engine.after_jobs_inserted();

create function engine.after_jobs_updated() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if current_setting('engine.hints', true) is distinct from 'off' then
    perform engine.send_hint('UPDATE', (
      select jsonb_agg(jsonb_build_object('id', n.id, 'kind', n.kind, 'service', k.service))
      from (select * from after_update where status = 'queued' and scheduled_for <= clock_timestamp() limit 5000) n
      join before_update o on o.id = n.id and (o.status <> 'queued' or o.scheduled_for <> n.scheduled_for)
      join public.job_kinds k on k.name = n.kind
    ));
  end if;
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
  values (coalesce(enqueue_job.user_id, auth.uid()), enqueue_job.job_type, enqueue_job.payload, 'queued',
          coalesce(enqueue_job.scheduled_for, clock_timestamp()))
  returning *
$$;
revoke execute on function public.enqueue_job from public, anon;
grant execute on function public.enqueue_job to authenticated, service_role;
