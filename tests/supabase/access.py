"""What the test of access is about: each table with who may do what, and rows for that to be true of.

The rows of TABLES are made by `fill`: one job of the owner's and one of another person's, each with events, a call and
a generated draft of each kind; a published post by a person; and a row of everything else.

    -    refused by the grants            0    allowed, but no row is visible
    rls  refused by a policy              own  some rows: one's own, or what is published
    ok   inserted                         all  every row
"""

from typing import Any

from psycopg import Connection, sql

# table                verb    anon owner other marketing sales admin service_role
TABLES = """
public.jobs              select  -    own   own   0         0     all   all
public.jobs              insert  -    ok    ok    ok        ok    ok    ok
public.jobs              update  -    -     -     -         -     -     -
public.jobs              delete  -    -     -     -         -     -     -
public.job_events        select  -    own   own   0         0     all   all
public.job_events        insert  -    -     -     -         -     -     -
public.job_events        update  -    -     -     -         -     -     -
public.job_events        delete  -    -     -     -         -     -     -
public.job_kinds         select  -    all   all   all       all   all   all
public.job_kinds         insert  -    -     -     -         -     -     -
public.job_kinds         update  -    -     -     -         -     -     -
public.job_kinds         delete  -    -     -     -         -     -     -
public.job_batches       select  -    own   own   0         0     all   all
public.job_batches       insert  -    ok    ok    ok        ok    ok    ok
public.job_batches       update  -    -     -     -         -     -     -
public.job_batches       delete  -    -     -     -         -     -     -
public.model_calls       select  -    own   own   0         0     all   all
public.model_calls       insert  -    -     -     -         -     -     -
public.model_calls       update  -    -     -     -         -     -     -
public.model_calls       delete  -    -     -     -         -     -     -
public.spend_limits      select  -    all   all   all       all   all   all
public.spend_limits      insert  -    rls   rls   rls       rls   ok    -
public.spend_limits      update  -    0     0     0         0     all   -
public.spend_limits      delete  -    0     0     0         0     all   -
public.kill_switches     select  -    all   all   all       all   all   all
public.kill_switches     insert  -    rls   rls   rls       rls   ok    -
public.kill_switches     update  -    -     -     -         -     -     -
public.kill_switches     delete  -    -     -     -         -     -     -
public.circuit_breakers  select  -    all   all   all       all   all   all
public.circuit_breakers  insert  -    -     -     -         -     -     -
public.circuit_breakers  update  -    -     -     -         -     -     -
public.circuit_breakers  delete  -    -     -     -         -     -     -
public.spend_alarms      select  -    own   own   own       own   all   all
public.spend_alarms      insert  -    -     -     -         -     -     -
public.spend_alarms      update  -    -     -     -         -     -     -
public.spend_alarms      delete  -    -     -     -         -     -     -
public.control_changes   select  -    0     0     0         0     all   all
public.control_changes   insert  -    -     -     -         -     -     -
public.control_changes   update  -    -     -     -         -     -     -
public.control_changes   delete  -    -     -     -         -     -     -
public.blog_posts        select  own  own   own   all       all   all   all
public.blog_posts        insert  -    rls   rls   ok        rls   ok    ok
public.blog_posts        update  -    0     0     all       0     all   -
public.blog_posts        delete  -    0     0     all       0     all   -
public.linkedin_carousels select  -    own   own   all       0     all   all
public.linkedin_carousels insert  -    rls   rls   ok        rls   ok    ok
public.linkedin_carousels update  -    0     0     all       0     all   -
public.linkedin_carousels delete  -    0     0     all       0     all   -
public.instagram_posts select  -    own   own   all       0     all   all
public.instagram_posts insert  -    rls   rls   ok        rls   ok    ok
public.instagram_posts update  -    0     0     all       0     all   -
public.instagram_posts delete  -    0     0     all       0     all   -
public.product_catalog   select  all  all   all   all       all   all   all
public.product_catalog   insert  -    rls   rls   ok        rls   ok    ok
public.product_catalog   update  -    0     0     all       0     all   all
public.product_catalog   delete  -    0     0     all       0     all   all
public.products          select  all  all   all   all       all   all   all
public.products          insert  -    rls   rls   ok        rls   ok    ok
public.products          update  -    0     0     all       0     all   all
public.products          delete  -    0     0     all       0     all   all
public.company_assets    select  all  all   all   all       all   all   all
public.company_assets    insert  -    rls   rls   ok        rls   ok    ok
public.company_assets    update  -    0     0     all       0     all   all
public.company_assets    delete  -    0     0     all       0     all   all
public.asset_index       select  -    0     0     all       all   all   all
public.asset_index       insert  -    -     -     -         -     -     -
public.asset_index       update  -    -     -     -         -     -     all
public.asset_index       delete  -    -     -     -         -     -     -
engine.asset_words       select  -    0     0     all       all   all   all
engine.asset_words       insert  -    -     -     -         -     -     -
engine.asset_words       update  -    -     -     -         -     -     -
engine.asset_words       delete  -    -     -     -         -     -     -
public.app_config        select  -    0     0     0         0     all   all
public.app_config        insert  -    rls   rls   rls       rls   ok    ok
public.app_config        update  -    0     0     0         0     all   all
public.app_config        delete  -    0     0     0         0     all   all
public.admin_users       select  -    0     0     0         0     all   all
public.admin_users       insert  -    -     -     -         -     -     ok
public.admin_users       update  -    -     -     -         -     -     all
public.admin_users       delete  -    -     -     -         -     -     all
public.admin_permissions select  -    0     0     0         0     all   all
public.admin_permissions insert  -    -     -     -         -     -     ok
public.admin_permissions update  -    -     -     -         -     -     all
public.admin_permissions delete  -    -     -     -         -     -     all
public.notification_preferences select  -    own   own   0         0     all   all
public.notification_preferences insert  -    ok    ok    ok        ok    ok    -
public.notification_preferences update  -    own   own   0         0     0     -
public.notification_preferences delete  -    own   own   0         0     0     -
public.notices           select  -    own   own   0         0     all   all
public.notices           insert  -    -     -     -         -     -     -
public.notices           update  -    -     -     -         -     -     -
public.notices           delete  -    -     -     -         -     -     -
public.notice_deliveries select  -    own   own   0         0     all   all
public.notice_deliveries insert  -    -     -     -         -     -     -
public.notice_deliveries update  -    -     -     -         -     -     -
public.notice_deliveries delete  -    -     -     -         -     -     -
engine.batch_ends        select  -    -     -     -         -     -     -
engine.batch_ends        insert  -    -     -     -         -     -     -
engine.batch_ends        update  -    -     -     -         -     -     -
engine.batch_ends        delete  -    -     -     -         -     -     -
engine.settings          select  -    -     -     -         -     -     -
engine.settings          insert  -    -     -     -         -     -     -
engine.settings          update  -    -     -     -         -     -     -
engine.settings          delete  -    -     -     -         -     -     -
engine.spend_counters    select  -    -     -     -         -     -     -
engine.spend_counters    insert  -    -     -     -         -     -     -
engine.spend_counters    update  -    -     -     -         -     -     -
engine.spend_counters    delete  -    -     -     -         -     -     -
engine.running_jobs      select  -    -     -     -         -     -     -
engine.running_jobs      insert  -    -     -     -         -     -     -
engine.running_jobs      update  -    -     -     -         -     -     -
engine.running_jobs      delete  -    -     -     -         -     -     -
"""
ACTORS = ("anon", "owner", "other", "marketing", "sales", "admin", "service_role")

# Functions that some role of the API may execute; all others in these schemas: none.
#                        anon authenticated service_role
FUNCTIONS = """
public.enqueue_job       -    yes           yes
public.retry_job         -    yes           yes
public.cancel_job        -    yes           yes
public.set_kill_switch   -    yes           -
public.enqueue_batch     -    yes           yes
public.cancel_batch      -    yes           yes
public.seconds_to_next_due -  -             yes
public.claim_job         -    -             yes
public.heartbeat_job     -    -             yes
public.checkpoint_job    -    -             yes
public.complete_job      -    -             yes
public.continue_job      -    -             yes
public.fail_job          -    -             yes
public.release_job       -    -             yes
public.sweep_jobs        -    -             yes
public.due_jobs          -    -             yes
public.reserve_call      -    -             yes
public.settle_call       -    -             yes
public.fail_call         -    -             yes
public.claim_notices     -    -             yes
public.settle_notice     -    -             yes
public.search_assets     -    yes           yes
public.refresh_asset_index -  -             yes
public.sync_catalog      -    -             -
engine.caller_role       yes  yes           yes
engine.app_role          yes  yes           yes
engine.is_admin          yes  yes           yes
engine.is_marketing      yes  yes           yes
engine.is_staff          yes  yes           yes
engine.is_status         -    yes           yes
engine.fold              -    yes           yes
engine.words_pt          -    yes           yes
engine.words_en          -    yes           yes
engine.trigrams          -    yes           yes
engine.is_stop_word      -    yes           yes
engine.search_terms      -    yes           yes
engine.cosine            -    yes           yes
engine.nearest_assets    -    yes           yes
"""

INSERTS = {
    "public.jobs": "(user_id, job_type) values (%(me)s, 'echo')",
    "public.job_events": "(job_id, kind, actor, attempt) values (%(job)s, 'completed', 'me', 1)",
    "public.job_kinds": "(name, title, service, lease_s, max_attempts, retry_base_s, retry_cap_s, concurrency)"
    " values ('mine', 'Mine', 'template', 1, 1, 1, 1, 1)",
    "public.job_batches": "(user_id, title) values (%(me)s, 'Mine')",
    "public.model_calls": "(job_id, user_id, kind, attempt, lease_token, stage, call_key, call_kind, model, prompt,"
    " day, reserved_usd)"
    " values (%(job)s, %(me)s, 'echo', 1, gen_random_uuid(), 's', 'k2', 'text', 'm', 'p@1', now(), 0)",
    "public.spend_limits": "values ('user', %(me)s::text, 1000)",
    "public.kill_switches": "(kind, engaged, reason) values ('blog', true, 'Because.')",
    "public.circuit_breakers": "(model) values ('m')",
    "public.spend_alarms": "values ('overall', '*', now(), 80, 1, 1)",
    "public.control_changes": "(actor, subject, key) values ('me', 'spend_limit', 'overall:*')",
    "public.blog_posts": "(title, slug) values ('Mine', 'mine')",
    "public.linkedin_carousels": "(admin_user_id, topic, target_audience, slides, caption)"
    " values (%(me)s, 'Mine', 'Mine', '[]', 'Mine')",
    "public.instagram_posts": "(topic) values ('Mine')",
    "public.product_catalog": "(name) values ('Mine')",
    "public.products": "(name) values ('Mine')",
    "public.company_assets": "(type, url) values ('logo', 'https://example.test')",
    "public.asset_index": "(source, source_id, kind, title, fingerprint)"
    " values ('products', 'mine', 'product', 'Mine', 'f')",
    "engine.asset_words": "(word) values ('mine')",
    "public.app_config": "values ('mine', 'x')",
    "public.admin_users": "values (%(me)s)",
    "public.admin_permissions": "values ('me@example.test')",
    "public.notification_preferences": "(user_id) values (%(me)s) on conflict do nothing",
    "public.notices": "(dedup_key, kind, subject, body) values ('k', 'spend_alarm', 's', 'b')",
    "public.notice_deliveries": "(notice_id, user_id, channel) select max(id), %(me)s, 'slack' from notices",
    "engine.batch_ends": "(batch_id) values (gen_random_uuid())",
    "engine.settings": "values ('webhook_secret', 'x')",
    "engine.spend_counters": "values ('overall', '*', now())",
    "engine.running_jobs": "values (%(job)s, %(me)s, 'echo')",
}


def table_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def fill(connection: Connection[Any]) -> dict[str, Any]:
    """Rows for TABLES to be true of. Returns the actors' user ids, and one job's id as `job`."""
    one: Any = connection.execute
    people = {
        actor: one("insert into auth.users (id) values (gen_random_uuid()) returning id").fetchone()[0]
        for actor in (*ACTORS, "chief")
    }
    for owner in ("owner", "other"):
        inserted = one("insert into jobs (user_id, job_type) values (%s, 'echo') returning id", (people[owner],))
        (job,) = inserted.fetchone()
        one("insert into job_batches (user_id, title) values (%s, 'Three posts')", (people[owner],))
        token = one("select lease_token from claim_job(%s, 'w')", (job,)).fetchone()[0]
        one("select reserve_call(%s, %s, 'k', 's', 'text', 'm', 'p@1', 0.1)", (job, token))
        one(
            "insert into blog_posts (title, slug, job_id, user_id) values ('Draft', %s, %s, %s)",
            (owner, job, people[owner]),
        )
        one(
            "insert into linkedin_carousels (job_id, admin_user_id, topic, target_audience, slides, caption)"
            " values (%s, %s, 'Draft', '', '[]', '')",
            (job, people[owner]),
        )
        one("insert into instagram_posts (job_id, user_id) values (%s, %s)", (job, people[owner]))
        people["job"] = job
    one("insert into notification_preferences (user_id) select distinct user_id from jobs")
    one(
        "insert into notices (dedup_key, kind, user_id, subject, body)"
        " select id, 'job_failed', user_id, '', '' from jobs"
    )
    one("insert into notice_deliveries (notice_id, user_id, channel) select id, user_id, 'email' from notices")
    one("insert into blog_posts (title, slug, status) values ('Published', 'published', 'published')")
    for table in ("products", "product_catalog"):
        one(sql.SQL("insert into {} (name) values ('Parafuso')").format(sql.Identifier(table)))
    one("insert into company_assets (type, url) values ('logo', 'https://example.test/lm.svg')")
    one("insert into spend_limits values ('kind', 'echo', 5)")
    one("insert into spend_alarms values ('overall', '*', now(), 80, 50, 40)")
    for owner in ("owner", "other"):
        one("insert into spend_alarms values ('user', %s, now(), 80, 20, 16)", (str(people[owner]),))
    one("insert into app_config values ('key', 'value')")
    one("insert into admin_users values (%s)", (people["chief"],))
    one("insert into admin_permissions values ('chief@example.test')")
    one("insert into kill_switches (kind, engaged, reason) values ('echo', false, 'For the test.')")
    one("insert into circuit_breakers (model) values ('model')")
    one("select engine.set_setting('webhook_secret', 'secret')")
    return people
