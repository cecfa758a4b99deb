-- How the index of assets is filled. Its rows follow their sources by triggers, text at once. Embeddings are made by jobs of the kind
-- `index_assets`: a changed text loses its embedding, and the first row without one asks for a job.

-- What a folder, a bucket or a type of asset means; null: nothing that is known.
create function engine.asset_kind(name text) returns text
language sql immutable set search_path = '' as $$
  select case
    when engine.fold(name) ~ '^(logo|marca|brand)' then 'logo'
    when engine.fold(name) ~ '^(product|produto)' then 'product'
    when engine.fold(name) ~ '^(team|equipe|time|people|pessoas)' then 'team'
    when engine.fold(name) ~ '^(equipment|equipamento|machine|maquina|process)' then 'equipment'
    when engine.fold(name) ~ '^(facility|facilities|factory|fabrica|instalac)' then 'facility'
  end
$$;

create function engine.number_of(value text) returns numeric
language sql immutable set search_path = '' as $$
  select case when value ~ '^\d{1,9}(\.\d{1,9})?$' then value::numeric end
$$;

-- The first address of `image_urls`: a list of addresses, or of objects that have one.
create function engine.first_url(urls jsonb) returns text
language sql immutable set search_path = '' as $$
  select case jsonb_typeof(urls -> 0) when 'string' then urls ->> 0 else coalesce(urls -> 0 ->> 'url', urls -> 0 ->> 'image_url') end
$$;

create function engine.file_title(path text) returns text
language sql immutable set search_path = '' as $$
  select regexp_replace(regexp_replace(path, '^.*/|\.\w+$', '', 'g'), '[-_]+', ' ', 'g')
$$;

-- The index's row for a row of a source, which may lack any column; no row for what has nothing to show: a product without a
-- picture, a file that is no picture of the company, a draft, work below the bar.
create function engine.asset_of(source text, r jsonb) returns setof public.asset_index
language plpgsql stable set search_path = '' as $$
declare
  a public.asset_index;
begin
  a.source := asset_of.source;
  a.source_id := r ->> 'id';
  a.metadata := '{}';
  case asset_of.source
  when 'product_catalog', 'products' then
    a.kind := 'product';
    a.title := r ->> 'name';
    a.description := r ->> 'description';
    a.tags := r ->> 'category';
    a.url := r ->> 'image_url';
    a.metadata := jsonb_strip_nulls(jsonb_build_object('category', r -> 'category'));
  when 'company_assets' then
    a.kind := coalesce(engine.asset_kind(r ->> 'type'), 'facility');
    -- The table has no name: the first sentence is one, or the file's name.
    a.title := coalesce(nullif(split_part(regexp_replace(r ->> 'description', '^Ilustração: ', ''), '. ', 1), ''), engine.file_title(r ->> 'url'));
    a.description := r ->> 'description';
    a.tags := r ->> 'type';
    a.url := r ->> 'url';
  when 'storage' then
    if r ->> 'bucket_id' = 'content' or r ->> 'name' !~* '\.(png|jpe?g|webp|svg)$'
       or not exists (select from storage.buckets b where b.id = r ->> 'bucket_id' and b.public) then
      return;
    end if;
    a.kind := coalesce(engine.asset_kind(r ->> 'name'), engine.asset_kind(r ->> 'bucket_id'));
    a.title := engine.file_title(r ->> 'name');
    a.tags := regexp_replace(coalesce(substring(r ->> 'name' from '^(.*)/'), ''), '[-_/]+', ' ', 'g');
    a.url := '/storage/v1/object/public/' || (r ->> 'bucket_id') || '/' || (r ->> 'name');
    a.metadata := jsonb_build_object('bucket', r -> 'bucket_id', 'path', r -> 'name');
  else
    a.kind := 'past_work';
    a.status := r ->> 'status';
    a.quality := coalesce(engine.number_of(r ->> 'quality_score'), engine.number_of(r -> 'metadata' ->> 'quality_score'));
    if a.status in ('accepted', 'approved', 'published') is not true or (a.quality >= 70) is not true then
      return;
    end if;
    a.title := coalesce(r ->> 'topic', r ->> 'title', left(r ->> 'caption', 120));
    a.description := concat_ws(E'\n', coalesce(r ->> 'caption', r ->> 'excerpt', left(r ->> 'content', 600)),
      (select string_agg(s ->> 'headline', E'\n') from jsonb_path_query(r, '$.slides[*]') s));
    a.tags := concat_ws(' ', r ->> 'target_audience', (select string_agg(t #>> '{}', ' ') from jsonb_path_query(r, '$.tags[*]') t));
    a.url := coalesce(engine.first_url(r -> 'image_urls'), r ->> 'image_url', r ->> 'featured_image');
    a.metadata := jsonb_strip_nulls(jsonb_build_object('status', a.status, 'quality', a.quality, 'language', r -> 'language'));
  end case;
  if a.kind is null or coalesce(trim(a.title), '') = '' or (a.kind <> 'past_work' and coalesce(a.url, '') = '') then
    return;
  end if;
  a.title := left(trim(a.title), 300);
  a.description := left(coalesce(a.description, ''), 4000);
  a.tags := left(coalesce(a.tags, ''), 300);
  a.url := nullif(a.url, '');
  a.fingerprint := md5(a.title || E'\n' || a.tags || E'\n' || a.description);
  return next a;
end $$;

-- One job for all that waits: it is for whoever is signed in or, where a service wrote, for the first administrator. Whoever writes with
-- the database's own rights (a migration, a seed) asks for a job himself. What people write must never fail because of it.
create function engine.request_asset_index() returns void
language plpgsql security definer set search_path = '' as $$
declare
  asker uuid;
begin
  if engine.caller_role() not in ('authenticated', 'service_role')
     or exists (select from public.jobs j where j.kind = 'index_assets' and j.status = 'queued' and j.completed_at is null) then
    return;
  end if;
  select u.id into asker from auth.users u
  where u.id in (select auth.uid() union all select d.user_id from public.admin_users d)
  order by u.id = auth.uid() desc nulls last, u.created_at, u.id limit 1;
  -- Whoever holds the lock is asking right now.
  if asker is null or not pg_try_advisory_xact_lock(hashtextextended('request_asset_index', 0)) then
    return;
  end if;
  -- A few seconds, in which more changes come and share the job.
  insert into public.jobs (user_id, job_type, status, payload, scheduled_for)
  values (asker, 'index_assets', 'queued', '{}', clock_timestamp() + interval '5 seconds');
exception when others then
  raise warning 'no job to index assets: %', sqlerrm;
end $$;

-- Writes rows of the index, and asks for embeddings where some are missing then. Returns how many rows it changed.
create function engine.put_assets(assets public.asset_index[]) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  changed integer;
begin
  insert into public.asset_index as i
    (source, source_id, kind, title, description, tags, url, status, quality, metadata, fingerprint)
  select a.source, a.source_id, a.kind, a.title, a.description, a.tags, a.url, a.status, a.quality, a.metadata, a.fingerprint
  from unnest(assets) a order by a.source, a.source_id
  on conflict (source, source_id) do update set
    kind = excluded.kind, title = excluded.title, description = excluded.description, tags = excluded.tags, url = excluded.url,
    status = excluded.status, quality = excluded.quality, metadata = excluded.metadata, fingerprint = excluded.fingerprint,
    updated_at = clock_timestamp(),
    embedding = case when i.fingerprint = excluded.fingerprint then i.embedding end,
    embedding_model = case when i.fingerprint = excluded.fingerprint then i.embedding_model end,
    embedding_fingerprint = case when i.fingerprint = excluded.fingerprint then i.embedding_fingerprint end
  where (i.fingerprint, i.kind, i.url, i.status, i.quality, i.metadata)
    is distinct from (excluded.fingerprint, excluded.kind, excluded.url, excluded.status, excluded.quality, excluded.metadata);
  get diagnostics changed = row_count;
  if changed > 0 then
    insert into engine.asset_words (word)
    select distinct w from unnest(assets) a, regexp_split_to_table(engine.fold(concat_ws(' ', a.title, a.tags, a.description)), '[^a-z0-9]+') w
    where char_length(w) between 2 and 40 order by w
    on conflict do nothing;
    if exists (select from public.asset_index i where i.embedding is null) then
      perform engine.request_asset_index();
    end if;
  end if;
  return changed;
end $$;

-- For any source with a column id; the trigger's argument is its name.
create function engine.index_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  assets constant public.asset_index[] := array(select a from changed c, engine.asset_of(tg_argv[0], to_jsonb(c)) a);
begin
  delete from public.asset_index i
  where i.source = tg_argv[0] and i.source_id in (select c.id::text from changed c except select a.source_id from unnest(assets) a);
  perform engine.put_assets(assets);
  return null;
end $$;

create function engine.unindex_gone() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.asset_index i where i.source = tg_argv[0] and i.source_id in (select g.id::text from gone g);
  return null;
end $$;

-- The table behind a source; null when it is not there (yet).
create function engine.asset_table(source text) returns regclass
language sql stable set search_path = '' as $$
  select to_regclass(case asset_table.source when 'storage' then 'storage.objects' else 'public.' || asset_table.source end)
$$;

-- Brings the index in step with one source, whatever the triggers missed. Returns how many rows that changed.
create function engine.refill_assets(source text) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  assets public.asset_index[] := '{}';
  removed integer;
begin
  if engine.asset_table(refill_assets.source) is not null then
    execute format('select array(select a from %s t, engine.asset_of($1, to_jsonb(t)) a)', engine.asset_table(refill_assets.source))
      into assets using refill_assets.source;
  end if;
  delete from public.asset_index i
  where i.source = refill_assets.source and i.source_id not in (select a.source_id from unnest(assets) a);
  get diagnostics removed = row_count;
  return removed + engine.put_assets(assets);
end $$;

-- Triggers on a source, once, and its rows into the index. A migration that makes a new source calls it. On a table of somebody
-- else's that may have no triggers of ours (Storage's, in some projects) the jobs alone keep the index fresh.
create function engine.watch_assets(source text) returns void
language plpgsql set search_path = '' as $$
declare
  watched constant regclass := engine.asset_table(watch_assets.source);
begin
  if watched is null then
    return;
  end if;
  if has_table_privilege(watched, 'trigger') then
    execute format('create or replace trigger index_added after insert on %s referencing new table as changed
      for each statement execute function engine.index_changed(%L)', watched, watch_assets.source);
    execute format('create or replace trigger index_changed after update on %s referencing new table as changed
      for each statement execute function engine.index_changed(%L)', watched, watch_assets.source);
    execute format('create or replace trigger index_removed after delete on %s referencing old table as gone
      for each statement execute function engine.unindex_gone(%L)', watched, watch_assets.source);
  end if;
  perform engine.refill_assets(watch_assets.source);
end $$;

-- For the job: everything that the triggers missed, and how often each word is used. Returns how many rows were out of step.
create function public.refresh_asset_index() returns integer
language plpgsql security definer set search_path = '' as $$
declare
  changed integer := 0;
begin
  select sum(engine.refill_assets(s)) into changed from unnest(array['product_catalog', 'products', 'company_assets', 'storage',
    'linkedin_carousels', 'instagram_posts', 'blog_posts']) s;
  with counted as (
    select w, count(*) as uses from public.asset_index i, lateral (
      select distinct w from regexp_split_to_table(engine.fold(concat_ws(' ', i.title, i.tags, i.description)), '[^a-z0-9]+') w) each_word
    group by w
  )
  update engine.asset_words a set uses = c.uses from counted c where c.w = a.word and a.uses <> c.uses;
  return changed;
end $$;

revoke execute on all functions in schema engine from public;
revoke execute on function public.refresh_asset_index from public, anon, authenticated;
grant execute on function public.refresh_asset_index to service_role;

select engine.watch_assets(s) from unnest(array['product_catalog', 'products', 'company_assets', 'storage',
  'linkedin_carousels', 'instagram_posts', 'blog_posts']) s;
