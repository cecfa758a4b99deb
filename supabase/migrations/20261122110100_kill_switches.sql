-- One row stops everything, or one kind of jobs: no claim, no call. What runs gives its slot back and goes on when it is lifted.

create table public.kill_switches (
  kind text primary key,
  engaged boolean not null default true,
  reason text not null check (char_length(trim(reason)) between 3 and 500),
  changed_by uuid,
  changed_at timestamptz not null default clock_timestamp()
);
comment on table public.kill_switches is 'kind is a job kind, or * for all; no row is as good as one that is not engaged';

create function engine.check_kill_switch() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  wanted constant text := lower(trim(new.kind));
begin
  if wanted <> '*' then
    select k.name into new.kind from public.job_kinds k where wanted = k.name or wanted = any (k.aliases);
    if not found then
      raise exception using errcode = 'PT422', message = 'A kill switch is for a job type, or for all of them: "*".';
    end if;
  end if;
  new.changed_by := auth.uid();
  new.changed_at := clock_timestamp();
  return new;
end $$;
create trigger check_kill_switch before insert or update on public.kill_switches for each row execute function engine.check_kill_switch();

-- The kinds whose jobs stand still, and those whose jobs may be claimed. (Views, since they become part of the statements that ask:
-- functions would be called by each.)
create view engine.stopped_kinds with (security_invoker = true) as
  select k.name from public.job_kinds k where exists (select from public.kill_switches s where s.kind in ('*', k.name) and s.engaged);
create view engine.open_kinds with (security_invoker = true) as
  select k.name, k.service, k.lease_s from public.job_kinds k
  where k.enabled and not exists (select from public.kill_switches s where s.kind in ('*', k.name) and s.engaged);
revoke all on engine.stopped_kinds, engine.open_kinds from public, anon, authenticated, service_role;

-- Jobs go on at once when their switch is lifted; what does not fit into one hint is found by the sweep.
create function engine.after_kill_switch_lifted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform engine.send_hint('UPDATE', (
    select jsonb_agg(jsonb_build_object('id', due.id, 'kind', due.kind, 'service', k.service))
    from (
      select j.id, j.kind from public.jobs j
      where j.completed_at is null and j.status = 'queued' and j.scheduled_for <= clock_timestamp()
        and new.kind in ('*', j.kind) and j.kind not in (select s.name from engine.stopped_kinds s)
      order by j.scheduled_for limit 5000
    ) due
    join public.job_kinds k on k.name = due.kind
  ));
  return null;
end $$;
create trigger after_kill_switch_lifted after update on public.kill_switches
  for each row when (old.engaged and not new.engaged) execute function engine.after_kill_switch_lifted();

-- Engages or lifts in one call. Row level security applies: administrators only.
create function public.set_kill_switch(kind text, engaged boolean, reason text) returns public.kill_switches
language sql set search_path = '' as $$
  insert into public.kill_switches (kind, engaged, reason) values (set_kill_switch.kind, set_kill_switch.engaged, set_kill_switch.reason)
  on conflict (kind) do update set engaged = excluded.engaged, reason = excluded.reason
  returning *
$$;

alter table public.kill_switches enable row level security;
revoke all on public.kill_switches from public, anon, authenticated, service_role;
grant select on public.kill_switches to authenticated, service_role;
grant insert (kind, engaged, reason), update (engaged, reason) on public.kill_switches to authenticated;
create policy "everyone signed in sees what stands still" on public.kill_switches for select to authenticated using (true);
create policy "administrators engage" on public.kill_switches for insert to authenticated with check ((select engine.is_admin()));
create policy "administrators engage and lift" on public.kill_switches for update to authenticated
  using ((select engine.is_admin())) with check ((select engine.is_admin()));
revoke execute on function public.set_kill_switch from public, anon, service_role;
grant execute on function public.set_kill_switch to authenticated;
revoke execute on all functions in schema engine from public;
