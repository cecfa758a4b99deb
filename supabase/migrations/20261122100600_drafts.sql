-- Drafts: what a machine writes stays a draft until a signed-in person with the right moves it on.

-- squawk-ignore-file adding-foreign-key-constraint
alter table public.blog_posts
  add column if not exists job_id uuid references public.jobs (id) on delete set null,
  add column if not exists user_id uuid references auth.users (id) on delete set null,
  add column if not exists language text,
  add column if not exists metadata jsonb not null default '{}',
  add column if not exists approved_by uuid references auth.users (id) on delete set null,
  add column if not exists approved_at timestamptz;
create unique index if not exists blog_posts_job_id on public.blog_posts (job_id);
create index if not exists blog_posts_user_id on public.blog_posts (user_id, created_at desc);
create index if not exists blog_posts_approved_by on public.blog_posts (approved_by) where approved_by is not null;

comment on column public.blog_posts.job_id is 'the job that wrote it; null when a person did';

-- Fits any table of drafts with the columns status, job_id, approved_by and approved_at. What makes a row a machine's is its
-- job_id or, where the table has it, ai_generated. Neither can be taken off it again, and what a service key writes is a
-- machine's whatever it says of itself.
create function engine.guard_draft() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  caller constant text := engine.caller_role();
  may_approve constant boolean := caller = 'authenticated' and engine.is_marketing();
  now_row constant jsonb := to_jsonb(new);
  old_row constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
  changed text[];
begin
  if caller = 'authenticated' and new.job_id is not null and now_row ->> 'job_id' is distinct from old_row ->> 'job_id' then
    raise exception using errcode = '42501', message = 'Only a job writes drafts in its own name (job_id).';
  end if;

  if tg_op = 'INSERT' then
    if new.job_id is not null or coalesce((now_row ->> 'ai_generated')::boolean, false) or caller = 'service_role' then
      if new.status is distinct from 'draft' or now_row ->> 'published_at' is not null or now_row ->> 'scheduled_for' is not null
         or new.approved_by is not null or new.approved_at is not null then
        raise exception using errcode = '42501', message = 'Generated content starts as a draft.';
      end if;
      new := jsonb_populate_record(new, '{"ai_generated": true}');
    end if;
    return new;
  end if;

  if old.job_id is null and not coalesce((old_row ->> 'ai_generated')::boolean, false) then
    return new;  -- a person wrote it
  end if;
  changed := array(select n.key from jsonb_each(now_row) n where n.value is distinct from old_row -> n.key);
  -- Deleting a job or a person empties job_id and approved_by; nothing else does.
  if 'job_id' = any (changed) and (new.job_id is not null or exists (select from public.jobs j where j.id = old.job_id))
     or new.job_id is null and not coalesce((now_row ->> 'ai_generated')::boolean, false) then
    raise exception using errcode = '42501', message = 'Generated content stays marked as generated.';
  end if;
  if new.approved_by is null and not exists (select from auth.users u where u.id = old.approved_by) then
    changed := array_remove(changed, 'approved_by');
  end if;
  if not may_approve and changed && array['status', 'published_at', 'scheduled_for', 'approved_by', 'approved_at'] then
    raise exception using errcode = '42501',
      message = 'Only a signed-in person of marketing or an administrator can approve, schedule or publish a draft.';
  end if;
  if not may_approve and old.status is distinct from 'draft'
     and changed && array['title', 'slug', 'content', 'excerpt', 'featured_image', 'caption', 'slides', 'image_urls'] then
    raise exception using errcode = '42501',
      message = 'Only a signed-in person of marketing or an administrator can change what was approved.';
  end if;
  -- Who approved it, and when, is written here and nowhere else.
  if new.status is not distinct from 'draft' then
    new.approved_by := null;
    new.approved_at := null;
  elsif old.status is not distinct from 'draft' then
    new.approved_by := auth.uid();
    new.approved_at := clock_timestamp();
  else
    new.approved_by := case when 'approved_by' = any (changed) then old.approved_by else new.approved_by end;
    new.approved_at := old.approved_at;
  end if;
  return new;
end $$;

create trigger guard_draft before insert or update on public.blog_posts for each row execute function engine.guard_draft();

alter table public.blog_posts enable row level security;
do $$
begin
  -- The public site reads published posts; where that rule exists already it stays as it is.
  if not exists (select from pg_catalog.pg_policies where schemaname = 'public' and tablename = 'blog_posts') then
    revoke all on public.blog_posts from public, anon, authenticated, service_role;
    grant select on public.blog_posts to anon, authenticated, service_role;
    grant insert, update, delete on public.blog_posts to authenticated;
    grant insert on public.blog_posts to service_role;
    create policy "everyone reads what is published" on public.blog_posts for select to anon using (status = 'published');
  end if;
end $$;
create policy "drafts are seen by staff and by whoever asked for them" on public.blog_posts for select to authenticated
  using (status = 'published' or user_id = (select auth.uid()) or (select engine.is_staff()));
create policy "marketing adds posts" on public.blog_posts for insert to authenticated with check ((select engine.is_marketing()));
create policy "marketing edits posts" on public.blog_posts for update to authenticated
  using ((select engine.is_marketing())) with check ((select engine.is_marketing()));
create policy "marketing removes posts" on public.blog_posts for delete to authenticated using ((select engine.is_marketing()));

-- Pictures: `content` for generated ones, `assets` for the company's own.
do $$
begin
  if to_regclass('storage.buckets') is not null then
    insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
      ('content', 'content', true, 10485760, array['image/png', 'image/jpeg', 'image/webp', 'application/pdf']),
      ('assets', 'assets', true, 10485760, array['image/png', 'image/jpeg', 'image/webp', 'image/svg+xml'])
    on conflict do nothing;
    -- Whoever has its address sees a picture, for the buckets are public; only staff can list them, and with them unpublished drafts.
    create policy "staff list pictures" on storage.objects for select to authenticated
      using (bucket_id in ('content', 'assets') and (select engine.is_staff()));
    create policy "marketing adds company assets" on storage.objects for insert to authenticated
      with check (bucket_id = 'assets' and (select engine.is_marketing()));
    create policy "marketing replaces company assets" on storage.objects for update to authenticated
      using (bucket_id = 'assets' and (select engine.is_marketing()))
      with check (bucket_id = 'assets' and (select engine.is_marketing()));
    create policy "marketing removes company assets" on storage.objects for delete to authenticated
      using (bucket_id = 'assets' and (select engine.is_marketing()));
  end if;
end $$;

revoke execute on all functions in schema engine from public;
