-- Rows of the former database: ordinary ones by the hundred, and every odd one that its code could leave behind.

insert into auth.users (id, email, raw_app_meta_data)
select ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'pessoa' || n || '@example.test', '{}' from generate_series(1, 9) n;

-- 240 ordinary jobs of nine people, under every name in use, in every state.
insert into public.jobs (user_id, job_type, status, payload, result, checkpoint_data, error, created_at, started_at, completed_at)
select ('00000000-0000-4000-8000-00000000000' || 1 + n % 9)::uuid,
  (array['blog_generate', 'blog_generation', 'carousel_generate', 'carousel_generation', 'generate_linkedin_carousel', 'deep_research',
    'research', 'lead_score', 'lead_enrich', 'repurpose_content', 'blog', 'carousel', 'instagram'])[1 + n % 13],
  (array['completed', 'failed', 'queued', 'completed', 'processing', 'pending'])[1 + n % 6],
  jsonb_build_object('topic', 'Usinagem de titânio nº ' || n, 'targetAudience', 'OEMs ortopédicos', 'researchLevel', 'deep'),
  case when n % 6 in (0, 3) then jsonb_build_object('title', 'Rascunho ' || n, 'score', n % 100) end,
  case when n % 4 = 0 then jsonb_build_object('research', jsonb_build_array(n, 'ação', null)) end,
  case when n % 6 = 1 then 'Vertex AI: quota exceeded (' || n || ')' end,
  timestamptz '2026-03-01 10:00+00' + n * interval '37 minutes',
  case when n % 6 in (0, 1, 3, 4) then timestamptz '2026-03-01 10:01+00' + n * interval '37 minutes' end,
  case when n % 6 in (0, 1, 3) then timestamptz '2026-03-01 10:09+00' + n * interval '37 minutes' end
from generate_series(1, 240) n;

-- The odd ones, which can be told by their error or payload.
insert into public.jobs (id, user_id, job_type, status, payload, result, checkpoint_data, error, created_at, completed_at) values
  ('10000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', 'blog_generate', 'processing:research', '{"topic": "a"}', null, '{"stage": "research"}', null, now() - interval '90 days', null),
  ('10000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'blog_generate', 'processing:', '{"topic": "a"}', null, null, '', now(), null),
  ('10000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000002', 'carousel_generate', 'processing:image_3', '{"topic": "a"}', null, '{"slides": []}', 'Gemini 503', now(), null),
  ('10000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-000000000002', 'blog', 'processing', null, '{"half": true}', null, null, now(), null),
  ('10000000-0000-4000-8000-000000000005', '00000000-0000-4000-8000-000000000002', 'blog', null, '{}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000006', null, 'blog', 'pending', '{"topic": "no user"}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000007', null, 'blog', 'completed', '{}', '{"title": "no user"}', null, null, now(), now()),
  ('10000000-0000-4000-8000-000000000008', '00000000-0000-4000-8000-000000000003', 'video_generate', 'pending', '{"topic": "unknown"}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000009', '00000000-0000-4000-8000-000000000003', 'video_generate', 'completed', '{}', '{}', null, null, now(), now()),
  ('10000000-0000-4000-8000-000000000010', '00000000-0000-4000-8000-000000000003', '', 'queued', '{}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000011', '00000000-0000-4000-8000-000000000003', '  Blog_Generate ', 'pending', '{"topic": "spaces"}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000012', '00000000-0000-4000-8000-000000000004', 'research', 'pending', null, null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000013', '00000000-0000-4000-8000-000000000004', 'research', 'queued', 'null', null, '[1, 2]', null, now(), null),
  ('10000000-0000-4000-8000-000000000014', '00000000-0000-4000-8000-000000000004', 'research', 'queued', '["a", "list"]', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000015', '00000000-0000-4000-8000-000000000004', 'research', 'queued', '"text"', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000016', '00000000-0000-4000-8000-000000000005', 'blog', 'completed', '{"topic": "日本語 ✓ \"aspas\" \\ barra"}', '{"title": "Ünïcödé 🦴", "nested": {"a": [1, 2.50, null, true]}}', null, null, now(), now()),
  ('10000000-0000-4000-8000-000000000017', '00000000-0000-4000-8000-000000000005', 'blog', 'completed', '{}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000018', '00000000-0000-4000-8000-000000000005', 'blog', 'failed', '{}', null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000019', '00000000-0000-4000-8000-000000000005', 'blog', 'completed', '{}', '{}', null, null, now(), now() - interval '1 year'),
  ('10000000-0000-4000-8000-000000000020', '00000000-0000-4000-8000-000000000005', 'blog', 'completed', '{}', '{}', null, null, null, null),
  ('10000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000006', 'blog', 'pending', jsonb_build_object('topic', repeat('x', 400000)), null, null, null, now(), null),
  ('10000000-0000-4000-8000-000000000022', '00000000-0000-4000-8000-000000000006', 'blog', 'pending', '{"topic": "asked again"}', null, null, null, now(), now()),
  ('10000000-0000-4000-8000-000000000023', '00000000-0000-4000-8000-000000000006', 'blog', 'queued', '{"topic": "asked again"}', null, null, null, now(), now());

insert into public.blog_categories (id, name) values ('20000000-0000-4000-8000-000000000001', 'educational');
insert into public.blog_posts (id, title, slug, content, category_id, tags, keywords, status, published_at, ai_generated, news_sources, view_count)
select ('20000000-0000-4000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid, 'Artigo nº ' || n, 'artigo-' || n, '# Título' || chr(10) || 'ação ' || n,
  '20000000-0000-4000-8000-000000000001', array['iso', 'anvisa'], array['titânio'],
  (array['draft', 'published', 'scheduled'])[1 + n % 3], case when n % 3 = 1 then now() end, n % 2 = 0, array['https://example.test/' || n], n
from generate_series(1, 24) n;
insert into public.blog_posts (title, slug, content, status, ai_generated) values ('Sem estado', 'sem-estado', '', null, null);

insert into public.linkedin_carousels (admin_user_id, topic, target_audience, slides, caption, profile_type, quality_score, assets_used, content_embedding, rejection_reason)
select '00000000-0000-4000-8000-000000000001', 'Tópico ' || n, 'Diretores', jsonb_build_array(jsonb_build_object('headline', 'H' || n)), 'Legenda #' || n,
  (array['company', 'salesperson'])[1 + n % 2]::public.profile_kind, n * 1.5, array['a', 'b'], ('[' || n || ',0.5,-1]')::vector, case when n % 5 = 0 then 'não' end
from generate_series(1, 12) n;
-- As the former pipeline left them: finished ones with pictures, and odd ones.
insert into public.linkedin_carousels (admin_user_id, user_id, topic, target_audience, pain_point, desired_outcome, proof_points, cta_action, slides, caption,
  image_urls, format, status, performance_metrics, generation_settings, generation_metadata, quality_score, assets_used, regeneration_count, scheduled_for,
  rejected_at, rejected_by, thumbnail_url, is_favorite)
select '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000003', 'Eletropolimento nº ' || n, 'Engenheiros de P&D', 'Rebarbas', 'Ra < 0,1 µm',
  'ISO 13485:2016', 'Fale com a engenharia',
  jsonb_build_array(jsonb_build_object('type', 'hook', 'headline', 'Superfície é função', 'body', 'Ra abaixo de 0,1 µm “na própria fábrica”'),
    jsonb_build_object('type', 'cta', 'headline', 'Vamos conversar?', 'body', null)),
  'Acabamento sem terceirizar. #eletropolimento', jsonb_build_array('https://example.test/' || n || '/1.png', 'https://example.test/' || n || '/2.png'),
  (array['carousel', 'single-image'])[1 + n % 2], (array['approved', 'rejected', 'scheduled', 'published', 'archived'])[1 + n % 5], '{"impressions": 1200}',
  '{"model": "gemini-2.5-flash"}', '{"strategy_time_ms": 5100, "review": {"score": 81}}', 60 + n, array['https://example.test/torno.png'], n % 3, now(), now(),
  '00000000-0000-4000-8000-000000000002', 'https://example.test/t.png', n % 2 = 0
from generate_series(1, 20) n;
insert into public.linkedin_carousels (admin_user_id, topic, target_audience, slides, caption, image_urls, format, profile_type, status, regeneration_count, created_at)
values ('00000000-0000-4000-8000-000000000001', '', '', '{"slides": []}', '', '"one.png"', null, null, null, null, null);

insert into public.leads (nome_empresa, segmento, scraped_emails, has_iso, predicted_score, v2_score, enrichment_status, priority)
select 'Empresa Médica ' || n || ' Ltda.', 'Implantes Ortopédicos', jsonb_build_array('a' || n || '@example.test'), n % 2 = 0, n % 10 + 0.25,
  case when n % 3 = 0 then n % 10 end, (array['pending', 'in_progress', 'complete', 'failed'])[1 + n % 4], (array['low', 'medium', 'high', 'urgent'])[1 + n % 4]
from generate_series(1, 60) n;

insert into public.contact_leads (name, email, project_types, status, priority, lead_score, score_breakdown, assigned_to)
select 'Contato ' || n, n || '@example.test', array['dental', 'spine'], (array['new', 'contacted', 'qualified', 'lost'])[1 + n % 4]::public.contact_status,
  (array['low', 'medium', 'high'])[1 + n % 3]::public.contact_priority, n, '{"size": 15}', '00000000-0000-4000-8000-000000000002'
from generate_series(1, 20) n;

insert into public.product_catalog (name, category, embedding) select 'Parafuso ' || n, 'spine', ('[0.1,0.2,' || n || ']')::vector from generate_series(1, 9) n;
insert into public.products (name, metadata) select 'Produto ' || n, '{"ra_um": 0.1}' from generate_series(1, 5) n;
insert into public.company_assets (type, url) values ('logo', 'https://example.test/lm.svg'), (null, null);
insert into public.knowledge_base (content, embedding, chunk_index)
select 'Trecho ' || n, (select ('[' || string_agg((i * n / 1000.0)::text, ',') || ']')::vector from generate_series(1, 768) i), n from generate_series(1, 4) n;
insert into public.company_research (domain, key_products, expires_at) values ('example.test', '["a"]', 'infinity');
insert into public.blog_analytics (post_id, scroll_depth, cta_clicked) select id, 80, true from public.blog_posts;
insert into public.analytics_events (event_type, metadata) values ('view', '{}'), ('click', null);
insert into public.app_config values ('openai_key', 'secreto', null), ('empty', null, 'nothing');
insert into public.admin_users (user_id) values ('00000000-0000-4000-8000-000000000009');
insert into public.admin_permissions (email, permission_level) values ('chefe@example.test', 'super_admin');
insert into public.automation_profiles (id, user_id) values ('30000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000003');
insert into public.automation_limits (role, daily_limit) values ('sales', 40);
insert into public.automation_logs (profile_id, action) select '30000000-0000-4000-8000-000000000001', 'invite' from generate_series(1, 7);
