-- The job engine's tables. `jobs` keeps every column and meaning that the front end relies on.

create table public.job_kinds (
  name text primary key,
  title text not null,
  service text not null,
  aliases text[] not null default '{}',
  enabled boolean not null default true,
  lease_s double precision not null check (lease_s > 0),
  max_attempts integer not null check (max_attempts > 0),
  retry_base_s double precision not null check (retry_base_s >= 0),
  retry_cap_s double precision not null check (retry_cap_s >= 0),
  concurrency integer not null check (concurrency > 0),
  daily_quota integer check (daily_quota >= 0)
);
comment on table public.job_kinds is 'Every job type; written by sync_catalog() from shared/catalog.yaml';

alter table public.jobs
  add column if not exists kind text,
  add column if not exists error_detail jsonb,
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists scheduled_for timestamptz not null default now(),
  add column if not exists attempts integer not null default 0,
  add column if not exists max_attempts integer not null default 5,
  add column if not exists lease_token uuid,
  add column if not exists lease_expires_at timestamptz,
  add column if not exists worker text,
  add column if not exists cost_usd numeric not null default 0,
  add column if not exists trace_id text;

-- Where a column of that name was there already, it may have been looser.
update public.jobs set
  updated_at = coalesce(updated_at, now()), scheduled_for = coalesce(scheduled_for, now()), attempts = coalesce(attempts, 0),
  max_attempts = coalesce(max_attempts, 5), cost_usd = coalesce(cost_usd, 0)
where updated_at is null or scheduled_for is null or attempts is null or max_attempts is null or cost_usd is null;
alter table public.jobs
  alter column updated_at set default now(), alter column updated_at set not null,
  alter column scheduled_for set default now(), alter column scheduled_for set not null,
  alter column attempts set default 0, alter column attempts set not null,
  alter column max_attempts set default 5, alter column max_attempts set not null,
  alter column cost_usd set default 0, alter column cost_usd set not null;

comment on column public.jobs.job_type is 'the name that was asked for; kind is its canonical name';
comment on column public.jobs.scheduled_for is 'when the job is due';

-- An older rule on the values of status would refuse the new ones.
do $$
declare
  old record;
begin
  for old in
    select c.conname from pg_catalog.pg_constraint c
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
    where c.conrelid = 'public.jobs'::regclass and c.contype = 'c' and a.attname = 'status'
  loop
    execute format('alter table public.jobs drop constraint %I', old.conname);
  end loop;
end $$;

-- Jobs of the former worker system. What was waiting goes on waiting; what was under way has lost its worker.
update public.jobs set status = 'queued', completed_at = null where status = 'pending' or status = 'queued' and completed_at is not null;

update public.jobs set
  error = coalesce(nullif(error, ''), format(
    'This job was interrupted in an earlier version of the system (its status was %s). Nothing was delivered. Retry it to run it again.',
    coalesce('"' || status || '"', 'empty'))),
  error_detail = jsonb_build_object('code', 'interrupted', 'stage', case when status like 'processing:_%' then substr(status, 12) end,
    'slide_index', null, 'message', 'Interrupted in an earlier version of the system.', 'retryable', true),
  completed_at = coalesce(completed_at, now()),
  status = 'failed'
where status is null or status not in ('queued', 'completed', 'failed', 'cancelled');

update public.jobs set
  error = coalesce(nullif(error, ''), 'This job belongs to no user, so it cannot be run. Start it again while signed in.'),
  error_detail = jsonb_build_object('code', 'no_user', 'stage', null, 'slide_index', null, 'message', 'The job belongs to no user.', 'retryable', false),
  completed_at = coalesce(completed_at, now()),
  status = 'failed'
where status = 'queued' and user_id is null;

update public.jobs set
  error = coalesce(nullif(error, ''), 'The payload of this job is not a JSON object, so it cannot be run. Start it again.'),
  error_detail = jsonb_build_object('code', 'invalid_payload', 'stage', null, 'slide_index', null, 'message', 'The payload is not a JSON object.', 'retryable', false),
  completed_at = coalesce(completed_at, now()),
  status = 'failed'
where status = 'queued' and jsonb_typeof(payload) not in ('object', 'null');

-- The text of a check is parsed anew by every statement that writes the table, so the long ones are functions: measured, a
-- heartbeat with three plain checks takes a third longer.
create function engine.is_status(status text, lease_token uuid, lease_expires_at timestamptz, completed_at timestamptz) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return case
    when status = 'processing' then lease_token is not null and lease_expires_at is not null and completed_at is null
    when status = 'queued' then lease_token is null and lease_expires_at is null and completed_at is null
    else status in ('completed', 'failed', 'cancelled') and lease_token is null and lease_expires_at is null end;
end $$;

create function engine.is_event_kind(kind text) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return kind in ('queued', 'claimed', 'checkpoint', 'continued', 'released', 'lease_expired', 'retried', 'completed', 'failed', 'cancelled');
end $$;

-- Every old row has just been brought in line, in this transaction.
-- squawk-ignore-file adding-not-nullable-field, constraint-missing-not-valid
alter table public.jobs
  alter column status set default 'queued',
  alter column status set not null,
  add constraint jobs_status_consistent check (engine.is_status(status, lease_token, lease_expires_at, completed_at));

-- Claims, heartbeats and checkpoints are heap-only updates: no index, nor its condition, has a column that they change, and pages
-- keep room for them. That is why the index of open jobs goes by completed_at and not by status.
alter table public.jobs set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
create index if not exists jobs_user_id_created_at on public.jobs (user_id, created_at desc);
create index if not exists jobs_created_at on public.jobs (created_at desc);
create index if not exists jobs_open on public.jobs (scheduled_for) where completed_at is null;

create table public.job_events (
  id bigint generated always as identity primary key,
  job_id uuid not null references public.jobs (id) on delete cascade,
  at timestamptz not null default clock_timestamp(),
  kind text not null check (engine.is_event_kind(kind)),
  actor text not null,
  attempt integer not null,
  detail jsonb not null default '{}'
);
comment on table public.job_events is 'The audit log: one row for every transition of a job';
create index job_events_job_id on public.job_events (job_id, id);

-- What is known of older jobs is where their log begins.
insert into public.job_events (job_id, at, kind, actor, attempt, detail)
select id, at, kind, 'migration', 0, jsonb_strip_nulls(jsonb_build_object('migrated', true, 'error', error))
from (
  select id, coalesce(created_at, now()) as at, 'queued' as kind, null::jsonb as error from public.jobs
  union all
  select id, greatest(completed_at, started_at, coalesce(created_at, now())), status, error_detail from public.jobs where status <> 'queued'
) known
order by at, kind <> 'queued';

-- Where the hints go and what they carry; Vault is asked first where it exists.
create table engine.settings (
  key text primary key,
  value text not null
);

create function engine.set_setting(key text, value text) returns void
language sql set search_path = '' as $$
  insert into engine.settings values (set_setting.key, set_setting.value)
  on conflict (key) do update set value = excluded.value
$$;

create function engine.setting(name text) returns text
language plpgsql stable security definer set search_path = '' as $$
declare
  found_value text;
begin
  if to_regclass('vault.decrypted_secrets') is not null then
    execute 'select decrypted_secret from vault.decrypted_secrets where name = $1' into found_value using setting.name;
  end if;
  return coalesce(found_value, (select s.value from engine.settings s where s.key = setting.name));
end $$;

-- Days turn at midnight where the company is.
create function engine.day_of(moment timestamptz) returns date
language plpgsql stable set search_path = '' as $$
begin
  return (moment at time zone 'America/Sao_Paulo')::date;
end $$;

create function engine.today() returns date
language plpgsql volatile set search_path = '' as $$
begin
  return engine.day_of(clock_timestamp());
end $$;

create function engine.day_start(day date) returns timestamptz
language plpgsql stable set search_path = '' as $$
begin
  return day::timestamp at time zone 'America/Sao_Paulo';
end $$;

-- Who did it, for the audit log.
create function engine.actor() returns text
language plpgsql stable set search_path = '' as $$
begin
  return coalesce('user:' || auth.uid()::text, engine.caller_role());
end $$;
revoke execute on all functions in schema engine from public;
grant execute on function engine.is_status to authenticated, service_role;

alter table public.job_kinds enable row level security;
alter table public.job_events enable row level security;
alter table engine.settings enable row level security;
alter table public.jobs enable row level security;

-- `jobs` had policies of unknown names; these replace them all.
do $$
declare
  old record;
begin
  for old in select policyname from pg_catalog.pg_policies where schemaname = 'public' and tablename = 'jobs' loop
    execute format('drop policy %I on public.jobs', old.policyname);
  end loop;
end $$;

revoke all on public.jobs, public.job_kinds, public.job_events from public, anon, authenticated, service_role;
revoke all on engine.settings from public, anon, authenticated, service_role;
revoke all on sequence public.job_events_id_seq from public, anon, authenticated, service_role;
grant select on public.jobs, public.job_kinds, public.job_events to authenticated, service_role;
grant insert (id, user_id, job_type, payload, status, scheduled_for) on public.jobs to authenticated;
grant insert on public.jobs to service_role;

create policy "people see their own jobs, administrators all" on public.jobs for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_admin()));
create policy "people ask for themselves" on public.jobs for insert to authenticated
  with check (user_id = (select auth.uid()) and status = 'queued');
create policy "everyone signed in sees the kinds" on public.job_kinds for select to authenticated using (true);
create policy "events are seen with their job" on public.job_events for select to authenticated
  using (exists (select from public.jobs where jobs.id = job_events.job_id));

-- The front end listens to changes of `jobs`.
do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if not exists (select from pg_catalog.pg_publication_tables where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'jobs') then
    alter publication supabase_realtime add table public.jobs;
  end if;
end $$;
