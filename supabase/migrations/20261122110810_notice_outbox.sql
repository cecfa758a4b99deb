-- What the dispatcher's sweep calls to send notices. Here too is the one notice of a batch, which only the sweep can tell of.

-- One notice for the whole batch, once all of its jobs have ended; again only after jobs were added or retried by hand. None
-- when it was cancelled, nor when its kinds are such that nobody is told of.
create function engine.tell_of_batch(batch_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  batch record;
  sum record;
  title text;
begin
  select b.id, b.user_id, b.title, b.created_at, b.cancelled_at into batch from public.job_batches b where b.id = tell_of_batch.batch_id;
  if not found or batch.cancelled_at is not null then
    return;
  end if;
  select array_agg(j.id) as ids, count(*) as jobs, count(*) filter (where j.status = 'completed') as completed,
    count(*) filter (where j.status = 'failed') as failed, count(*) filter (where j.status = 'cancelled') as cancelled,
    count(*) filter (where j.completed_at is null) as open, sum(j.cost_usd) as cost_usd, max(j.completed_at) as ended_at,
    bool_or(k.notify_after_s is not null) as is_told
  into sum from public.jobs j left join public.job_kinds k on k.name = j.kind where j.batch_id = tell_of_batch.batch_id;
  if sum.open > 0 or sum.completed + sum.failed = 0 or not sum.is_told then
    return;
  end if;
  title := 'Batch' || coalesce(' "' || nullif(engine.one_line(batch.title, 100), '') || '"', '');
  perform engine.add_notice(
    format('batch:%s:%s:%s', batch.id, sum.jobs, (select total from engine.manual_retries(sum.ids))), 'batch_finished',
    case when sum.failed > 0 then array['completed', 'failed'] else array['completed'] end, batch.user_id, false, null, batch.id,
    format('%s is finished: %s', title, engine.counts_text(sum.completed, sum.failed, sum.cancelled)),
    concat_ws(e'\n\n',
      format('%s is finished: of its %s jobs, %s.', title, sum.jobs, engine.counts_text(sum.completed, sum.failed, sum.cancelled)),
      engine.failures_text(batch.id),
      format('It took %s and cost %s.', engine.duration_text(sum.ended_at - batch.created_at), engine.usd_text(sum.cost_usd)),
      case when sum.failed > 0 then 'What to do next: look at the results, and retry what failed.' else 'What to do next: look at the results.' end));
end $$;

create function engine.counts_text(completed bigint, failed bigint, cancelled bigint) returns text
language sql immutable set search_path = '' as $$
  select concat_ws(', ', completed || ' completed', nullif(failed, 0) || ' failed', nullif(cancelled, 0) || ' cancelled')
$$;

create function engine.failures_text(batch_id uuid) returns text
language sql stable set search_path = '' as $$
  select 'Failed:' || string_agg(case when place <= 10 then
      format(e'\n- %s: %s', engine.job_title(k.title, f.payload), engine.one_line(coalesce(f.error, 'unknown'), 200))
      when place = 11 then format(e'\n- and %s more', all_failed - 10) end, '' order by place)
  from (
    select j.kind, j.payload, j.error, row_number() over (order by j.batch_order, j.id) as place, count(*) over () as all_failed
    from public.jobs j where j.batch_id = failures_text.batch_id and j.status = 'failed'
  ) f left join public.job_kinds k on k.name = f.kind
$$;

create function engine.tell_of_finished_batches() returns void
language plpgsql security definer set search_path = '' as $$
declare
  marked uuid[];
  one uuid;
begin
  with taken as (
    delete from engine.batch_ends b
    where b.id = any (array(select e.id from engine.batch_ends e order by e.id limit 1000 for update skip locked))
    returning b.batch_id
  )
  select array_agg(distinct t.batch_id) into marked from taken t;
  foreach one in array coalesce(marked, '{}') loop
    begin
      perform engine.tell_of_batch(one);
    exception when others then
      raise warning 'no notice of batch %: %', one, sqlerrm;
    end;
  end loop;
end $$;

-- Takes deliveries that are due, for one sender. Whoever takes one settles it within five minutes, or its fate is unknown.
create function public.claim_notices(channels text[], max_notices integer)
returns table (delivery_id uuid, channel text, kind text, subject text, body text, email text, slack_member_id text, job_id uuid, batch_id uuid)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
begin
  perform engine.tell_of_finished_batches();
  update public.notice_deliveries d set
    status = case when d.status = 'sending' then 'uncertain' else 'expired' end,
    last_error = case when d.status = 'sending' then 'The sender stopped before it said what came of it.'
                      else coalesce(d.last_error, 'Nobody could send it for a day.') end
  where d.id = any (array(
    select o.id from public.notice_deliveries o
    where o.status = 'sending' and o.claimed_at < clock_timestamp() - interval '5 minutes'
       or o.status = 'pending' and o.created_at < clock_timestamp() - interval '24 hours'
    limit 1000 for update skip locked));
  return query
    with claimed as (
      update public.notice_deliveries d set status = 'sending', attempts = d.attempts + 1, claimed_at = clock_timestamp()
      where d.id = any (array(
        select o.id from public.notice_deliveries o
        where o.status = 'pending' and o.channel = any (claim_notices.channels) and o.next_attempt_at <= clock_timestamp()
        order by o.next_attempt_at limit claim_notices.max_notices for update skip locked))
      returning d.id, d.notice_id, d.user_id, d.channel
    )
    select c.id, c.channel, n.kind, n.subject, n.body, u.email::text, p.slack_member_id, n.job_id, n.batch_id
    from claimed c
    join public.notices n on n.id = c.notice_id
    join auth.users u on u.id = c.user_id
    left join public.notification_preferences p on p.user_id = c.user_id;
end $$;

-- What came of it: sent; retry: it was refused for now, and is due again after a pause drawn from [0, min(1 h, 30 s · 2^(attempt-1))),
-- failed after eight attempts or a day; failed: refused for good; uncertain: it may have arrived. False when it is settled already.
create function public.settle_notice(delivery_id uuid, outcome text, error text default null) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if outcome is null or outcome not in ('sent', 'retry', 'failed', 'uncertain') then
    raise exception using errcode = 'PT422', message = 'The outcome of a delivery is sent, retry, failed or uncertain.';
  end if;
  update public.notice_deliveries d set
    status = case when outcome <> 'retry' then outcome
      when d.status = 'uncertain' or d.attempts >= 8 or d.created_at < clock_timestamp() - interval '24 hours' then 'failed' else 'pending' end,
    next_attempt_at = clock_timestamp() + make_interval(secs => random() * least(3600, 30 * 2 ^ (d.attempts - 1))),
    sent_at = case when outcome = 'sent' then clock_timestamp() end,
    last_error = left(settle_notice.error, 500)
  -- A sender may come back after the five minutes, and then it knows better.
  where d.id = settle_notice.delivery_id and d.status in ('sending', 'uncertain');
  return found;
end $$;

revoke execute on all functions in schema engine from public;
revoke execute on function public.claim_notices, public.settle_notice from public, anon, authenticated;
grant execute on function public.claim_notices, public.settle_notice to service_role;
