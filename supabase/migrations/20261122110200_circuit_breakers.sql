-- Calls that are not worth making: nothing is asked while a kill switch is engaged, nor of a model that has just failed again and
-- again. Both are refused with PT503, and DETAIL says which; the job waits, it does not fail.

create table public.circuit_breakers (
  model text primary key,
  failures integer not null default 0 check (failures >= 0),
  last_failure_at timestamptz,
  last_error text,
  opened_until timestamptz,
  pause_s double precision not null default 0 check (pause_s >= 0),
  probing_until timestamptz
);
comment on table public.circuit_breakers is 'One row for a model that has failed; without one, its circuit is closed';
comment on column public.circuit_breakers.failures is 'of the provider, in a row and at most a minute apart';
comment on column public.circuit_breakers.opened_until is 'null: closed; until then calls are refused; from then on half open, when one call at a time is let through to see';

create function engine.refuse_when_stopped(kind text) returns void
language plpgsql set search_path = '' as $$
begin
  if exists (select from engine.stopped_kinds s where s.name = kind) then
    raise exception using errcode = 'PT503', message = 'The kill switch is engaged: no call is made until it is lifted.',
      detail = jsonb_build_object('reason', 'kill_switch')::text;
  end if;
end $$;

create function engine.pass_circuit(model text) returns void
language plpgsql set search_path = '' as $$
declare
  breaker public.circuit_breakers;
  now_at constant timestamptz := clock_timestamp();
begin
  select * into breaker from public.circuit_breakers b where b.model = pass_circuit.model and b.opened_until is not null;
  if not found then
    return;  -- closed, which it nearly always is
  end if;
  if breaker.opened_until <= now_at then
    update public.circuit_breakers b set probing_until = now_at + interval '60 seconds'
    where b.model = pass_circuit.model and (b.probing_until is null or b.probing_until <= now_at);
    if found then
      return;
    end if;
  end if;
  raise exception using errcode = 'PT503', message = format('The model %s has failed again and again, so it is left alone for a while.', model),
    detail = jsonb_build_object('reason', 'circuit_open', 'model', model,
      'retry_after_s', round(greatest(extract(epoch from breaker.opened_until - now_at), 5), 3))::text;
end $$;

-- What an answer, or the lack of one, says of its model. Five failures of the provider in a row open the circuit for 10 s, or for as
-- long as the provider asks; each failed probe doubles that, up to five minutes. Any answer closes it. A call that was cancelled,
-- or that was wrong in itself, says nothing.
create function engine.note_answer(model text, outcome text, error jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  breaker public.circuit_breakers;
  now_at constant timestamptz := clock_timestamp();
begin
  if coalesce((error ->> 'provider_failure')::boolean, false) then
    insert into public.circuit_breakers as b (model, failures, last_failure_at, last_error)
    values (note_answer.model, 1, now_at, left(concat_ws(': ', error ->> 'code', error ->> 'message'), 300))
    on conflict on constraint circuit_breakers_pkey do update set
      failures = case when b.last_failure_at > now_at - interval '1 minute' then b.failures + 1 else 1 end,
      last_failure_at = now_at, last_error = excluded.last_error
    returning * into breaker;
    if breaker.failures >= 5 and breaker.opened_until is null or breaker.opened_until <= now_at then
      breaker.pause_s := least(300, greatest(10, breaker.pause_s * 2, coalesce((error ->> 'retry_after_s')::double precision, 0)));
      update public.circuit_breakers b set
        pause_s = breaker.pause_s, opened_until = now_at + make_interval(secs => breaker.pause_s), probing_until = null
      where b.model = note_answer.model;
    end if;
  elsif outcome = 'settled' or coalesce((error ->> 'answered')::boolean, false) then
    update public.circuit_breakers b set failures = 0, opened_until = null, pause_s = 0, probing_until = null
    where b.model = note_answer.model and (b.failures > 0 or b.opened_until is not null);
  end if;
end $$;

create or replace function public.reserve_call(job_id uuid, token uuid, call_key text, stage text, call_kind text, model text, prompt text, reserve_usd numeric)
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
  perform engine.refuse_when_stopped(job.kind);
  perform engine.reserve_budget(reserve_call.job_id, job.user_id, job.kind, today, reserve_call.reserve_usd);
  perform engine.pass_circuit(reserve_call.model);
  return query
    insert into public.model_calls as c (job_id, user_id, kind, attempt, lease_token, stage, call_key, call_kind, model, prompt, day, reserved_usd)
    values (reserve_call.job_id, job.user_id, job.kind, job.attempts, reserve_call.token, reserve_call.stage, reserve_call.call_key,
            reserve_call.call_kind, reserve_call.model, reserve_call.prompt, today, reserve_call.reserve_usd)
    returning c.id, false, null::jsonb, null::bytea, null::text;
end $$;

-- Money is a fact: the cost is recorded even when the lease is lost. The answer of such a call is not kept, so nothing that a
-- replaced attempt did can be replayed by its successor. Returns whether the lease is held.
create or replace function engine.close_call(call_id bigint, token uuid, cost_usd numeric, usage jsonb, outcome text, response jsonb, blob bytea,
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
  if call.status in ('settled', 'failed', 'discarded') or (call.status = 'abandoned' and call.cost_usd > 0) then
    return held;  -- said twice
  end if;
  perform engine.settle_budget(call, close_call.cost_usd);
  perform engine.note_answer(call.model, outcome, close_call.error);
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

alter table public.circuit_breakers enable row level security;
revoke all on public.circuit_breakers from public, anon, authenticated, service_role;
grant select on public.circuit_breakers to authenticated, service_role;
create policy "everyone signed in sees which models are left alone" on public.circuit_breakers for select to authenticated using (true);
revoke execute on all functions in schema engine from public;
