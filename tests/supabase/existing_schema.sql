-- The database in use before this product, as its description gives it: every table, its own types, rules and policies, the bad
-- ones too. Run on a new Supabase project.

create type public.profile_kind as enum ('company', 'salesperson');
create type public.contact_status as enum ('new', 'contacted', 'qualified', 'lost');
create type public.contact_priority as enum ('low', 'medium', 'high');

create table public.jobs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id),
  job_type text not null,
  status text default 'queued',
  payload jsonb,
  result jsonb,
  checkpoint_data jsonb,
  error text,
  created_at timestamptz default now(),
  started_at timestamptz,
  completed_at timestamptz,
  constraint jobs_status_check check (status in ('pending', 'queued', 'processing', 'completed', 'failed') or status like 'processing:%')
);
create index jobs_status_idx on public.jobs (status, created_at);
alter table public.jobs enable row level security;
create policy "Users can view own jobs" on public.jobs for select using (auth.uid() = user_id);
create policy "Users can insert own jobs" on public.jobs for insert with check (auth.uid() = user_id);
create policy "Workers update anything" on public.jobs for update using (true) with check (true);

create table public.blog_categories (id uuid primary key default gen_random_uuid(), name text not null);
create table public.blog_posts (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  slug text not null unique,
  content text not null,
  excerpt text,
  featured_image text,
  author_name text default 'Lifetrek Medical',
  category_id uuid references public.blog_categories (id) on delete set null,
  tags text[] default '{}',
  seo_title text,
  seo_description text,
  keywords text[],
  status text default 'draft',
  published_at timestamptz,
  ai_generated boolean default false,
  news_sources text[],
  scheduled_for timestamptz,
  view_count integer default 0,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
alter table public.blog_posts enable row level security;
create policy "Public can read published posts" on public.blog_posts for select using (status = 'published');
create policy "Admins manage posts" on public.blog_posts for all to authenticated
  using (exists (select 1 from auth.users u where u.id = auth.uid() and false));

create function public.touch_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end $$;
create trigger blog_posts_updated_at before update on public.blog_posts for each row execute function public.touch_updated_at();

create table public.linkedin_carousels (
  id uuid primary key default gen_random_uuid(),
  admin_user_id uuid not null references auth.users (id),
  user_id uuid references auth.users (id),
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
  profile_type public.profile_kind default 'company',
  status text default 'draft',
  performance_metrics jsonb,
  generation_settings jsonb,
  generation_metadata jsonb,
  quality_score numeric,
  assets_used text[],
  regeneration_count integer default 0,
  content_embedding vector(3),
  scheduled_for timestamptz,
  rejection_reason text,
  rejected_at timestamptz,
  rejected_by uuid,
  thumbnail_url text,
  is_favorite boolean default false,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create index idx_carousels_quality on public.linkedin_carousels (quality_score);
create trigger linkedin_carousels_updated_at before update on public.linkedin_carousels for each row execute function public.touch_updated_at();

create table public.leads (
  id uuid primary key default gen_random_uuid(),
  nome_empresa text not null unique,
  website text,
  telefone text,
  segmento text,
  categoria text,
  scraped_emails jsonb,
  linkedin_profiles jsonb,
  decision_makers jsonb,
  has_fda boolean default false,
  has_ce boolean default false,
  has_iso boolean default false,
  has_rd boolean default false,
  years_in_business integer,
  countries_served integer,
  employee_count integer,
  predicted_score numeric(4, 2) check (predicted_score between 0 and 10),
  v2_score numeric(4, 2),
  enrichment_status text default 'pending' check (enrichment_status in ('pending', 'in_progress', 'complete', 'failed')),
  priority text default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
  last_enriched_at timestamptz,
  source text,
  notes text
);
alter table public.leads enable row level security;
create policy "Enable read access for all users" on public.leads for select using (true);

create table public.contact_leads (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  email text not null,
  phone text,
  company text,
  project_type text,
  project_types text[],
  annual_volume text,
  technical_requirements text,
  message text,
  status public.contact_status default 'new',
  priority public.contact_priority default 'medium',
  lead_score integer check (lead_score between 0 and 100),
  score_breakdown jsonb,
  assigned_to uuid references auth.users (id),
  source text default 'website',
  website text,
  city text,
  state text,
  industry text,
  employees text,
  linkedin_url text
);

create table public.product_catalog (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  description text,
  category text,
  image_url text,
  embedding vector(3)
);
create index product_catalog_embedding on public.product_catalog using hnsw (embedding vector_cosine_ops);
alter table public.product_catalog enable row level security;
create policy "Anyone can view products" on public.product_catalog for select using (true);

create table public.products (id uuid primary key default gen_random_uuid(), name text not null, description text, image_url text, category text, metadata jsonb);
create table public.company_assets (id uuid primary key default gen_random_uuid(), type text, url text, description text);
create table public.knowledge_base (
  id uuid primary key default gen_random_uuid(),
  content text not null,
  metadata jsonb,
  embedding vector(768),
  source_type text,
  source_id text,
  chunk_index integer
);
create table public.company_research (
  id uuid primary key default gen_random_uuid(),
  domain text unique,
  company_name text,
  website_summary text,
  linkedin_info text,
  industry text,
  key_products jsonb,
  recent_news jsonb,
  expires_at timestamptz
);
create table public.blog_analytics (
  id uuid primary key default gen_random_uuid(),
  post_id uuid references public.blog_posts (id) on delete cascade,
  session_id text,
  user_email text,
  company_domain text,
  viewed_at timestamptz default now(),
  time_on_page integer,
  scroll_depth integer,
  cta_clicked boolean,
  utm_source text,
  utm_medium text,
  utm_campaign text
);
create table public.analytics_events (id uuid primary key default gen_random_uuid(), event_type text, company_name text, company_email text, metadata jsonb);
create table public.app_config (key text primary key, value text, description text);
alter table public.app_config enable row level security;
create table public.admin_users (id uuid primary key default gen_random_uuid(), user_id uuid unique references auth.users (id), permission_level text default 'admin');
create table public.admin_permissions (id uuid primary key default gen_random_uuid(), email text unique, permission_level text check (permission_level in ('admin', 'super_admin')));
create table public.automation_profiles (id uuid primary key default gen_random_uuid(), user_id uuid references auth.users (id), account_id text);
create table public.automation_limits (id uuid primary key default gen_random_uuid(), role text, daily_limit integer);
create table public.automation_logs (id uuid primary key default gen_random_uuid(), profile_id uuid references public.automation_profiles (id), action text, at timestamptz default now());
