-- What a new Supabase project has before its first migration: the part of it that this product meets.
-- Every statement may run again on a database that has it already. Postgres 15 to 18.

-- Roles. A request arrives as `authenticator`, which has no rights itself and becomes one of the other three.
do $$
begin
  if to_regrole('anon') is null then
    create role anon nologin noinherit;
  end if;
  if to_regrole('authenticated') is null then
    create role authenticated nologin noinherit;
  end if;
  if to_regrole('service_role') is null then
    create role service_role nologin noinherit bypassrls;
  end if;
  if to_regrole('authenticator') is null then
    create role authenticator login noinherit;
  end if;
end
$$;

grant anon, authenticated, service_role to authenticator;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role authenticator set pgrst.db_schemas = 'public, storage';

-- Extensions live in a schema of their own; the path makes the type `vector` resolve without it.
create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;
create extension if not exists vector with schema extensions;

alter role postgres set search_path = "$user", public, extensions;
alter role authenticator set search_path = public, extensions;

-- Whatever is created in `public` is open to the three roles until a migration closes it: row level security and
-- explicit grants are the migrations' work.
grant usage on schema public to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on routines to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on sequences to anon, authenticated, service_role;

-- Realtime sends the changes of the tables in this publication.
do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end
$$;
