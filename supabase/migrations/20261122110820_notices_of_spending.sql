-- Spending alarms become notices.

-- A spending limit is nearly used up, or is: the person whose limit it is learns of it, and the administrators always.
create function engine.tell_of_spending(alarm public.spend_alarms) returns void
language plpgsql security definer set search_path = '' as $$
declare
  person uuid;
  job_id uuid;
  whose text := case alarm.scope when 'overall' then 'everybody together' end;
begin
  if alarm.scope = 'job' then
    select j.id, j.user_id, 'the job ' || engine.job_title(k.title, j.payload) into job_id, person, whose
    from public.jobs j left join public.job_kinds k on k.name = j.kind where j.id::text = alarm.scope_key;
  elsif alarm.scope = 'user' then
    select u.id, u.email into person, whose from auth.users u where u.id::text = alarm.scope_key;
  elsif alarm.scope = 'kind' then
    select format('jobs of the kind "%s"', k.title) into whose from public.job_kinds k where k.name = alarm.scope_key;
  end if;
  whose := coalesce(whose, alarm.scope || ' ' || alarm.scope_key);
  perform engine.add_notice(
    format('spend:%s:%s:%s:%s', alarm.scope, alarm.scope_key, alarm.day, alarm.level), 'spend_alarm', array['spending'], person, true,
    job_id, null,
    case when alarm.level >= 100 then 'A spending limit is reached: ' else format('%s %% of a spending limit is used: ', alarm.level) end || whose,
    concat_ws(e'\n\n',
      format('%s of %s are spent by %s%s.', engine.usd_text(alarm.spent_usd), engine.usd_text(alarm.limit_usd), whose,
        case when alarm.scope <> 'job' then format(' on %s', alarm.day) end),
      case when alarm.level >= 100 then 'Calls that would pass the limit are refused, and their jobs fail with that reason.' end,
      'What to do next: look at what is spent by stage and model. An administrator can raise the limit or stop all spending.'));
end $$;

create function engine.after_spend_alarm() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform engine.tell_of_spending(new);
  return null;
exception when others then
  raise warning 'no notice of a spending alarm: %', sqlerrm;
  return null;
end $$;
create trigger after_spend_alarm after insert on public.spend_alarms for each row execute function engine.after_spend_alarm();

revoke execute on all functions in schema engine from public;
