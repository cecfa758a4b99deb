-- Rules for a database behind a public API, after Supabase's linter. Each block is a query for offenders by name, which has to
-- find nothing here, and a canary: statements that make an offender, with the name that the query then has to find.

-- rule: every table in public has row level security
select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity;
-- canary: canary
create table public.canary (id int);

-- rule: every table in public has a policy
select c.relname::text from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and not exists (select from pg_policy p where p.polrelid = c.oid);
-- canary: canary
create table public.canary (id int);
alter table public.canary enable row level security;

-- rule: no policy stands without row level security
select c.relname::text from pg_class c join pg_policy p on p.polrelid = c.oid where not c.relrowsecurity;
-- canary: canary
create table public.canary (id int);
create policy p on public.canary using (true);

-- rule: policies ask who it is once a query and not once a row (what is left without the subqueries calls nothing)
select policyname::text from pg_policies
where regexp_replace(coalesce(qual, '') || ' ' || coalesce(with_check, ''), '\( ?SELECT (auth|engine)\.\w+\(\)[^()]*\)', '', 'gi')
  ~ '(auth|engine)\.\w+\(';
-- canary: canary_rule
create table public.canary (id uuid);
create policy canary_rule on public.canary using (id = auth.uid());

-- rule: nothing believes what people write about themselves
select policyname::text from pg_policies where coalesce(qual, '') || coalesce(with_check, '') ~ 'user_metadata'
union
select proname::text from pg_proc
where prosrc ~ 'user_metadata' and pronamespace in ('public'::regnamespace, 'engine'::regnamespace);
-- canary: canary_rule
create table public.canary (id int);
create policy canary_rule on public.canary using ((auth.jwt() -> 'user_metadata' ->> 'role') = 'admin');

-- rule: policies name the roles that they are for
select policyname::text from pg_policies where roles = '{public}';
-- canary: canary_rule
create table public.canary (id int);
create policy canary_rule on public.canary using (true);

-- rule: a role and a verb have one permissive policy a table
select distinct p.tablename || '.' || r.role
from pg_policies p,
  unnest(p.roles) r (role),
  unnest(case p.cmd when 'ALL' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] else array[p.cmd] end) v (verb)
where p.permissive = 'PERMISSIVE' and p.schemaname = 'public'
group by p.tablename, r.role, v.verb having count(*) > 1;
-- canary: canary.anon
create table public.canary (id int);
create policy a on public.canary for select to anon using (true);
create policy b on public.canary to anon using (false);

-- rule: nothing but a select is open to everyone
select policyname::text from pg_policies
where cmd <> 'SELECT' and permissive = 'PERMISSIVE' and (qual = 'true' or with_check = 'true');
-- canary: canary_rule
create table public.canary (id int);
create policy canary_rule on public.canary for update to authenticated using (true);

-- rule: functions fix their search path
select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'engine') and not exists (select from unnest(p.proconfig) c where c = 'search_path=""');
-- canary: canary
create function public.canary() returns int language sql as 'select 1';

-- rule: functions with their owner's rights are for nobody but those that ask who calls
select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'engine') and p.prosecdef
  and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute'))
  and p.proname not in ('cancel_job', 'cancel_batch', 'retry_job', 'is_admin', 'is_marketing', 'is_staff');
-- canary: canary
create function public.canary() returns int language sql security definer set search_path = '' as 'select 1';

-- rule: functions are executable by those who were named
select p.proname::text
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
where n.nspname in ('public', 'engine') and a.grantee = 0;
-- canary: canary
create function engine.canary() returns int language sql set search_path = '' as 'select 1';

-- rule: views have the rights of whoever asks
select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'engine') and c.relkind in ('v', 'm')
  and not coalesce('security_invoker=true' = any (c.reloptions), false);
-- canary: canary
create view public.canary as select 1 as one;

-- rule: foreign keys have an index
select c.conname::text from pg_constraint c join pg_namespace n on n.oid = c.connamespace
where c.contype = 'f' and n.nspname in ('public', 'engine')
  and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1]);
-- canary: canary_fk
create table public.canary (job_id uuid constraint canary_fk references public.jobs (id));

-- rule: no two indexes are the same
select min(c.relname)::text
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'engine')
group by i.indrelid, regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING', '') having count(*) > 1;
-- canary: canary
create index canary on public.jobs (created_at desc);

-- rule: every table has a primary key
select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'engine') and c.relkind = 'r'
  and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary);
-- canary: canary
create table public.canary (id int);

-- rule: no extension lives in public
select extname::text from pg_extension where extnamespace = 'public'::regnamespace;
-- canary: vector
drop extension vector cascade;
create extension vector schema public;

-- rule: the function of every trigger is the engine's
select t.tgname::text
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
where not t.tgisinternal and c.relnamespace = 'public'::regnamespace and p.pronamespace <> 'engine'::regnamespace;
-- canary: canary
create function public.f() returns trigger language plpgsql as 'begin return new; end';
create trigger canary before insert on public.jobs for each row execute function public.f();
