"""Rules of Postgres behind a public API, after Supabase's linter: each finds nothing here, and finds its canary."""

import psycopg
import pytest

# What each rule looks at: everything of this product's in the schemas that it writes.
OURS = "('public', 'engine')"

# rule: (query for offenders by name, a canary that offends, the canary's name)
RULES = {
    "every table in public has row level security": (
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and not c.relrowsecurity",
        "create table public.canary (id int)",
        "canary",
    ),
    "every table in public has a policy": (
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and not exists (select from pg_policy p where p.polrelid = c.oid)",
        "create table public.canary (id int); alter table public.canary enable row level security",
        "canary",
    ),
    "no policy stands without row level security": (
        "select c.relname::text from pg_class c join pg_policy p on p.polrelid = c.oid where not c.relrowsecurity",
        "create table public.canary (id int); create policy p on public.canary using (true)",
        "canary",
    ),
    "policies ask who it is once a query, not once a row": (
        # What is left after the subqueries were taken out must not call auth or engine.
        "select policyname::text from pg_policies where regexp_replace(coalesce(qual, '') || ' ' || coalesce(with_check, ''),"
        r" '\( ?SELECT (auth|engine)\.\w+\(\)[^()]*\)', '', 'gi') ~ '(auth|engine)\.\w+\('",
        "create table public.canary (id uuid); create policy canary_rule on public.canary using (id = auth.uid())",
        "canary_rule",
    ),
    "policies do not believe what people write about themselves": (
        "select policyname::text from pg_policies where coalesce(qual, '') || coalesce(with_check, '') ~ 'user_metadata'"
        " union select proname::text from pg_proc where prosrc ~ 'user_metadata'"
        " and pronamespace in ('public'::regnamespace, 'engine'::regnamespace)",
        "create table public.canary (id int); create policy canary_rule on public.canary"
        " using ((auth.jwt() -> 'user_metadata' ->> 'role') = 'admin')",
        "canary_rule",
    ),
    "policies name the roles that they are for": (
        "select policyname::text from pg_policies where roles = '{public}'",
        "create table public.canary (id int); create policy canary_rule on public.canary using (true)",
        "canary_rule",
    ),
    "a role and a verb have one permissive policy a table": (
        "select distinct p.tablename || '.' || r.role from pg_policies p, unnest(p.roles) r (role),"
        " unnest(case p.cmd when 'ALL' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] else array[p.cmd] end) v (verb)"
        " where p.permissive = 'PERMISSIVE' and p.schemaname = 'public' group by p.tablename, r.role, v.verb having count(*) > 1",
        "create table public.canary (id int); create policy a on public.canary for select to anon using (true);"
        " create policy b on public.canary to anon using (false)",
        "canary.anon",
    ),
    "nothing but a select is open to everyone": (
        "select policyname::text from pg_policies where cmd <> 'SELECT' and permissive = 'PERMISSIVE'"
        " and (qual = 'true' or with_check = 'true')",
        "create table public.canary (id int); create policy canary_rule on public.canary for update to authenticated"
        " using (true)",
        "canary_rule",
    ),
    "functions fix their search path": (
        "select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        f" where n.nspname in {OURS} and not exists (select from unnest(p.proconfig) c where c = 'search_path=\"\"')",
        "create function public.canary() returns int language sql as 'select 1'",
        "canary",
    ),
    "functions with their owner's rights are not for everybody": (
        # cancel_job and retry_job ask who calls; the engine's three only answer questions about the caller.
        "select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        f" where n.nspname in {OURS} and p.prosecdef and (has_function_privilege('anon', p.oid, 'execute')"
        " or has_function_privilege('authenticated', p.oid, 'execute'))"
        " and p.proname not in ('cancel_job', 'retry_job', 'is_admin', 'is_marketing', 'is_staff')",
        "create function public.canary() returns int language sql security definer set search_path = '' as 'select 1'",
        "canary",
    ),
    "functions are executable by those who were named": (
        "select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace,"
        " aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
        f" where n.nspname in {OURS} and a.grantee = 0",
        "create function engine.canary() returns int language sql set search_path = '' as 'select 1'",
        "canary",
    ),
    "views have the rights of whoever asks": (
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        f" where n.nspname in {OURS} and c.relkind in ('v', 'm')"
        " and not coalesce('security_invoker=true' = any (c.reloptions), false)",
        "create view public.canary as select 1 as one",
        "canary",
    ),
    "foreign keys have an index": (
        "select c.conname::text from pg_constraint c join pg_namespace n on n.oid = c.connamespace"
        f" where c.contype = 'f' and n.nspname in {OURS} and not exists (select from pg_index i"
        "   where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])",
        "create table public.canary (job_id uuid constraint canary_fk references public.jobs (id))",
        "canary_fk",
    ),
    "no two indexes are the same": (
        "select min(c.relname)::text from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n"
        f" on n.oid = c.relnamespace where n.nspname in {OURS}"
        " group by i.indrelid, regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING', '') having count(*) > 1",
        "create index canary on public.jobs (created_at desc)",
        "canary",
    ),
    "every table has a primary key": (
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        f" where n.nspname in {OURS} and c.relkind = 'r'"
        " and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)",
        "create table public.canary (id int)",
        "canary",
    ),
    "no extension lives in public": (
        "select extname::text from pg_extension where extnamespace = 'public'::regnamespace",
        "drop extension vector cascade; create extension vector schema public",
        "vector",
    ),
    "every trigger's function is the engine's": (
        "select t.tgname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid"
        " where not t.tgisinternal and c.relnamespace = 'public'::regnamespace and p.pronamespace <> 'engine'::regnamespace",
        "create function public.f() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger canary before insert on public.jobs for each row execute function public.f()",
        "canary",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds_and_would_catch_an_offender(database_url, rule):
    offenders, canary, name = RULES[rule]
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute(offenders.encode()).fetchall() == []
        connection.execute(canary.encode())
        assert name in {row[0] for row in connection.execute(offenders.encode())}
