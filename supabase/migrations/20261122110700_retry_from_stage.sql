-- A retry may start from a stage again instead of from the last checkpoint, and with another payload.

-- squawk-ignore-file ban-drop-constraint, ban-drop-function, constraint-missing-not-valid
alter table public.model_calls drop constraint model_calls_status_check;
-- The new rule allows more than the old one did, so no row can break it.
alter table public.model_calls add constraint model_calls_status_check
  check (status in ('reserved', 'settled', 'failed', 'abandoned', 'discarded'));
comment on column public.model_calls.status is
  'reserved: under way; settled: answered and replayable; failed: refused or unusable, with what it cost; abandoned: its attempt died or was replaced; discarded: answered and paid, but a retry started from before it, so it is never replayed';

create function engine.stages_done(checkpoint jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
declare
  done constant jsonb := checkpoint #> '{progress,stages_done}';
begin
  return case when jsonb_typeof(done) = 'array' then done else '[]' end;
end $$;

-- The place of `from_stage` among the stages of the job's kind, from 1 on. A job can only go back to where it has been.
create function engine.place_to_retry_from(job public.jobs, from_stage text) returns integer
language plpgsql stable set search_path = '' as $$
declare
  stages constant text[] := (select k.stages from public.job_kinds k where k.name = job.kind);
  place constant integer := array_position(stages, from_stage);
  last_reached integer;
begin
  if cardinality(stages) = 0 then
    raise exception using errcode = 'PT422', message = format('Jobs of the type "%s" have no stages to start from.', job.job_type),
      hint = 'Leave from_stage out.';
  end if;
  if place is null then
    raise exception using errcode = 'PT422',
      message = format('There is no stage "%s". The stages are: %s.', left(from_stage, 80), array_to_string(stages, ', '));
  end if;
  -- Progress is written twice a second at most: the stage that failed may be in the error alone.
  select max(array_position(stages, reached.name)) into last_reached
  from (
    select jsonb_array_elements_text(engine.stages_done(job.checkpoint_data))
    union all
    values (job.checkpoint_data #>> '{progress,stage}'), (job.checkpoint_data ->> 'rewind_to'), (job.error_detail ->> 'stage')
  ) reached (name);
  last_reached := coalesce(last_reached, 1);  -- every job has reached its beginning
  if place > last_reached then
    raise exception using errcode = 'PT422',
      message = format('This job has not reached the stage "%s" yet. It reached: %s.', from_stage, array_to_string(stages[:last_reached], ', '));
  end if;
  return place;
end $$;

-- A checkpoint without what came after the beginning of the stage at `place`. Of its own state, the pipeline drops that itself:
-- `rewind_to` tells it to.
create function engine.rewound_checkpoint(checkpoint jsonb, stages text[], place integer) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  if place = 1 then
    return '{}';
  end if;
  return case when jsonb_typeof(checkpoint) = 'object' then checkpoint else '{}' end || jsonb_build_object(
    'rewind_to', stages[place],
    'progress', jsonb_build_object('stage', null, 'message', null, 'done', null, 'total', null, 'stages_done', (
      select coalesce(jsonb_agg(done.name order by done.ordinality), '[]')
      from jsonb_array_elements_text(engine.stages_done(checkpoint)) with ordinality done (name)
      where done.name = any (stages[:place - 1])
    ))
  );
end $$;

-- Discards the answers of the stage at `place` and of all that came after them: every call since the first that has one of these
-- stages. Time decides and not the name alone, because a later stage may send the job back to an earlier one (a review asks for a
-- revision, which is written). What they cost stays.
create function engine.discard_calls(job_id uuid, stages text[], place integer) returns void
language plpgsql set search_path = '' as $$
begin
  update public.model_calls c set status = 'discarded'
  where c.job_id = discard_calls.job_id and c.status = 'settled' and (place = 1 or c.id >= (
    select min(first.id) from public.model_calls first
    where first.job_id = discard_calls.job_id and first.status = 'settled' and first.stage = any (stages[place:])
  ));
end $$;

-- Key by key: what it was, what it is.
create function engine.payload_changes(before jsonb, after jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return (
    select jsonb_object_agg(keys.key,
      case when before ? keys.key then jsonb_build_object('before', before -> keys.key) else '{}' end
      || case when after ? keys.key then jsonb_build_object('after', after -> keys.key) else '{}' end)
    from (select jsonb_object_keys(before) union select jsonb_object_keys(after)) keys (key)
    where before -> keys.key is distinct from after -> keys.key
  );
end $$;

-- Goes on from the last checkpoint with the same payload. With `from_stage`: from the beginning of that stage, with what came before
-- it kept. With another `payload` alone: from the very beginning, where what is asked in the same words is still answered from the
-- ledger.
drop function public.retry_job(uuid);
create function public.retry_job(job_id uuid, from_stage text default null, payload jsonb default null) returns public.jobs
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs := engine.lock_own_job(retry_job.job_id);
  former jsonb := case when jsonb_typeof(job.payload) = 'object' then job.payload else '{}' end;
  edited jsonb;
  stages text[];
  place integer;
begin
  if job.status in ('queued', 'processing') then
    return job;  -- asked twice
  end if;
  if job.status = 'completed' then
    raise exception using errcode = 'PT409', message = 'This job is completed; only failed and cancelled jobs can be retried.';
  end if;
  if job.user_id is null then
    raise exception using errcode = 'PT422', message = 'This job belongs to no user, so it cannot be run.';
  end if;
  select k.stages into stages from public.job_kinds k where k.name = job.kind and k.enabled;
  if not found then
    raise exception using errcode = 'PT403', message = format('Jobs of the type "%s" are switched off at the moment.', job.job_type);
  end if;
  if retry_job.payload <> 'null' then
    edited := nullif(engine.check_payload(retry_job.payload), former);
  end if;
  if retry_job.from_stage is not null then
    place := engine.place_to_retry_from(job, retry_job.from_stage);
    perform engine.discard_calls(job.id, stages, place);
  end if;
  update public.jobs j set
    status = 'queued', attempts = 0, error = null, error_detail = null, completed_at = null, scheduled_for = clock_timestamp(),
    payload = coalesce(edited, j.payload),
    checkpoint_data = case
      when place is not null then engine.rewound_checkpoint(j.checkpoint_data, stages, place)
      when edited is not null then '{}'
      else j.checkpoint_data end,
    trace_id = coalesce(j.trace_id, replace(gen_random_uuid()::text, '-', '')), updated_at = clock_timestamp()
  where j.id = job.id
  returning * into job;
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  values (job.id, 'retried', engine.actor(), 0, '{"manual": true}'
    || case when place is not null then jsonb_build_object('from_stage', retry_job.from_stage) else '{}' end
    || case when edited is not null then jsonb_build_object('payload_changes', engine.payload_changes(former, edited)) else '{}' end);
  return job;
end $$;

revoke execute on function public.retry_job from public, anon;
grant execute on function public.retry_job to authenticated, service_role;
revoke execute on all functions in schema engine from public;
