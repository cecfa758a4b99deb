-- The catalogue tells which stages a retry may start from, and when somebody is told that a job has ended.

alter table public.job_kinds
  add column notify_after_s double precision check (notify_after_s >= 0),
  add column stages text[] not null default '{}';

-- Makes job_kinds equal to shared/catalog.yaml. Kinds that are gone from it stay for their old jobs, switched off.
create or replace function public.sync_catalog(catalog jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  twice text;
begin
  select claimed.name into twice
  from jsonb_each(catalog -> 'kinds') kind,
       lateral (select kind.key union all select jsonb_array_elements_text(coalesce(kind.value -> 'aliases', '[]'))) claimed (name)
  group by claimed.name having count(*) > 1 limit 1;
  if found then
    raise exception using errcode = 'PT422', message = format('The catalogue has the job type name "%s" twice.', twice);
  end if;
  insert into public.job_kinds (name, title, service, aliases, enabled, lease_s, max_attempts, retry_base_s, retry_cap_s, concurrency, daily_quota,
    notify_after_s, stages)
  select kind.key, spec.title, spec.service, coalesce(spec.aliases, '{}'), spec.enabled, spec.lease_s, spec.max_attempts, spec.retry_base_s,
         spec.retry_cap_s, spec.concurrency, spec.daily_quota, spec.notify_after_s, coalesce(spec.stages, '{}')
  from jsonb_each(catalog -> 'kinds') kind,
       jsonb_to_record(kind.value) spec (title text, service text, aliases text[], enabled boolean, lease_s double precision,
         max_attempts integer, retry_base_s double precision, retry_cap_s double precision, concurrency integer, daily_quota integer,
         notify_after_s double precision, stages text[])
  on conflict (name) do update set
    title = excluded.title, service = excluded.service, aliases = excluded.aliases, enabled = excluded.enabled, lease_s = excluded.lease_s,
    max_attempts = excluded.max_attempts, retry_base_s = excluded.retry_base_s, retry_cap_s = excluded.retry_cap_s,
    concurrency = excluded.concurrency, daily_quota = excluded.daily_quota,
    notify_after_s = excluded.notify_after_s, stages = excluded.stages;
  update public.job_kinds set enabled = false, aliases = '{}' where not (catalog -> 'kinds') ? name;

  -- Jobs from before the catalogue existed.
  update public.jobs j set kind = k.name, max_attempts = k.max_attempts
  from public.job_kinds k where j.kind is null and (k.name = lower(trim(j.job_type)) or lower(trim(j.job_type)) = any (k.aliases));
  with refused as (
    update public.jobs j set
      status = 'failed', completed_at = clock_timestamp(), updated_at = clock_timestamp(),
      error = format('Unknown job type "%s". Known job types: %s.', left(j.job_type, 80),
        (select string_agg(name, ', ' order by name) from public.job_kinds where enabled)),
      error_detail = jsonb_build_object('code', 'unknown_kind', 'stage', null, 'slide_index', null, 'message', 'Unknown job type.', 'retryable', false)
    where j.kind is null and j.status = 'queued'
    returning j.id, j.attempts, j.error_detail
  )
  insert into public.job_events (job_id, kind, actor, attempt, detail)
  select id, 'failed', 'migration', attempts, jsonb_build_object('migrated', true, 'error', error_detail) from refused;
end $$;
