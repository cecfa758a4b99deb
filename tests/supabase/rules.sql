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
  and not exists (
    select from pg_index i where i.indrelid = c.conrelid and i.indisvalid
      and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
      and (string_to_array(i.indkey::text, ' ')::int2[])[:array_length(c.conkey, 1)] <@ c.conkey
      and (string_to_array(i.indkey::text, ' ')::int2[])[:array_length(c.conkey, 1)] @> c.conkey
  );
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

-- rule: no view shows who may sign in
select distinct v.relname::text
from pg_depend d
join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
join pg_class v on v.oid = r.ev_class join pg_class t on t.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
where v.relnamespace in ('public'::regnamespace, 'engine'::regnamespace) and t.relnamespace = 'auth'::regnamespace;
-- canary: canary
create view public.canary with (security_invoker = true) as select id, email from auth.users;

-- rule: nothing in public escapes row level security by its kind
select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('m', 'f');
-- canary: canary
create materialized view public.canary as select 1 as one;

-- rule: foreign keys into auth refer to primary keys
select c.conname::text from pg_constraint c join pg_class t on t.oid = c.confrelid join pg_index i on i.indexrelid = c.conindid
where c.contype = 'f' and t.relnamespace = 'auth'::regnamespace and c.connamespace <> 'auth'::regnamespace and not i.indisprimary;
-- canary: canary_fk
alter table auth.users add column canary text unique;
create table public.canary (who text constraint canary_fk references auth.users (canary));

-- rule: not everybody can list the files of a public bucket
select distinct p.policyname::text from pg_policies p
where p.schemaname = 'storage' and p.tablename = 'objects' and p.cmd in ('SELECT', 'ALL') and p.permissive = 'PERMISSIVE'
  and p.roles && '{public,anon,authenticated}'::name[] and p.qual !~ '(auth|engine)\.\w+\(';
-- canary: canary_rule
create policy canary_rule on storage.objects for select to anon using (bucket_id = 'content');

-- rule: no policy holds for those who are nobody
select policyname::text from pg_policies
where permissive = 'PERMISSIVE'
  and coalesce(qual, '') || coalesce(with_check, '') ~* '(auth\.\w+\(\)|current_setting\([^()]*\))( as \w+\))?\)* is null';
-- canary: canary_rule
create table public.canary (id uuid);
create policy canary_rule on public.canary to authenticated using ((select auth.uid()) is null or id = (select auth.uid()));

-- rule: no index is left half built
select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid where not (i.indisvalid and i.indisready);
-- canary: canary
create table public.canary_table (id int) partition by list (id);
create table public.canary_part partition of public.canary_table for values in (1);
create index canary on only public.canary_table (id);

-- rule: every table is vacuumed
select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'engine') and c.reloptions && '{autovacuum_enabled=false,autovacuum_enabled=off,autovacuum_enabled=0}';
-- canary: canary
create table public.canary (id int) with (autovacuum_enabled = false);

-- rule: no column has a type that keeps the database from being upgraded
select a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.relnamespace in ('public'::regnamespace, 'engine'::regnamespace) and c.relkind in ('r', 'p')
  and a.atttypid in ('regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regoperator'::regtype,
    'regconfig'::regtype, 'regdictionary'::regtype, 'regnamespace'::regtype, 'regcollation'::regtype);
-- canary: canary
create table public.canary_table (canary regproc);

-- rule: nobody but those named may make anything in public
select r.rolname::text from pg_roles r
where r.rolname in ('anon', 'authenticated', 'service_role')
  and (has_schema_privilege(r.oid, 'public', 'create') or has_schema_privilege(r.oid, 'engine', 'create'));
-- canary: anon
grant create on schema public to anon;
