-- LinkedIn carousels and Instagram posts, and the guard that keeps what a machine writes of them a draft.

-- squawk-ignore-file adding-foreign-key-constraint, prefer-text-field
-- On the existing database the table is there, with an enum of a name of its own.
do $$
begin
  if to_regclass('public.linkedin_carousels') is null then
    create type public.profile_type as enum ('company', 'salesperson');
    create table public.linkedin_carousels (
      id uuid primary key default gen_random_uuid(),
      admin_user_id uuid not null references auth.users (id),
      user_id uuid references auth.users (id) on delete set null,
      topic text not null,
      target_audience text not null,
      pain_point text,
      desired_outcome text,
      proof_points text,
      cta_action text,
      slides jsonb not null,
      caption text not null,
      image_urls jsonb,
      format text default 'carousel',
      profile_type public.profile_type default 'company',
      status text default 'draft',
      performance_metrics jsonb,
      generation_settings jsonb,
      content_embedding vector,
      rejected_by uuid references auth.users (id) on delete set null,
      created_at timestamptz not null default now()
    );
  end if;
end $$;

alter table public.linkedin_carousels
  add column if not exists generation_metadata jsonb default '{}',
  add column if not exists quality_score numeric,
  add column if not exists assets_used text[],
  add column if not exists regeneration_count integer default 0,
  add column if not exists scheduled_for timestamptz,
  add column if not exists rejection_reason text,
  add column if not exists rejected_at timestamptz,
  add column if not exists rejected_by uuid references auth.users (id) on delete set null,
  add column if not exists job_id uuid references public.jobs (id) on delete set null,
  add column if not exists language text,
  add column if not exists persona text,
  add column if not exists pdf_url text,
  add column if not exists ai_generated boolean not null default false,
  add column if not exists approved_by uuid references auth.users (id) on delete set null,
  add column if not exists approved_at timestamptz;
create unique index if not exists linkedin_carousels_job_id on public.linkedin_carousels (job_id);
create index if not exists linkedin_carousels_user_id on public.linkedin_carousels (user_id, created_at desc);
create index if not exists linkedin_carousels_admin_user_id on public.linkedin_carousels (admin_user_id, created_at desc);
create index if not exists linkedin_carousels_status on public.linkedin_carousels (status, created_at desc);
create index if not exists linkedin_carousels_created_at on public.linkedin_carousels (created_at desc);
create index if not exists linkedin_carousels_scheduled_for on public.linkedin_carousels (scheduled_for) where scheduled_for is not null;
create index if not exists linkedin_carousels_approved_by on public.linkedin_carousels (approved_by) where approved_by is not null;
create index if not exists linkedin_carousels_rejected_by on public.linkedin_carousels (rejected_by) where rejected_by is not null;
create index if not exists idx_carousels_quality on public.linkedin_carousels (quality_score);

create table public.instagram_posts (
  id uuid primary key default gen_random_uuid(),
  job_id uuid references public.jobs (id) on delete set null,
  user_id uuid references auth.users (id) on delete set null,
  topic text,
  target_audience text,
  language text,
  persona text,
  format text not null default 'carousel' check (format in ('carousel', 'single-image')),
  caption text check (char_length(caption) <= 2200),
  hashtags text[] not null default '{}' check (cardinality(hashtags) <= 5),
  image_url text,
  alt_text text check (char_length(alt_text) <= 1000),
  items jsonb not null default '[]'
    check (case when jsonb_typeof(items) = 'array' then jsonb_array_length(items) <= 10 else false end),
  status text default 'draft',
  ai_generated boolean not null default false,
  quality_score numeric,
  assets_used text[],
  regeneration_count integer not null default 0,
  generation_metadata jsonb not null default '{}',
  performance_metrics jsonb,
  scheduled_for timestamptz,
  rejection_reason text,
  rejected_at timestamptz,
  rejected_by uuid references auth.users (id) on delete set null,
  approved_by uuid references auth.users (id) on delete set null,
  approved_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index instagram_posts_job_id on public.instagram_posts (job_id);
create index instagram_posts_user_id on public.instagram_posts (user_id, created_at desc);
create index instagram_posts_status on public.instagram_posts (status, created_at desc);
create index instagram_posts_created_at on public.instagram_posts (created_at desc);
create index instagram_posts_scheduled_for on public.instagram_posts (scheduled_for) where scheduled_for is not null;
create index instagram_posts_approved_by on public.instagram_posts (approved_by) where approved_by is not null;
create index instagram_posts_rejected_by on public.instagram_posts (rejected_by) where rejected_by is not null;
create index instagram_posts_quality on public.instagram_posts (quality_score);

comment on table public.linkedin_carousels is 'LinkedIn carousels: drafts of jobs and what people wrote';
comment on column public.linkedin_carousels.admin_user_id is 'whose carousel it is; the person who asked, when a job wrote it';
comment on column public.linkedin_carousels.slides is
  'in the order shown: [{"role": "hook" | "content" | "cta", "headline", "body", "image_url", "alt_text", …}]';
comment on column public.linkedin_carousels.image_urls is 'addresses of the slides'' pictures, in the order shown';
comment on column public.linkedin_carousels.pdf_url is 'address of the document that LinkedIn takes: one page a slide';
comment on column public.linkedin_carousels.caption is 'as it is posted, hashtags included';
comment on column public.linkedin_carousels.profile_type is 'company or salesperson; `persona` is finer';
comment on column public.linkedin_carousels.content_embedding is 'of earlier versions; public.asset_index is what is searched now';
comment on table public.instagram_posts is 'Instagram posts: drafts of jobs and what people wrote';
comment on column public.instagram_posts.caption is 'as it is posted, hashtags included';
comment on column public.instagram_posts.image_url is 'address of the first picture';
comment on column public.instagram_posts.alt_text is 'of the first picture';
comment on column public.instagram_posts.items is
  'every picture in the order shown: [{"url", "alt_text", "role", "headline", "body", "width", "height", …}]; 2 to 10 make a carousel';

do $$
declare
  t text;
begin
  foreach t in array array['linkedin_carousels', 'instagram_posts'] loop
    execute format('comment on column public.%I.job_id is %L', t, 'the job that wrote it; null when a person did');
    execute format('comment on column public.%I.persona is %L', t, 'who speaks: company, technical_expert or salesperson');
    execute format('comment on column public.%I.quality_score is %L', t, 'the Brand Analyst''s last score, 0 to 100');
    execute format('comment on column public.%I.assets_used is %L', t, 'addresses of the company''s own pictures that it shows');
    execute format('comment on column public.%I.regeneration_count is %L', t, 'how many pictures were made again');
    execute format('comment on column public.%I.generation_metadata is %L', t,
      'of what a job wrote: strategy_time_ms, copywriting_time_ms, design_time_ms and review_time_ms (milliseconds of each stage), assets_used_count (pictures that show a real asset), generated_count (pictures that do not), quality_score, below_threshold, cost_usd, cost_by_stage, models, reviews, and one entry a picture in slides: asset (real or generated, why, which, relevance), text_rendering (model or typeset), legibility');
    execute format('create trigger guard_draft before insert or update on public.%I for each row execute function engine.guard_draft()', t);

    -- The public reads none of them, whatever an older rule says. Where there is an older rule, the rights of people and of
    -- services stay as they are with it.
    execute format('revoke all on public.%I from public, anon', t);
    if not exists (select from pg_catalog.pg_policies where schemaname = 'public' and tablename = t) then
      execute format('revoke all on public.%I from authenticated, service_role', t);
      execute format('grant select, insert, update, delete on public.%I to authenticated', t);
      execute format('grant select, insert on public.%I to service_role', t);
    end if;
    execute format('alter table public.%I enable row level security', t);
    execute format('create policy "marketing adds drafts" on public.%I for insert to authenticated with check ((select engine.is_marketing()))', t);
    execute format('create policy "marketing edits drafts" on public.%I for update to authenticated using ((select engine.is_marketing())) with check ((select engine.is_marketing()))', t);
    execute format('create policy "marketing removes drafts" on public.%I for delete to authenticated using ((select engine.is_marketing()))', t);
  end loop;
end $$;
create policy "people see their own, marketing all" on public.linkedin_carousels for select to authenticated
  using (user_id = (select auth.uid()) or admin_user_id = (select auth.uid()) or (select engine.is_marketing()));
create policy "people see their own, marketing all" on public.instagram_posts for select to authenticated
  using (user_id = (select auth.uid()) or (select engine.is_marketing()));

-- Fits any table of drafts with the columns status, job_id, ai_generated, approved_by and approved_at. What makes a row a
-- machine's is its job_id or ai_generated. Neither can be taken off it again, and what a service key writes is a machine's
-- whatever it says of itself. Where the table can say why a draft was rejected, it has to.
create or replace function engine.guard_draft() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  caller constant text := engine.caller_role();
  may_approve constant boolean := caller = 'authenticated' and engine.is_marketing();
  now_row constant jsonb := to_jsonb(new);
  old_row constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
  decisions constant text[] := array['status', 'published_at', 'scheduled_for', 'approved_by', 'approved_at',
    'rejection_reason', 'rejected_by', 'rejected_at'];
  content constant text[] := array['title', 'slug', 'content', 'excerpt', 'featured_image', 'topic', 'caption', 'slides', 'items',
    'image_url', 'image_urls', 'alt_text', 'hashtags', 'pdf_url'];
  undecided constant text[] := array['draft', 'rejected'];
  changed text[];
  gone text;
begin
  if caller = 'authenticated' and new.job_id is not null and now_row ->> 'job_id' is distinct from old_row ->> 'job_id' then
    raise exception using errcode = '42501', message = 'Only a job writes drafts in its own name (job_id).';
  end if;

  if tg_op = 'INSERT' then
    if new.job_id is not null or coalesce((now_row ->> 'ai_generated')::boolean, false) or caller = 'service_role' then
      if new.status is distinct from 'draft'
         or exists (select from unnest(decisions) d where d <> 'status' and now_row ->> d is not null) then
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
  -- Deleting a job or a person empties job_id, approved_by and rejected_by; nothing else does.
  if 'job_id' = any (changed) and (new.job_id is not null or exists (select from public.jobs j where j.id = old.job_id))
     or new.job_id is null and not coalesce((now_row ->> 'ai_generated')::boolean, false) then
    raise exception using errcode = '42501', message = 'Generated content stays marked as generated.';
  end if;
  foreach gone in array array['approved_by', 'rejected_by'] loop
    if now_row ->> gone is null and not exists (select from auth.users u where u.id = (old_row ->> gone)::uuid) then
      changed := array_remove(changed, gone);
    end if;
  end loop;
  if not may_approve and changed && decisions then
    raise exception using errcode = '42501',
      message = 'Only a signed-in person of marketing or an administrator can approve, reject, schedule or publish a draft.';
  end if;
  if not may_approve and old.status is distinct from 'draft' and changed && content then
    raise exception using errcode = '42501',
      message = 'Only a signed-in person of marketing or an administrator can change what was approved or rejected.';
  end if;
  if new.status = 'rejected' and now_row ? 'rejection_reason' and coalesce(btrim(now_row ->> 'rejection_reason'), '') = '' then
    raise exception using errcode = 'PT422', message = 'A rejection needs a reason (rejection_reason).';
  end if;

  -- Who approved or rejected it, and when, is written here and nowhere else.
  if new.status = any (undecided) then
    new.approved_by := null;
    new.approved_at := null;
  elsif old.status = any (undecided) then
    new.approved_by := auth.uid();
    new.approved_at := clock_timestamp();
  else
    new.approved_by := case when 'approved_by' = any (changed) then old.approved_by else new.approved_by end;
    new.approved_at := old.approved_at;
  end if;
  if new.status is distinct from 'rejected' then
    new := jsonb_populate_record(new, '{"rejection_reason": null, "rejected_by": null, "rejected_at": null}');
  elsif old.status is distinct from 'rejected' then
    new := jsonb_populate_record(new, jsonb_build_object('rejected_by', auth.uid(), 'rejected_at', clock_timestamp()));
  else
    new := jsonb_populate_record(new, jsonb_build_object('rejected_at', old_row -> 'rejected_at', 'rejected_by',
      case when 'rejected_by' = any (changed) then old_row else now_row end -> 'rejected_by'));
  end if;
  return new;
end $$;

-- A document of pictures is larger than a picture.
do $$
begin
  if to_regclass('storage.buckets') is not null then
    update storage.buckets set file_size_limit = 52428800 where id = 'content' and file_size_limit < 52428800;
  end if;
end $$;

-- What was approved is found as inspiration.
select engine.watch_assets('linkedin_carousels'), engine.watch_assets('instagram_posts');

revoke execute on all functions in schema engine from public;
