-- What is spent: an alarm when a limit comes near and when it is reached, once for each day, and views of the ledger.
-- squawk-ignore-file ban-drop-function

create table public.spend_alarms (
  scope text not null check (scope in ('overall', 'user', 'kind', 'job')),
  scope_key text not null,
  day date not null,
  level integer not null check (level in (80, 100)),
  limit_usd numeric not null,
  spent_usd numeric not null,
  at timestamptz not null default clock_timestamp(),
  primary key (scope, scope_key, day, level)
);
comment on table public.spend_alarms is 'One row a limit, day and level; who is told of it follows from an insert here';
comment on column public.spend_alarms.day is 'in São Paulo; 1970-01-01 for the scope job, whose money is not a day''s';
comment on column public.spend_alarms.level is '80: so many percent of the limit are spent; 100: all of it is, or a job failed for want of the rest';

-- Turns a reservation into what it really cost, on all its counters.
create or replace function engine.settle_budget(call public.model_calls, cost numeric) returns void
language plpgsql set search_path = '' as $$
declare
  released constant numeric := case when call.status = 'reserved' then call.reserved_usd else 0 end;
begin
  perform from engine.spend_counters c where c.scope = 'overall' and c.scope_key = '*' and c.day = call.day for update;
  with counter as (
    update engine.spend_counters c set spent_usd = c.spent_usd + cost, reserved_usd = c.reserved_usd - released
    from (values ('overall', '*', call.day), ('user', call.user_id::text, call.day), ('kind', call.kind, call.day),
      ('job', call.job_id::text, 'epoch'::date)) s (scope, scope_key, day)
    where c.scope = s.scope and c.scope_key = s.scope_key and c.day = s.day
    returning c.scope, c.scope_key, c.day, c.spent_usd
  )
  insert into public.spend_alarms (scope, scope_key, day, level, limit_usd, spent_usd)
  select c.scope, c.scope_key, c.day, case when c.spent_usd >= l.usd then 100 else 80 end, l.usd, c.spent_usd
  from counter c
  cross join lateral (
    select l.usd from public.spend_limits l where l.scope = c.scope and l.scope_key in (c.scope_key, '*') and l.usd is not null
    order by l.scope_key = '*' limit 1
  ) l
  where cost > 0 and c.spent_usd >= l.usd * 0.8
  on conflict do nothing;
end $$;

drop function engine.counters_of;

-- A refused reservation is rolled back with all that it could have noted; the job that failed of it tells which limit it was.
create function engine.note_spent_limit() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.spend_alarms (scope, scope_key, day, level, limit_usd, spent_usd)
  select r.scope, r.scope_key, case when r.scope = 'job' then 'epoch' else engine.day_of(r.resets_at) - 1 end, 100, r.limit_usd, r.spent_usd
  from jsonb_to_record(new.error_detail -> 'limit')
    r (scope text, scope_key text, limit_usd numeric, spent_usd numeric, resets_at timestamptz)
  on conflict do nothing;
  return null;
exception when data_exception or integrity_constraint_violation then
  raise warning 'no alarm for %: %', new.error_detail, sqlerrm;  -- the job ends all the same
  return null;
end $$;
-- Only ends of jobs set error_detail, so claims, heartbeats and checkpoints do not even look at the condition.
create trigger note_spent_limit after update of error_detail on public.jobs
  for each row when (new.status = 'failed' and new.error_detail ->> 'code' = 'budget_exceeded') execute function engine.note_spent_limit();

alter table public.spend_alarms enable row level security;
revoke all on public.spend_alarms from public, anon, authenticated, service_role;
grant select on public.spend_alarms to authenticated, service_role;
create policy "people see their own alarms, staff the general ones" on public.spend_alarms for select to authenticated using (
  (select engine.is_admin())
  or scope in ('overall', 'kind') and (select engine.is_staff())
  or scope = 'user' and scope_key = (select auth.uid())::text
  or scope = 'job' and exists (select from public.jobs j where j.id = case when scope = 'job' then scope_key::uuid end)
);

-- Rows of a day lie together, so that a month is read without the rest; unlike a b-tree this costs an insert nothing.
create index model_calls_day on public.model_calls using brin (day) with (pages_per_range = 16, autosummarize = on);

-- The ledger by day, for people their own calls and for administrators all. Calls, tokens, images and searches include what failed.
-- cost_usd: paid; wasted_usd: the part of it that failed calls and abandoned ones cost; reserved_usd: under way.
create view public.spend_by_day with (security_invoker = true) as
  select c.day, count(*) as calls, sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens,
    sum(c.thought_tokens) as thought_tokens, sum(c.images) as images, sum(c.search_queries) as searches, sum(c.cost_usd) as cost_usd,
    coalesce(sum(c.reserved_usd) filter (where c.status = 'reserved'), 0) as reserved_usd,
    coalesce(sum(c.cost_usd) filter (where c.status in ('failed', 'abandoned')), 0) as wasted_usd
  from public.model_calls c group by c.day;

create view public.spend_by_user with (security_invoker = true) as
  select c.day, c.user_id, count(*) as calls, sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens,
    sum(c.thought_tokens) as thought_tokens, sum(c.images) as images, sum(c.search_queries) as searches, sum(c.cost_usd) as cost_usd,
    coalesce(sum(c.reserved_usd) filter (where c.status = 'reserved'), 0) as reserved_usd,
    coalesce(sum(c.cost_usd) filter (where c.status in ('failed', 'abandoned')), 0) as wasted_usd
  from public.model_calls c group by c.day, c.user_id;

create view public.spend_by_kind with (security_invoker = true) as
  select c.day, c.kind, count(*) as calls, sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens,
    sum(c.thought_tokens) as thought_tokens, sum(c.images) as images, sum(c.search_queries) as searches, sum(c.cost_usd) as cost_usd,
    coalesce(sum(c.reserved_usd) filter (where c.status = 'reserved'), 0) as reserved_usd,
    coalesce(sum(c.cost_usd) filter (where c.status in ('failed', 'abandoned')), 0) as wasted_usd
  from public.model_calls c group by c.day, c.kind;

create view public.spend_by_model with (security_invoker = true) as
  select c.day, c.model, count(*) as calls, sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens,
    sum(c.thought_tokens) as thought_tokens, sum(c.images) as images, sum(c.search_queries) as searches, sum(c.cost_usd) as cost_usd,
    coalesce(sum(c.reserved_usd) filter (where c.status = 'reserved'), 0) as reserved_usd,
    coalesce(sum(c.cost_usd) filter (where c.status in ('failed', 'abandoned')), 0) as wasted_usd
  from public.model_calls c group by c.day, c.model;

create view public.spend_by_stage with (security_invoker = true) as
  select c.day, c.kind, c.stage, count(*) as calls, sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens,
    sum(c.thought_tokens) as thought_tokens, sum(c.images) as images, sum(c.search_queries) as searches, sum(c.cost_usd) as cost_usd,
    coalesce(sum(c.reserved_usd) filter (where c.status = 'reserved'), 0) as reserved_usd,
    coalesce(sum(c.cost_usd) filter (where c.status in ('failed', 'abandoned')), 0) as wasted_usd
  from public.model_calls c group by c.day, c.kind, c.stage;

create view public.spend_by_draft with (security_invoker = true) as
  select j.id as job_id, j.user_id, j.kind, (j.completed_at at time zone 'America/Sao_Paulo')::date as day, j.result #>> '{draft,title}' as title,
    j.result #>> '{draft,table}' as draft_table, j.result #>> '{draft,id}' as draft_id, spent.*
  from public.jobs j
  cross join lateral (
    select count(*) as calls, coalesce(sum(c.input_tokens), 0) as input_tokens, coalesce(sum(c.output_tokens), 0) as output_tokens,
      coalesce(sum(c.thought_tokens), 0) as thought_tokens, coalesce(sum(c.images), 0) as images,
      coalesce(sum(c.search_queries), 0) as searches, coalesce(sum(c.cost_usd), 0) as cost_usd,
      coalesce(sum(c.reserved_usd) filter (where c.status = 'reserved'), 0) as reserved_usd,
      coalesce(sum(c.cost_usd) filter (where c.status in ('failed', 'abandoned')), 0) as wasted_usd
    from public.model_calls c where c.job_id = j.id
  ) spent
  where j.result ? 'draft';

revoke all on public.spend_by_day, public.spend_by_user, public.spend_by_kind, public.spend_by_model, public.spend_by_stage, public.spend_by_draft
  from public, anon, authenticated, service_role;
grant select on public.spend_by_day, public.spend_by_user, public.spend_by_kind, public.spend_by_model, public.spend_by_stage, public.spend_by_draft
  to authenticated, service_role;
revoke execute on all functions in schema engine from public;
