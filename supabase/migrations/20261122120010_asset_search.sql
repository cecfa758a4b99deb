-- Search in the index of assets: full text in Portuguese and English, misspelt words by their trigrams, and nearest embeddings, fused by
-- reciprocal rank. It gives the features from which shared/retrieval computes the relevance.

-- Words that say nothing about what is searched: those that Snowball knows (with their accents, which are folded away here), and those
-- that only ask for a picture.
create function engine.is_stop_word(word text) returns boolean
language sql immutable strict parallel safe set search_path = '' as $$
  select engine.words_pt(word) = '' or engine.words_en(word) = '' or word = any (array['nao', 'sao', 'ja', 'ate', 'voce', 'tambem', 'so', 'ha',
    'esta', 'estao', 'foto', 'fotos', 'fotografia', 'imagem', 'imagens', 'ilustracao', 'photo', 'photos', 'photograph', 'picture', 'pictures',
    'image', 'images', 'illustration', 'showing', 'show', 'mostrando', 'mostra', 'nosso', 'nossa', 'nossos', 'nossas', 'cada', 'sobre'])
$$;

-- The words of a query, at most 16 of its first 500 characters. A word that the index knows by its stem is itself, with sureness 1; another
-- one is the two words most like it, with their likeness (shared trigrams by all) as sureness, from a third on; or unknown: no tsquery.
-- `uses`: in how many assets it is.
create function engine.search_terms(query text) returns table (word text, sureness double precision, uses integer, pt tsquery, en tsquery)
language sql stable set search_path = '' as $$
  with asked as materialized (
    select w.word, engine.trigrams(w.word) as trigrams,
      (tsvector_to_array(engine.words_pt(w.word)))[1] as stem_pt, (tsvector_to_array(engine.words_en(w.word)))[1] as stem_en
    from regexp_split_to_table(engine.fold(left(query, 500)), '[^a-z0-9]+') with ordinality w (word, place)
    where char_length(w.word) between 2 and 40 and not engine.is_stop_word(w.word)
    group by w.word order by min(w.place) limit 16
  ), known as materialized (
    select a.*, (select max(v.uses) from engine.asset_words v where v.stem_pt = a.stem_pt or v.stem_en = a.stem_en) as uses from asked a
  ), meant as (
    select k.word, 1.0::double precision as sureness, k.uses, array[k.word] as words from known k where k.uses is not null
    union all
    select k.word, coalesce(l.likeness, 0), coalesce(l.uses, 0), l.words
    from known k cross join lateral (
      select max(near.likeness) as likeness, max(near.uses) as uses, array_agg(near.word) as words from (
        select v.word, v.uses, shared.count / (cardinality(v.trigrams) + cardinality(k.trigrams) - shared.count)::double precision as likeness
        from engine.asset_words v
        cross join lateral (select count(*) from unnest(v.trigrams) t where t = any (k.trigrams)) shared
        where v.trigrams && k.trigrams and char_length(k.word) >= 4 and char_length(v.word) between char_length(k.word) - 3 and char_length(k.word) + 3
        order by likeness desc, v.uses desc, v.word limit 2
      ) near where near.likeness >= 0.33
    ) l
    where k.uses is null
  )
  select m.word, m.sureness, m.uses,
    (select string_agg(l, ' | ') from unnest(m.words) w, lateral (select quote_literal(x) as l from unnest(tsvector_to_array(engine.words_pt(w))) x) p)::tsquery,
    (select string_agg(l, ' | ') from unnest(m.words) w, lateral (select quote_literal(x) as l from unnest(tsvector_to_array(engine.words_en(w))) x) e)::tsquery
  from meant m
$$;

-- The operators of `vector` live in whatever schema the extension is in: bodies that are parsed here find them for good.
create function engine.cosine(one vector, other vector) returns double precision
language sql immutable strict parallel safe set search_path = ''
begin atomic
  select 1 - (one <=> other);
end;

-- Index parameters by measurement (bench: asset search).
select '[1]'::vector;
create function engine.nearest_assets(query_embedding vector, kinds text[], max_hits integer) returns table (id uuid)
language sql stable set search_path = '' set hnsw.ef_search = 80 set hnsw.iterative_scan = 'relaxed_order'
begin atomic
  select a.id from public.asset_index a
  where a.embedding is not null and (nearest_assets.kinds is null or a.kind = any (nearest_assets.kinds))
  order by a.embedding::halfvec(768) <=> nearest_assets.query_embedding::halfvec(768) limit nearest_assets.max_hits;
end;

-- Best first: reciprocal ranks (k = 60) among the best 50 by Portuguese, by English and by words however spelt, and the 30 nearest
-- embeddings. A picture is found once. `words` is the share of the query's words that the asset has, `title_words` that it has in its
-- title or tags, both weighted: a rare word tells more than one that many assets have, a guessed spelling less than a word that is
-- there. `cosine` is null without an embedding on either side. Each call is planned for its words: a plan for any words would read the
-- whole table.
create function public.search_assets(query text, query_embedding vector default null, kinds text[] default null, max_hits integer default 10)
returns table (id uuid, source text, source_id text, kind text, title text, description text, url text, metadata jsonb,
  words double precision, title_words double precision, cosine double precision, score double precision)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  wanted constant integer := least(greatest(coalesce(search_assets.max_hits, 10), 1), 50);
  terms constant jsonb := (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from engine.search_terms(search_assets.query) t);
  telling_pt tsquery;
  telling_en tsquery;
  all_pt tsquery;
  all_en tsquery;
begin
  -- A word that thousands of assets have leads to too many of them: alone it finds nothing, together with all others it does.
  select string_agg(t.pt::text, ' | ') filter (where t.uses <= 300), string_agg(t.en::text, ' | ') filter (where t.uses <= 300),
    string_agg('(' || t.pt || ')', ' & '), string_agg('(' || t.en || ')', ' & ')
  into telling_pt, telling_en, all_pt, all_en
  from jsonb_to_recordset(terms) t (pt text, en text, uses integer) where t.pt is not null;

  return query
  with term as materialized (
    select t.sureness, t.pt, t.en, setweight_of.pt as title_pt, setweight_of.en as title_en,
      1 / (1 + ln(greatest(t.uses, 1))) as weight
    from jsonb_to_recordset(terms) t (sureness double precision, uses integer, pt tsquery, en tsquery)
    cross join lateral (select
      regexp_replace(t.pt::text, '(''[^'']*'')', '\1:AB', 'g')::tsquery as pt, regexp_replace(t.en::text, '(''[^'']*'')', '\1:AB', 'g')::tsquery as en
    ) setweight_of
  ), worded as materialized (
    (select a.id from public.asset_index a
     where (search_assets.kinds is null or a.kind = any (search_assets.kinds)) and (a.text_pt @@ telling_pt or a.text_en @@ telling_en) limit 250)
    union
    (select a.id from public.asset_index a
     where (search_assets.kinds is null or a.kind = any (search_assets.kinds)) and (a.text_pt @@ all_pt or a.text_en @@ all_en) limit 100)
  ), near as materialized (
    select n.id, row_number() over () as place
    from engine.nearest_assets(search_assets.query_embedding, search_assets.kinds, 30) n where search_assets.query_embedding is not null
  ), measured as materialized (
    select a.id, m.words, m.title_words, ts_rank(a.text_pt, coalesce(telling_pt, all_pt)) as rank_pt,
      ts_rank(a.text_en, coalesce(telling_en, all_en)) as rank_en
    from (select w.id from worded w union select n.id from near n) c join public.asset_index a on a.id = c.id
    cross join lateral (select
      coalesce(sum(t.weight * t.sureness) filter (where a.text_pt @@ t.pt or a.text_en @@ t.en) / sum(t.weight), 0) as words,
      coalesce(sum(t.weight * t.sureness) filter (where a.text_pt @@ t.title_pt or a.text_en @@ t.title_en) / sum(t.weight), 0) as title_words
      from term t) m
  ), placed as (
    select m.*, n.place as place_near,
      case when m.rank_pt > 0 then rank() over (order by m.rank_pt desc nulls last) end as place_pt,
      case when m.rank_en > 0 then rank() over (order by m.rank_en desc nulls last) end as place_en,
      case when m.words > 0 then rank() over (order by m.words desc, m.title_words desc) end as place_words
    from measured m left join near n on n.id = m.id
  ), scored as (
    select p.id, p.words, p.title_words,
      (select coalesce(sum(1.0 / (60 + place)), 0) from unnest(array[p.place_near, p.place_pt, p.place_en, p.place_words]) place where place <= 50)::double precision as score
    from placed p
  ), shown as (
    select distinct on (coalesce(a.picture, a.id::text)) s.id, s.words, s.title_words, s.score
    from scored s join public.asset_index a on a.id = s.id where s.score > 0
    order by coalesce(a.picture, a.id::text), s.score desc, a.source <> 'storage' desc, a.id
  ), best as (
    select s.* from shown s order by s.score desc, s.id limit wanted
  )
  select a.id, a.source, a.source_id, a.kind, a.title, a.description, a.url, a.metadata,
    b.words, b.title_words, engine.cosine(a.embedding, search_assets.query_embedding), b.score
  from best b join public.asset_index a on a.id = b.id order by b.score desc, b.id;
end $$;

revoke execute on all functions in schema engine from public;
revoke execute on function public.search_assets from public, anon;
grant execute on function public.search_assets to authenticated, service_role;
grant execute on function engine.is_stop_word, engine.search_terms, engine.cosine, engine.nearest_assets to authenticated, service_role;
