-- The index of what the company can show: photographs of products, factory, people and machines, logos, and approved earlier work.

-- Lower case without accents: what people type and what was written meet here.
create function engine.fold(words text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select pg_catalog.regexp_replace(pg_catalog.lower(pg_catalog.normalize(words, 'NFD')), '[\u0300-\u036f]', '', 'g')
$$;

-- Snowball knows Portuguese plurals by their accents, which are folded away: fixações, espinhais, imagens.
create function engine.words_pt(words text) returns tsvector
language sql immutable strict parallel safe set search_path = '' as $$
  select pg_catalog.to_tsvector('pg_catalog.portuguese', pg_catalog.regexp_replace(pg_catalog.regexp_replace(
    pg_catalog.regexp_replace(engine.fold(words), '[oa]es\M', 'ao', 'g'), '([ae])is\M', '\1l', 'g'), '([aeiu])ns\M', '\1m', 'g'))
$$;

create function engine.words_en(words text) returns tsvector
language sql immutable strict parallel safe set search_path = '' as $$
  select pg_catalog.to_tsvector('pg_catalog.english', engine.fold(words))
$$;

-- Three letters each, with two blanks before the word and one behind, so that its beginning counts most.
create function engine.trigrams(word text) returns text[]
language sql immutable strict parallel safe set search_path = '' as $$
  select array(select distinct pg_catalog.substr('  ' || word || ' ', n, 3) from pg_catalog.generate_series(1, pg_catalog.char_length(word) + 1) n)
$$;

create table public.asset_index (
  id uuid primary key default gen_random_uuid(),
  source text not null check (source in
    ('product_catalog', 'products', 'company_assets', 'storage', 'linkedin_carousels', 'instagram_posts', 'blog_posts')),
  source_id text not null,
  kind text not null check (kind in ('product', 'facility', 'team', 'equipment', 'logo', 'past_work')),
  title text not null,
  description text not null default '',
  tags text not null default '',
  url text,
  status text,
  quality numeric,
  metadata jsonb not null default '{}',
  fingerprint text not null,
  updated_at timestamptz not null default now(),
  picture text generated always as (regexp_replace(url, '^https?://[^/]+', '')) stored,
  text_pt tsvector generated always as (
    setweight(engine.words_pt(title), 'A') || setweight(engine.words_pt(tags), 'B') || setweight(engine.words_pt(description), 'C')) stored,
  text_en tsvector generated always as (
    setweight(engine.words_en(title), 'A') || setweight(engine.words_en(tags), 'B') || setweight(engine.words_en(description), 'C')) stored,
  embedding vector(768),
  embedding_model text,
  embedding_fingerprint text,
  unique (source, source_id),
  check (num_nulls(embedding, embedding_model, embedding_fingerprint) in (0, 3)),
  check (embedding_fingerprint = fingerprint)
);
comment on table public.asset_index is 'What can be shown or taken as inspiration, to be searched by public.search_assets';
comment on column public.asset_index.url is 'of the picture; relative to the project''s own address for files in Storage';
comment on column public.asset_index.picture is 'the address without its host: the same picture may have several rows and is found once';
comment on column public.asset_index.quality is 'score of earlier work, 0-100';
comment on column public.asset_index.fingerprint is 'of the text; an embedding of another text is thrown away with it';
create index asset_index_text_pt on public.asset_index using gin (text_pt) with (fastupdate = off);
create index asset_index_text_en on public.asset_index using gin (text_en) with (fastupdate = off);
create index asset_index_to_embed on public.asset_index (id) where embedding is null;
-- Half the numbers' size is half the memory, and the order of neighbours stays the same (bench: asset search).
create index asset_index_embedding on public.asset_index using hnsw ((embedding::halfvec(768)) halfvec_cosine_ops)
  with (m = 16, ef_construction = 64);

-- Every word of the index: what a misspelt word of a query is compared with, and how telling a word is. Words stay when their
-- last row goes: then they lead to nothing.
create table engine.asset_words (
  word text primary key,
  trigrams text[] not null generated always as (engine.trigrams(word)) stored,
  stem_pt text generated always as ((tsvector_to_array(engine.words_pt(word)))[1]) stored,
  stem_en text generated always as ((tsvector_to_array(engine.words_en(word)))[1]) stored,
  uses integer not null default 1
);
comment on column engine.asset_words.uses is 'in how many rows of the index it is, when they were counted last';
create index asset_words_trigrams on engine.asset_words using gin (trigrams) with (fastupdate = off);
create index asset_words_stem_pt on engine.asset_words (stem_pt);
create index asset_words_stem_en on engine.asset_words (stem_en);

alter table public.asset_index enable row level security;
alter table engine.asset_words enable row level security;
revoke all on public.asset_index, engine.asset_words from public, anon, authenticated, service_role;
grant select on public.asset_index, engine.asset_words to authenticated, service_role;
grant update (embedding, embedding_model, embedding_fingerprint) on public.asset_index to service_role;
create policy "staff read" on public.asset_index for select to authenticated using ((select engine.is_staff()));
create policy "staff read" on engine.asset_words for select to authenticated using ((select engine.is_staff()));

revoke execute on all functions in schema engine from public;
grant execute on function engine.fold, engine.words_pt, engine.words_en, engine.trigrams to authenticated, service_role;
