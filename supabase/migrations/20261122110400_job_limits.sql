-- Limits of jobs: how many a day, checked when they are inserted, and how many at the same time, checked when they are claimed.
-- Whoever changes a limit is on record.
--
-- For claims:
--   engine.has_slot_limits() returns boolean: call it first, before the job's row is locked. False: nothing else to do.
--   engine.take_slot(job_id uuid, user_id uuid, kind text) returns boolean: call it with the job's row locked. False: leave it queued.
--   engine.blocked_scopes() returns table (scope text, scope_key text): for lists of due jobs. ('overall', '*'), ('user', id) and
--     ('kind', name) whose jobs would be refused at this moment; locks nothing.
-- A transaction claims one job: two would wait for each other's.

-- squawk-ignore-file ban-drop-not-null, constraint-missing-not-valid
alter table public.spend_limits
  alter column usd drop not null,
  add column jobs_per_day integer check (jobs_per_day >= 0),
  add column concurrent_jobs integer check (concurrent_jobs >= 0),
  add column reason text,
  add column changed_by uuid,
  add column changed_at timestamptz not null default now(),
  add constraint spend_limits_limit_something check (num_nonnulls(usd, jobs_per_day, concurrent_jobs) > 0),
  add constraint spend_limits_job_has_a_cost_alone check (scope <> 'job' or num_nonnulls(jobs_per_day, concurrent_jobs) = 0);
comment on table public.spend_limits is 'How much of something a scope may use; a row of its own goes before the row ''*'' for each limit that it sets';
comment on column public.spend_limits.usd is 'USD a day; for the scope job, USD a job';
comment on column public.spend_limits.jobs_per_day is 'new jobs a day; a retry is not a new job';
comment on column public.spend_limits.concurrent_jobs is 'jobs that run at the same moment';
-- Empty where no such limit is set, which makes asking for one nearly free.
create index spend_limits_concurrent_jobs on public.spend_limits (scope) where concurrent_jobs is not null;

create function engine.note_changed_by() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  new.changed_by := auth.uid();
  new.changed_at := clock_timestamp();
  return new;
end $$;
create trigger note_changed_by before insert or update on public.spend_limits for each row execute function engine.note_changed_by();

create table public.control_changes (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  subject text not null check (subject in ('spend_limit', 'kill_switch')),
  key text not null, -- scope:scope_key of a limit, the kind of a kill switch
  before jsonb,
  after jsonb,
  reason text
);
comment on table public.control_changes is 'Who changed which limit or kill switch, when and why. Rows are added by triggers alone and never change';

create function engine.note_control_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  stamps constant text[] := array['changed_by', 'changed_at'];
  before constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - stamps end;
  after constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - stamps end;
  known constant jsonb := coalesce(after, before);
begin
  if before is distinct from after then
    insert into public.control_changes (actor, subject, key, before, after, reason)
    values (engine.actor(), case tg_table_name when 'spend_limits' then 'spend_limit' else 'kill_switch' end,
            coalesce(known ->> 'kind', (known ->> 'scope') || ':' || (known ->> 'scope_key')), before, after, after ->> 'reason');
  end if;
  return null;
end $$;
create trigger note_control_change after insert or update or delete on public.spend_limits
  for each row execute function engine.note_control_change();
create trigger note_control_change after insert or update or delete on public.kill_switches
  for each row execute function engine.note_control_change();

alter table public.control_changes enable row level security;
revoke all on public.control_changes from public, anon, authenticated, service_role;
revoke all on sequence public.control_changes_id_seq from public, anon, authenticated, service_role;
grant select on public.control_changes to authenticated, service_role;
create policy "administrators see who changed what" on public.control_changes for select to authenticated using ((select engine.is_admin()));

-- As before, but a limit may leave the money out, the refusal says whose limit it was, and the counters are read once.
create or replace function engine.reserve_budget(job_id uuid, user_id uuid, kind text, day date, amount numeric) returns void
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  passed record;
  resets_at constant timestamptz := engine.day_start(reserve_budget.day + 1);
begin
  with counter as (
    insert into engine.spend_counters as c (scope, scope_key, day, reserved_usd)
    select s.scope, s.scope_key, s.day, amount
    from (values (1, 'overall', '*', reserve_budget.day), (2, 'user', reserve_budget.user_id::text, reserve_budget.day),
      (3, 'kind', reserve_budget.kind, reserve_budget.day), (4, 'job', reserve_budget.job_id::text, 'epoch'::date)) s (place, scope, scope_key, day)
    order by s.place
    on conflict (scope, scope_key, day) do update set reserved_usd = c.reserved_usd + excluded.reserved_usd
    returning c.scope, c.scope_key, c.spent_usd + c.reserved_usd as committed
  )
  select c.scope, c.scope_key, l.usd, c.committed - amount as committed into passed
  from counter c
  cross join lateral (
    select l.usd from public.spend_limits l where l.scope = c.scope and l.scope_key in (c.scope_key, '*') and l.usd is not null
    order by l.scope_key = '*' limit 1
  ) l
  where c.committed > l.usd
  order by array_position(array['overall', 'user', 'kind', 'job'], c.scope) limit 1;
  if found then
    raise exception using errcode = 'PT429',
      message = case passed.scope
        when 'overall' then format('The daily spending limit of %s USD for everyone is reached.', passed.usd)
        when 'user' then format('Your daily spending limit of %s USD is reached.', passed.usd)
        when 'kind' then format('The daily spending limit of %s USD for jobs of the kind "%s" is reached.', passed.usd, reserve_budget.kind)
        else format('This job has reached its spending limit of %s USD.', passed.usd) end
        || case when passed.scope = 'job' then ' An administrator can raise it.'
           else format(' It resets on %s, São Paulo time.', to_char(resets_at at time zone 'America/Sao_Paulo', 'YYYY-MM-DD "at" HH24:MI')) end,
      detail = jsonb_build_object('scope', passed.scope, 'scope_key', passed.scope_key, 'limit_usd', passed.usd, 'spent_usd', passed.committed,
        'asked_usd', amount, 'resets_at', case when passed.scope <> 'job' then resets_at end)::text;
  end if;
end $$;

-- Counts no further than it has to. Claims and checkpoints change neither column, so their updates stay heap-only.
create index jobs_kind_created_at on public.jobs (kind, created_at desc);

create function engine.jobs_in_words(jobs integer) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return jobs || case jobs when 1 then ' job' else ' jobs' end;
end $$;

-- The limits of new jobs a day that a person's job is under; a null stands for everyone and for every kind.
create function engine.daily_job_limits(user_id uuid, kind text)
returns table (place integer, of_user uuid, of_kind text, jobs_per_day integer, words text)
language plpgsql stable rows 1 set search_path = '' as $$
#variable_conflict use_column
declare
  asked constant public.job_kinds := (select k from public.job_kinds k where k.name = daily_job_limits.kind);
begin
  if asked.daily_quota is not null then
    return query values (4, daily_job_limits.user_id, asked.name, asked.daily_quota, format('The daily limit of %s of the kind "%s" is reached.',
      engine.jobs_in_words(asked.daily_quota), asked.title));
  end if;
  if exists (select from public.spend_limits l where l.jobs_per_day is not null) then
    return query
      select distinct on (l.scope) s.place, s.user_id, s.kind, l.jobs_per_day, case l.scope
        when 'overall' then format('The daily limit of %s for everyone is reached.', engine.jobs_in_words(l.jobs_per_day))
        when 'user' then format('Your daily limit of %s is reached.', engine.jobs_in_words(l.jobs_per_day))
        else format('The daily limit of %s of the kind "%s" for everyone is reached.', engine.jobs_in_words(l.jobs_per_day), asked.title) end
      from (values (1, 'overall', null::uuid, null), (2, 'user', daily_job_limits.user_id, null), (3, 'kind', null, asked.name))
        s (place, scope, user_id, kind)
      join public.spend_limits l on l.scope = s.scope and l.scope_key in (s.user_id::text, s.kind, '*') and l.jobs_per_day is not null
      order by l.scope, l.scope_key = '*';
  end if;
end $$;

-- Whether more jobs were asked for since then than there may be.
create function engine.are_more_jobs(user_id uuid, kind text, since timestamptz, most integer) returns boolean
language plpgsql set search_path = '' set enable_seqscan = off as $$
begin
  return most < case
    when are_more_jobs.user_id is null and are_more_jobs.kind is null then (
      select count(*) from (select from public.jobs j where j.created_at >= since limit most::bigint + 1) today)
    when are_more_jobs.kind is null then (
      select count(*) from (select from public.jobs j
        where j.user_id = are_more_jobs.user_id and j.created_at >= since limit most::bigint + 1) today)
    when are_more_jobs.user_id is null then (
      select count(*) from (select from public.jobs j
        where j.kind = are_more_jobs.kind and j.created_at >= since limit most::bigint + 1) today)
    else (
      select count(*) from (select from public.jobs j
        where j.user_id = are_more_jobs.user_id and j.kind = are_more_jobs.kind and j.created_at >= since limit most::bigint + 1) today)
    end;
end $$;

create or replace function engine.after_jobs_inserted() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  actor constant text := engine.actor();
  today date;
  quota record;
begin
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select i.id, 'queued', actor, 0, jsonb_build_object('job_type', i.job_type, 'kind', i.kind)
  from inserted i where i.status = 'queued';

  for quota in
    select distinct q.* from (select distinct i.user_id, i.kind from inserted i where i.status = 'queued') asked
    cross join lateral engine.daily_job_limits(asked.user_id, asked.kind) q
    order by q.place, q.of_user, q.of_kind
  loop
    today := coalesce(today, engine.today());
    -- Concurrent inserts under the same limit wait for each other here, and then count each other; always in this order.
    perform pg_advisory_xact_lock(hashtextextended(format('quota:%s:%s', quota.of_user, quota.of_kind), 0));
    if engine.are_more_jobs(quota.of_user, quota.of_kind, engine.day_start(today), quota.jobs_per_day) then
      raise exception using errcode = 'PT429',
        message = format('%s It starts again on %s at 00:00, São Paulo time.', quota.words, today + 1);
    end if;
  end loop;

  perform engine.send_hint('INSERT', (
    select jsonb_agg(jsonb_build_object('id', due.id, 'kind', due.kind, 'service', k.service))
    from (select i.id, i.kind from inserted i where i.status = 'queued' and i.scheduled_for <= clock_timestamp() limit 5000) due
    join public.job_kinds k on k.name = due.kind
  ));
  return null;
end $$;

-- The jobs that run, as far as a limit of concurrent jobs covers them. A row may outlive its job's attempt, or its job: those rows go
-- when a limit seems to be reached.
create table engine.running_jobs (
  job_id uuid primary key,
  user_id uuid,
  kind text
);
alter table engine.running_jobs enable row level security;
revoke all on engine.running_jobs from public, anon, authenticated, service_role;

create function engine.has_slot_limits() returns boolean
language plpgsql set search_path = '' as $$
begin
  -- Whoever sets such a limit waits for the claims under way, which do not know of it, and then counts their jobs.
  perform pg_advisory_xact_lock_shared(hashtextextended('concurrent_jobs', 0));
  return exists (select from public.spend_limits l where l.concurrent_jobs is not null);
end $$;

create function engine.count_running_jobs() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('concurrent_jobs', 0));
  insert into engine.running_jobs (job_id, user_id, kind)
  select j.id, j.user_id, j.kind from public.jobs j where j.completed_at is null and j.status = 'processing'
  on conflict do nothing;
  return null;
end $$;
create trigger count_running_jobs after insert or update on public.spend_limits
  for each row when (new.concurrent_jobs is not null) execute function engine.count_running_jobs();

-- The limits of concurrent jobs that a job is under, with what counts against them.
create function engine.slots_of(user_id uuid, kind text) returns table (scope text, concurrent_jobs integer, running bigint)
language plpgsql stable rows 1 set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select distinct on (l.scope) l.scope, l.concurrent_jobs, (
      select count(*) from engine.running_jobs r
      where case l.scope when 'user' then r.user_id = slots_of.user_id when 'kind' then r.kind = slots_of.kind else true end)
    from public.spend_limits l
    where l.concurrent_jobs is not null
      and l.scope_key in ('*', case l.scope when 'user' then slots_of.user_id::text when 'kind' then slots_of.kind end)
    order by l.scope, l.scope_key = '*';
end $$;

create function engine.take_slot(job_id uuid, user_id uuid, kind text) returns boolean
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  covered boolean;
  refused boolean;
begin
  if not engine.has_slot_limits() then
    return true;
  end if;
  -- One claim at a time, up to its commit.
  perform pg_advisory_xact_lock(hashtextextended('take_slot', 0));
  delete from engine.running_jobs r where r.job_id = take_slot.job_id;
  select count(*) > 0, bool_or(s.running >= s.concurrent_jobs) into covered, refused from engine.slots_of(take_slot.user_id, take_slot.kind) s;
  if refused then
    delete from engine.running_jobs r
    where not exists (select from public.jobs j where j.id = r.job_id and j.status = 'processing');
    select bool_or(s.running >= s.concurrent_jobs) into refused from engine.slots_of(take_slot.user_id, take_slot.kind) s;
  end if;
  if covered and not refused then
    insert into engine.running_jobs (job_id, user_id, kind) values (take_slot.job_id, take_slot.user_id, take_slot.kind);
  end if;
  return not coalesce(refused, false);
end $$;

create function engine.blocked_scopes() returns table (scope text, scope_key text)
language plpgsql stable set search_path = '' as $$
#variable_conflict use_column
begin
  if not exists (select from public.spend_limits l where l.concurrent_jobs is not null) then
    return;
  end if;
  return query
    with used (scope, scope_key, running) as (
      select s.scope, s.scope_key, count(*)
      from engine.running_jobs r join public.jobs j on j.id = r.job_id and j.status = 'processing'
      cross join lateral (values ('overall', '*'), ('user', r.user_id::text), ('kind', r.kind)) s (scope, scope_key)
      group by 1, 2
      union all
      -- A limit of nothing blocks those too of whom nothing runs.
      select s.scope, s.scope_key, 0
      from public.jobs j cross join lateral (values ('overall', '*'), ('user', j.user_id::text), ('kind', j.kind)) s (scope, scope_key)
      where j.completed_at is null and exists (select from public.spend_limits l where l.concurrent_jobs = 0)
      group by 1, 2
    )
    select distinct u.scope, u.scope_key from used u
    where u.scope_key is not null and u.running >= (
      select l.concurrent_jobs from public.spend_limits l
      where l.scope = u.scope and l.scope_key in (u.scope_key, '*') and l.concurrent_jobs is not null
      order by l.scope_key = '*' limit 1);
end $$;
revoke execute on all functions in schema engine from public;
