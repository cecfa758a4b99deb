-- Schema `net`: the SQL side of pg_net. A request is a row in an unlogged queue; `infra.local.relay` sends it.

create schema if not exists net;
grant usage on schema net to anon, authenticated, service_role;

create unlogged table if not exists net.http_request_queue (
  id bigserial,
  method text not null check (method in ('GET', 'POST', 'DELETE')),
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);

create unlogged table if not exists net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create index if not exists _http_response_created_idx on net._http_response (created);

-- Percent-encoding of one query parameter's name or value.
create or replace function net._urlencode_string(string varchar) returns text
language sql immutable strict
set search_path = ''
as $$
  select coalesce(string_agg(
    case
      when byte between 48 and 57 or byte between 65 and 90 or byte between 97 and 122 or byte in (45, 46, 95, 126)
        then chr(byte)
      else '%' || upper(lpad(to_hex(byte), 2, '0'))
    end,
    '' order by place
  ), '')
  from (
    select place, get_byte(bytes, place) as byte
    from (select convert_to(string, 'UTF8') as bytes) as encoded
    cross join lateral generate_series(0, length(bytes) - 1) as place
  ) as bytes_in_order
$$;

-- Puts a POST request into the queue and returns its id, under which the answer will stand in net._http_response.
create or replace function net.http_post(
  url text,
  body jsonb default '{}'::jsonb,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
  timeout_milliseconds integer default 5000
) returns bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  request_id bigint;
  content_type text;
  query text;
begin
  select header.value into content_type
  from jsonb_each_text(coalesce(headers, '{}'::jsonb)) as header
  where lower(header.key) = 'content-type'
  limit 1;

  if content_type is null then
    headers := coalesce(headers, '{}'::jsonb) || '{"Content-Type": "application/json"}'::jsonb;
  elsif content_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;

  select string_agg(net._urlencode_string(param.key) || '=' || net._urlencode_string(param.value), '&') into query
  from jsonb_each_text(params) as param;
  if query is not null then
    url := url || case when strpos(url, '?') > 0 then '&' else '?' end || query;
  end if;

  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
  returning id into request_id;

  -- The relay wakes when this transaction commits.
  notify net_http_request;
  return request_id;
end
$$;

revoke all on function net.http_post(text, jsonb, jsonb, jsonb, integer) from public;
grant execute on function net.http_post(text, jsonb, jsonb, jsonb, integer) to anon, authenticated, service_role;
