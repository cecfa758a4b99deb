-- The call ledger: no request to a model without a reservation under the spending limits, no answer without its real cost.

create table public.model_calls (
  id bigint generated always as identity primary key,
  job_id uuid not null references public.jobs (id) on delete cascade,
  user_id uuid not null,
  kind text not null,
  attempt integer not null,
  lease_token uuid not null,
  stage text not null,
  call_key text not null,
  call_kind text not null check (call_kind in ('text', 'image', 'embedding', 'search')),
  model text not null,
  model_version text,
  prompt text not null,
  status text not null default 'reserved' check (status in ('reserved', 'settled', 'failed', 'abandoned')),
  day date not null,
  reserved_usd numeric not null,
  cost_usd numeric not null default 0,
  input_tokens integer not null default 0,
  output_tokens integer not null default 0,
  thought_tokens integer not null default 0,
  search_queries integer not null default 0,
  images integer not null default 0,
  response jsonb,
  blob bytea,
  blob_mime_type text,
  error jsonb,
  created_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  check (reserved_usd >= 0 and cost_usd >= 0 and reserved_usd < 'infinity' and cost_usd < 'infinity')  -- NaN is above infinity
);
comment on column public.model_calls.call_key is 'names the call within its job: the same stage, prompt, model and input give the same key, so a settled answer is replayed';
comment on column public.model_calls.status is 'reserved: under way; settled: answered and replayable; failed: refused or unusable, with what it cost; abandoned: its attempt died or was replaced';
-- At most one answer and one call under way for a key.
create unique index model_calls_once on public.model_calls (job_id, call_key) where status in ('reserved', 'settled');
create index model_calls_reserved on public.model_calls (job_id) where status = 'reserved';
create index model_calls_job_id on public.model_calls (job_id, id);
create index model_calls_user_id on public.model_calls (user_id, day);

-- How much may be spent. scope_key '*' stands for each one of the scope; a row of its own goes before it.
create table public.spend_limits (
  scope text not null check (scope in ('overall', 'user', 'kind', 'job')),
  scope_key text not null default '*',
  usd numeric not null check (usd >= 0),
  primary key (scope, scope_key)
);
comment on table public.spend_limits is 'USD a day; for the scope job, USD a job';
insert into public.spend_limits (scope, usd) values ('overall', 50), ('user', 20), ('job', 5);

-- What is spent and reserved. Whoever changes counters of a day locks that day's overall counter first, which makes check and
-- reservation one step under any concurrency and rules out deadlocks.
create table engine.spend_counters (
  scope text not null,
  scope_key text not null,
  day date not null,
  spent_usd numeric not null default 0,
  reserved_usd numeric not null default 0 check (reserved_usd >= 0),
  primary key (scope, scope_key, day)
) with (fillfactor = 50);

-- The four counters of a call. A job's counter is not a day's.
create function engine.counters_of(job_id uuid, user_id uuid, kind text, call_day date)
returns table (place integer, scope text, scope_key text, day date)
language plpgsql immutable rows 4 set search_path = '' as $$
begin
  return query values (1, 'overall', '*', call_day), (2, 'user', user_id::text, call_day), (3, 'kind', kind, call_day),
    (4, 'job', job_id::text, 'epoch'::date);
end $$;

create function engine.reserve_budget(job_id uuid, user_id uuid, kind text, day date, amount numeric) returns void
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  passed record;
  resets_at constant timestamptz := engine.day_start(reserve_budget.day + 1);
begin
  insert into engine.spend_counters as c (scope, scope_key, day, reserved_usd)
  select s.scope, s.scope_key, s.day, amount
  from engine.counters_of(reserve_budget.job_id, reserve_budget.user_id, reserve_budget.kind, reserve_budget.day) s order by s.place
  on conflict (scope, scope_key, day) do update set reserved_usd = c.reserved_usd + excluded.reserved_usd;

  select s.scope, l.usd, c.spent_usd + c.reserved_usd - amount as committed into passed
  from engine.counters_of(reserve_budget.job_id, reserve_budget.user_id, reserve_budget.kind, reserve_budget.day) s
  join engine.spend_counters c on c.scope = s.scope and c.scope_key = s.scope_key and c.day = s.day
  cross join lateral (
    select l.usd from public.spend_limits l where l.scope = s.scope and l.scope_key in (s.scope_key, '*')
    order by l.scope_key = '*' limit 1
  ) l
  where c.spent_usd + c.reserved_usd > l.usd
  order by s.place limit 1;
  if found then
    raise exception using errcode = 'PT429',
      message = case passed.scope
        when 'overall' then format('The daily spending limit of %s USD for everyone is reached.', passed.usd)
        when 'user' then format('Your daily spending limit of %s USD is reached.', passed.usd)
        when 'kind' then format('The daily spending limit of %s USD for jobs of the kind "%s" is reached.', passed.usd, reserve_budget.kind)
        else format('This job has reached its spending limit of %s USD.', passed.usd) end
        || case when passed.scope = 'job' then ' An administrator can raise it.'
           else format(' It resets on %s, São Paulo time.', to_char(resets_at at time zone 'America/Sao_Paulo', 'YYYY-MM-DD "at" HH24:MI')) end,
      detail = jsonb_build_object('scope', passed.scope, 'limit_usd', passed.usd, 'spent_usd', passed.committed,
        'asked_usd', amount, 'resets_at', case when passed.scope <> 'job' then resets_at end)::text;
  end if;
end $$;

-- Turns a reservation into what it really cost, on all its counters.
create function engine.settle_budget(call public.model_calls, cost numeric) returns void
language plpgsql set search_path = '' as $$
declare
  released constant numeric := case when call.status = 'reserved' then call.reserved_usd else 0 end;
begin
  perform from engine.spend_counters c where c.scope = 'overall' and c.scope_key = '*' and c.day = call.day for update;
  update engine.spend_counters c set spent_usd = c.spent_usd + cost, reserved_usd = c.reserved_usd - released
  from engine.counters_of(call.job_id, call.user_id, call.kind, call.day) s
  where c.scope = s.scope and c.scope_key = s.scope_key and c.day = s.day;
end $$;

-- Nothing stays reserved once its attempt is over. The caller holds the lock of the job's row.
create function engine.abandon_calls(job_id uuid) returns void
language plpgsql set search_path = '' as $$
declare
  call public.model_calls;
begin
  if not exists (select from public.model_calls c where c.job_id = abandon_calls.job_id and c.status = 'reserved') then
    return;  -- nearly always, and cheaper than an empty loop
  end if;
  for call in
    select * from public.model_calls c where c.job_id = abandon_calls.job_id and c.status = 'reserved' order by c.id for update
  loop
    perform engine.settle_budget(call, 0);
    update public.model_calls c set status = 'abandoned', settled_at = clock_timestamp() where c.id = call.id;
  end loop;
end $$;

-- Nor when the job itself is deleted.
create function engine.release_deleted_call() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform engine.settle_budget(old, 0);
  return null;
end $$;
create trigger release_deleted_call after delete on public.model_calls for each row when (old.status = 'reserved')
  execute function engine.release_deleted_call();

create function public.reserve_call(job_id uuid, token uuid, call_key text, stage text, call_kind text, model text, prompt text, reserve_usd numeric)
returns table (call_id bigint, replayed boolean, response jsonb, blob bytea, blob_mime_type text)
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
#variable_conflict use_column
declare
  job record;
  today constant date := engine.today();  -- asked once: the call and its counters belong to the same day
begin
  select j.user_id, j.kind, j.attempts into job
  from public.jobs j where j.id = reserve_call.job_id and j.lease_token = reserve_call.token for no key update;
  if not found then
    perform engine.lease_lost(reserve_call.job_id);
  end if;
  return query
    select c.id, true, c.response, c.blob, c.blob_mime_type from public.model_calls c
    where c.job_id = reserve_call.job_id and c.call_key = reserve_call.call_key and c.status = 'settled';
  if found then
    return;
  end if;
  perform engine.reserve_budget(reserve_call.job_id, job.user_id, job.kind, today, reserve_call.reserve_usd);
  return query
    insert into public.model_calls as c (job_id, user_id, kind, attempt, lease_token, stage, call_key, call_kind, model, prompt, day, reserved_usd)
    values (reserve_call.job_id, job.user_id, job.kind, job.attempts, reserve_call.token, reserve_call.stage, reserve_call.call_key,
            reserve_call.call_kind, reserve_call.model, reserve_call.prompt, today, reserve_call.reserve_usd)
    returning c.id, false, null::jsonb, null::bytea, null::text;
end $$;

-- Money is a fact: the cost is recorded even when the lease is lost. The answer of such a call is not kept, so nothing that a
-- replaced attempt did can be replayed by its successor. Returns whether the lease is held.
create function engine.close_call(call_id bigint, token uuid, cost_usd numeric, usage jsonb, outcome text, response jsonb, blob bytea,
                                  blob_mime_type text, error jsonb) returns boolean
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  call public.model_calls;
  of_job uuid;
  held boolean;
begin
  select c.job_id into of_job from public.model_calls c where c.id = close_call.call_id and c.lease_token = close_call.token;
  if not found then
    raise exception using errcode = 'PT404', message = 'This attempt made no such call.';
  end if;
  select coalesce(j.lease_token = close_call.token, false) into held from public.jobs j where j.id = of_job for no key update;
  select * into call from public.model_calls c where c.id = close_call.call_id for update;
  if call.status in ('settled', 'failed') or (call.status = 'abandoned' and call.cost_usd > 0) then
    return held;  -- said twice
  end if;
  perform engine.settle_budget(call, close_call.cost_usd);
  update public.model_calls c set
    status = case when held then outcome else 'abandoned' end,
    cost_usd = close_call.cost_usd,
    model_version = usage ->> 'model_version',
    input_tokens = coalesce((usage ->> 'input_tokens')::integer, 0),
    output_tokens = coalesce((usage ->> 'output_tokens')::integer, 0),
    thought_tokens = coalesce((usage ->> 'thought_tokens')::integer, 0),
    search_queries = coalesce((usage ->> 'search_queries')::integer, 0),
    images = coalesce((usage ->> 'images')::integer, 0),
    response = case when held then close_call.response end,
    blob = case when held then close_call.blob end,
    blob_mime_type = case when held then close_call.blob_mime_type end,
    error = close_call.error,
    settled_at = clock_timestamp()
  where c.id = call.id;
  if close_call.cost_usd > 0 then
    update public.jobs j set cost_usd = j.cost_usd + close_call.cost_usd where j.id = of_job;
  end if;
  return held;
end $$;

create function public.settle_call(call_id bigint, token uuid, cost_usd numeric, usage jsonb, response jsonb, blob bytea default null,
                                   blob_mime_type text default null) returns boolean
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  return engine.close_call(call_id, token, cost_usd, usage, 'settled', response, blob, blob_mime_type, null);
end $$;

create function public.fail_call(call_id bigint, token uuid, cost_usd numeric, usage jsonb, error jsonb) returns boolean
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
begin
  return engine.close_call(call_id, token, cost_usd, usage, 'failed', null, null, null, error);
end $$;

revoke execute on function public.reserve_call, public.settle_call, public.fail_call from public, anon, authenticated;
grant execute on function public.reserve_call, public.settle_call, public.fail_call to service_role;
revoke execute on all functions in schema engine from public;

alter table public.model_calls enable row level security;
alter table public.spend_limits enable row level security;
alter table engine.spend_counters enable row level security;
revoke all on public.model_calls, public.spend_limits from public, anon, authenticated, service_role;
revoke all on engine.spend_counters from public, anon, authenticated, service_role;
revoke all on sequence public.model_calls_id_seq from public, anon, authenticated, service_role;
grant select on public.model_calls, public.spend_limits to authenticated, service_role;
grant insert, update, delete on public.spend_limits to authenticated;
create policy "calls are seen with their job" on public.model_calls for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_admin()));
create policy "everyone signed in sees the limits" on public.spend_limits for select to authenticated using (true);
create policy "administrators set limits" on public.spend_limits for insert to authenticated with check ((select engine.is_admin()));
create policy "administrators change limits" on public.spend_limits for update to authenticated
  using ((select engine.is_admin())) with check ((select engine.is_admin()));
create policy "administrators lift limits" on public.spend_limits for delete to authenticated using ((select engine.is_admin()));
