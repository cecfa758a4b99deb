-- The tables that are in use already and that this system builds on. On the existing database every statement here is a no-op.

create extension if not exists vector;

create table if not exists public.jobs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  job_type text not null,
  status text not null default 'queued',
  payload jsonb,
  result jsonb,
  error text,
  checkpoint_data jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz
);

create table if not exists public.blog_posts (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  slug text not null unique,
  content text,
  excerpt text,
  featured_image text,
  author_name text,
  category_id uuid,
  tags text[],
  seo_title text,
  seo_description text,
  keywords text[],
  status text not null default 'draft',
  published_at timestamptz,
  ai_generated boolean not null default false,
  news_sources text[],
  scheduled_for timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists public.product_catalog (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  description text,
  category text,
  image_url text,
  embedding vector,
  created_at timestamptz not null default now()
);

create table if not exists public.products (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  description text,
  image_url text,
  category text,
  metadata jsonb default '{}',
  created_at timestamptz not null default now()
);

create table if not exists public.company_assets (
  id uuid primary key default gen_random_uuid(),
  type text not null,
  url text not null,
  description text,
  created_at timestamptz not null default now()
);

create table if not exists public.app_config (
  key text primary key,
  value text,
  description text
);

create table if not exists public.admin_users (
  user_id uuid primary key references auth.users (id) on delete cascade,
  permission_level text not null default 'admin'
);

create table if not exists public.admin_permissions (
  email text primary key,
  permission_level text not null default 'admin'
);

-- `engine` holds what the API must not expose: settings, counters, trigger functions.
create schema if not exists engine;
revoke all on schema engine from public;
grant usage on schema engine to anon, authenticated, service_role;

-- The role that the request runs as: authenticated, service_role, … or the login itself. `current_user` does not tell inside a
-- security definer function.
create or replace function engine.caller_role() returns text
language plpgsql stable set search_path = '' as $$
begin
  return coalesce(nullif(current_setting('role', true), 'none'), session_user::text);
end $$;

-- Roles come from app_metadata, which only the service key can write, never from user_metadata.
create or replace function engine.app_role() returns text
language sql stable set search_path = '' as $$
  select auth.jwt() -> 'app_metadata' ->> 'role'
$$;

create or replace function engine.is_admin() returns boolean
language sql stable security definer set search_path = '' as $$
  select engine.caller_role() = 'authenticated' and auth.uid() is not null and (
    coalesce(engine.app_role() = 'admin', false)
    or exists (select from public.admin_users where user_id = (select auth.uid()))
  )
$$;

create or replace function engine.is_marketing() returns boolean
language sql stable security definer set search_path = '' as $$
  select engine.is_admin() or (
    engine.caller_role() = 'authenticated' and auth.uid() is not null and coalesce(engine.app_role() = 'marketing', false)
  )
$$;

create or replace function engine.is_staff() returns boolean
language sql stable security definer set search_path = '' as $$
  select engine.is_marketing() or (
    engine.caller_role() = 'authenticated' and auth.uid() is not null and coalesce(engine.app_role() = 'sales', false)
  )
$$;

revoke execute on all functions in schema engine from public;
grant execute on function engine.caller_role(), engine.app_role(), engine.is_admin(), engine.is_marketing(), engine.is_staff()
  to anon, authenticated, service_role;

-- A table that has rules of its own (policies, or row level security without any: closed) keeps them; one that has none gets these.
do $$
declare
  t text;
begin
  foreach t in array array['product_catalog', 'products', 'company_assets', 'app_config', 'admin_users', 'admin_permissions'] loop
    continue when (select c.relrowsecurity from pg_catalog.pg_class c where c.oid = format('public.%I', t)::regclass)
      or exists (select from pg_catalog.pg_policies where schemaname = 'public' and tablename = t);
    execute format('alter table public.%I enable row level security', t);
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', t);
    execute format('grant select, insert, update, delete on public.%I to authenticated, service_role', t);
    if t in ('product_catalog', 'products', 'company_assets') then
      execute format('grant select on public.%I to anon', t);
      execute format('create policy "everyone reads" on public.%I for select to anon, authenticated using (true)', t);
      execute format('create policy "marketing adds" on public.%I for insert to authenticated with check ((select engine.is_marketing()))', t);
      execute format('create policy "marketing changes" on public.%I for update to authenticated using ((select engine.is_marketing())) with check ((select engine.is_marketing()))', t);
      execute format('create policy "marketing removes" on public.%I for delete to authenticated using ((select engine.is_marketing()))', t);
    elsif t = 'admin_users' then
      execute format('create policy "people see themselves, administrators all" on public.%I for select to authenticated using (user_id = (select auth.uid()) or (select engine.is_admin()))', t);
      execute format('revoke insert, update, delete on public.%I from authenticated', t);
    elsif t = 'app_config' then
      execute format('create policy "administrators only" on public.%I for all to authenticated using ((select engine.is_admin())) with check ((select engine.is_admin()))', t);
    else
      execute format('create policy "administrators see" on public.%I for select to authenticated using ((select engine.is_admin()))', t);
      execute format('revoke insert, update, delete on public.%I from authenticated', t);
    end if;
  end loop;
end $$;
