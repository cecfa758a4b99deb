-- Notices: what people are told by e-mail and in Slack. A notice is written in the transaction that ends the job (an outbox), the
-- dispatcher's sweep sends it, and no message goes out twice: one whose fate is unknown is never sent again.

create table public.notification_preferences (
  user_id uuid primary key references auth.users (id) on delete cascade,
  email boolean not null default true,
  slack boolean not null default false,
  slack_member_id text check (slack_member_id ~ '^[UW][A-Z0-9]{2,20}$'),
  completed boolean not null default true,
  failed boolean not null default true,
  spending boolean not null default true,
  updated_at timestamptz not null default now()
);
comment on table public.notification_preferences is 'By which channels a person is told, and of what; without a row, the defaults';

create table public.notices (
  id bigint generated always as identity primary key,
  dedup_key text not null unique,
  kind text not null check (kind in ('job_completed', 'job_failed', 'batch_finished', 'spend_alarm')),
  user_id uuid references auth.users (id) on delete cascade,
  job_id uuid references public.jobs (id) on delete cascade,
  batch_id uuid references public.job_batches (id) on delete cascade,
  subject text not null,
  body text not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on column public.notices.user_id is 'whom it is about; null: for the administrators alone';
comment on column public.notices.dedup_key is 'what it tells of: that is told once';
create index notices_user_id on public.notices (user_id, created_at desc);
create index notices_job_id on public.notices (job_id) where job_id is not null;
create index notices_batch_id on public.notices (batch_id) where batch_id is not null;

-- pending → sending → sent | failed | uncertain, or back to pending; expired when nobody could send it for a day. The id goes
-- into the Message-ID of the mail, so it has to be unlike those of every other database.
create table public.notice_deliveries (
  id uuid primary key default gen_random_uuid(),
  notice_id bigint not null references public.notices (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  channel text not null check (channel in ('email', 'slack')),
  status text not null default 'pending' check (status in ('pending', 'sending', 'sent', 'failed', 'uncertain', 'expired')),
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  next_attempt_at timestamptz not null default clock_timestamp(),
  claimed_at timestamptz,
  sent_at timestamptz,
  last_error text,
  unique (notice_id, user_id, channel)
);
comment on column public.notice_deliveries.status is 'uncertain: it may have arrived, so it is not sent again';
create index notice_deliveries_user_id on public.notice_deliveries (user_id);
create index notice_deliveries_open on public.notice_deliveries (next_attempt_at) where status in ('pending', 'sending');

-- Each end of a batch's job leaves a mark. The sweep looks at the marked batches, after the commits that made the marks, so the
-- last two jobs may end at the same moment: no end has to wait for another, and none is overlooked.
create table engine.batch_ends (
  id bigint generated always as identity primary key,
  batch_id uuid not null
);

create function engine.touch_preferences() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger touch_preferences before update on public.notification_preferences
  for each row execute function engine.touch_preferences();

-- One line that is safe in a subject: without control characters, line separators and marks that turn the writing direction.
create function engine.one_line(said text, longest integer) returns text
language sql immutable set search_path = '' as $$
  select case when length(line) > longest then rtrim(left(line, longest - 1)) || '…' else line end
  from btrim(regexp_replace(said, '[\s\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+', ' ', 'g')) line
$$;

-- What people call a job: its kind, and the topic or title that they gave it.
create function engine.job_title(kind_title text, payload jsonb) returns text
language sql immutable set search_path = '' as $$
  select coalesce(engine.one_line(kind_title, 80), 'Job') || coalesce(' "' || nullif(engine.one_line(coalesce(
    case when jsonb_typeof(payload -> 'topic') = 'string' then nullif(payload ->> 'topic', '') end,
    case when jsonb_typeof(payload -> 'title') = 'string' then payload ->> 'title' end), 100), '') || '"', '')
$$;

create function engine.duration_text(took interval) returns text
language sql immutable set search_path = '' as $$
  select case when s < 60 then s || ' s' when s < 3600 then format('%s min %s s', s / 60, s % 60)
    else format('%s h %s min', s / 3600, s % 3600 / 60) end
  from (select greatest(0, floor(extract(epoch from took)))::bigint) seconds (s)
$$;

create function engine.usd_text(usd numeric) returns text
language sql immutable set search_path = '' as $$
  select to_char(coalesce(usd, 0), 'FM999999990.00') || ' USD'
$$;

-- Writes a notice once, with a delivery for each channel of each person who wants to know. `about` says which preferences
-- (completed, failed, spending) ask for it: one of them is enough.
create function engine.add_notice(key text, kind text, about text[], user_id uuid, with_admins boolean, job_id uuid, batch_id uuid,
                                  subject text, body text) returns void
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  new_id bigint;
begin
  insert into public.notices (dedup_key, kind, user_id, job_id, batch_id, subject, body)
  values (add_notice.key, add_notice.kind, add_notice.user_id, add_notice.job_id, add_notice.batch_id, engine.one_line(add_notice.subject, 200),
          add_notice.body)
  on conflict (dedup_key) do nothing returning id into new_id;
  if new_id is null then
    return;
  end if;
  insert into public.notice_deliveries (notice_id, user_id, channel)
  select new_id, person.id, channel.name
  from auth.users person
  left join public.notification_preferences p on p.user_id = person.id
  cross join (values ('email'), ('slack')) channel (name)
  where person.deleted_at is null
    and (person.id = add_notice.user_id or add_notice.with_admins and (
      person.raw_app_meta_data ->> 'role' = 'admin' or exists (select from public.admin_users a where a.user_id = person.id)))
    and case channel.name when 'email' then coalesce(p.email, true) else coalesce(p.slack, false) end
    and (coalesce(p.completed, true) and 'completed' = any (about) or coalesce(p.failed, true) and 'failed' = any (about)
      or coalesce(p.spending, true) and 'spending' = any (about));
end $$;

create function engine.manual_retries(job_ids uuid[]) returns table (total bigint, last_at timestamptz)
language sql stable set search_path = '' as $$
  select count(*), max(e.at) from public.job_events e
  where e.job_id = any (job_ids) and e.kind = 'retried' and e.detail ->> 'manual' = 'true'
$$;

-- A job took as long as its person waited: from when it was asked for, or was due, or was last retried by hand. (Automatic
-- retries and continuations move scheduled_for on; the first start tells then.)
create function engine.tell_of_job(job public.jobs) returns void
language plpgsql security definer set search_path = '' as $$
declare
  job_kind public.job_kinds;
  retries record;
  since timestamptz;
  title text;
begin
  select * into strict job_kind from public.job_kinds k where k.name = job.kind;
  title := engine.job_title(job_kind.title, job.payload);
  select * into retries from engine.manual_retries(array[job.id]);
  since := greatest(job.created_at, least(job.scheduled_for, job.started_at), retries.last_at);
  if job.status = 'completed' and job.completed_at - since < make_interval(secs => job_kind.notify_after_s) then
    return;
  end if;
  perform engine.add_notice(
    format('job:%s:%s:%s', job.id, job.status, retries.total), 'job_' || job.status, array[job.status], job.user_id, false, job.id, null,
    title || case job.status when 'completed' then ' is ready' else ' failed' end,
    concat_ws(e'\n\n',
      title || case job.status when 'completed' then ' is finished.' else ' could not be finished.' end,
      case when job.status = 'failed' then 'Reason: ' || engine.one_line(coalesce(job.error, 'unknown'), 500)
        || coalesce(e'\nStage: ' || engine.one_line(job.error_detail ->> 'stage', 80), '') end,
      format('It took %s and cost %s.', engine.duration_text(job.completed_at - since), engine.usd_text(job.cost_usd)),
      case when job.status = 'completed' then 'What to do next: look at the result. What was written is a draft until a person approves it.'
        when job.error_detail -> 'retryable' = 'true' then
          'What to do next: retry it. It goes on from where it stopped, and what is paid for is not paid again.'
        else 'What to do next: a retry alone will not help. Change what the reason names, then retry it or start a new one.' end));
end $$;

-- Nothing that goes wrong here may keep a job from ending, and a job that nobody is told of must cost next to nothing.
create function engine.after_job_ended() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.batch_id is not null then
    insert into engine.batch_ends (batch_id) values (new.batch_id);
    return null;
  end if;
  if new.status = 'cancelled' or (select k.notify_after_s from public.job_kinds k where k.name = new.kind) is null then
    return null;
  end if;
  begin
    perform engine.tell_of_job(new);
  exception when others then
    raise warning 'no notice of job %: %', new.id, sqlerrm;
  end;
  return null;
end $$;
create trigger after_job_ended after update on public.jobs for each row
  when (old.completed_at is null and new.completed_at is not null) execute function engine.after_job_ended();

revoke execute on all functions in schema engine from public;

alter table public.notification_preferences enable row level security;
alter table public.notices enable row level security;
alter table public.notice_deliveries enable row level security;
alter table engine.batch_ends enable row level security;
revoke all on public.notification_preferences, public.notices, public.notice_deliveries, engine.batch_ends
  from public, anon, authenticated, service_role;
revoke all on sequence public.notices_id_seq, engine.batch_ends_id_seq from public, anon, authenticated, service_role;
grant select on public.notification_preferences, public.notices, public.notice_deliveries to authenticated, service_role;
grant insert, update, delete on public.notification_preferences to authenticated;
create policy "people see their own preferences, administrators all" on public.notification_preferences for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_admin()));
create policy "people choose for themselves" on public.notification_preferences for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy "people change their choice" on public.notification_preferences for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "people go back to the defaults" on public.notification_preferences for delete to authenticated
  using (user_id = (select auth.uid()));
create policy "people see their own notices, administrators all" on public.notices for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_admin()));
create policy "people see what was sent to them, administrators all" on public.notice_deliveries for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_admin()));
