"""What people and the dispatcher call: retry, cancel, sweep, due jobs; and the catalogue of kinds."""

import asyncio
import json
from uuid import uuid4

import yaml

from infra.local.migrate import CATALOG
from tests.supabase.desk import Desk, connect, refusal, rows, value

CANCEL = "select (cancel_job(%s)).status"
RETRY = "select (retry_job(%s)).status"


async def failed_job(desk: Desk) -> str:
    claim = await desk.claimed()
    await desk.worker.execute("select checkpoint_job(%s, %s, '{\"research\": [1]}')", (claim.job_id, claim.token))
    await desk.worker.execute(
        'select fail_job(%s, %s, \'{"message": "no sources"}\', false)', (claim.job_id, claim.token)
    )
    return str(claim.job_id)


async def test_an_owner_cancels_a_waiting_job_and_it_is_never_claimed(desk):
    job_id = await desk.insert()
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, CANCEL, job_id) == "cancelled"
    job = await desk.job(job_id)
    assert job["completed_at"] is not None
    event = await desk.last_event(job_id)
    assert (event["kind"], event["actor"], event["attempt"]) == ("cancelled", f"user:{desk.user_id}", 0)
    assert await desk.claim(job_id) is None


async def test_an_owner_cancels_a_running_job_and_its_paid_work_stays_in_the_ledger(desk):
    claim = await desk.claimed()
    paid, under_way = await desk.reserve(claim, "paid"), await desk.reserve(claim, "under way")
    await desk.settle(claim, paid[0])
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, CANCEL, claim.job_id) == "cancelled"
    found = await rows(desk.root, "select id, status, cost_usd::text from model_calls order by id")
    assert found == [(paid[0], "settled", "0.04"), (under_way[0], "abandoned", "0")]
    assert await value(desk.root, "select sum(reserved_usd) from engine.spend_counters") == 0
    assert await rows(desk.worker, "select * from heartbeat_job(%s, %s)", claim.job_id, claim.token) == [
        (False, True, False)
    ]


async def test_a_cancelled_job_does_not_look_like_a_failed_one(desk):
    claim = await desk.claimed()
    failed = 'select fail_job(%s, %s, \'{"code": "model_unavailable", "message": "busy"}\', true)'
    assert await value(desk.worker, failed, claim.job_id, claim.token) == "queued"
    await desk.root.execute("select cancel_job(%s)", (claim.job_id,))
    job = await desk.job(claim.job_id)
    assert (job["status"], job["error"], job["error_detail"]) == ("cancelled", None, None)


async def test_a_retry_keeps_payload_and_checkpoint_and_counts_attempts_from_the_start(desk):
    job_id = await failed_job(desk)
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, RETRY, job_id) == "queued"
    job = await desk.job(job_id)
    assert (job["attempts"], job["error"], job["error_detail"], job["completed_at"]) == (0, None, None, None)
    assert job["checkpoint_data"] == {"research": [1]}
    event = await desk.last_event(job_id)
    assert (event["kind"], event["actor"], event["detail"]) == ("retried", f"user:{desk.user_id}", {"manual": True})
    claim = await desk.claim(job["id"])
    assert claim is not None
    assert (claim.attempt, claim.row["checkpoint_data"]) == (1, {"research": [1]})


async def test_asking_twice_is_asking_once(desk):
    job_id = await failed_job(desk)
    async with desk.person(desk.user_id) as owner:
        assert [await value(owner, RETRY, job_id) for _ in range(3)] == ["queued"] * 3
        assert [await value(owner, CANCEL, job_id) for _ in range(3)] == ["cancelled"] * 3
        assert [await value(owner, RETRY, job_id) for _ in range(2)] == ["queued"] * 2
    assert await desk.events(job_id) == ["queued", "claimed", "checkpoint", "failed", "retried", "cancelled", "retried"]


async def test_retrying_a_running_job_leaves_it_alone(desk):
    claim = await desk.claimed()
    before = await desk.snapshot()
    async with desk.person(desk.user_id) as owner:
        assert await value(owner, RETRY, claim.job_id) == "processing"
    assert await desk.snapshot() == before


async def test_somebody_elses_job_looks_as_if_it_did_not_exist(desk, create_user):
    job_id = await desk.insert()
    before = await desk.snapshot()
    strangers = [(await create_user(role), role) for role in (None, "sales", "marketing")]
    before["auth.users"] = (await desk.snapshot())["auth.users"]
    for user_id, role in strangers:
        async with desk.person(user_id, role) as stranger:
            for call in (CANCEL, RETRY):
                theirs, nobodys = await refusal(stranger, call, job_id), await refusal(stranger, call, uuid4())
                assert theirs.sqlstate == nobodys.sqlstate == "PT404"
                assert theirs.diag.message_primary == nobodys.diag.message_primary
    assert await desk.snapshot() == before


async def test_an_administrator_and_a_service_control_every_job(desk, create_user):
    async with desk.person(await create_user("admin"), "admin") as admin:
        job_id = await desk.insert()
        assert await value(admin, CANCEL, job_id) == "cancelled"
        assert await value(admin, RETRY, job_id) == "queued"
    assert await value(desk.worker, CANCEL, job_id) == "cancelled"
    assert (await desk.last_event(job_id))["actor"] == "service_role"


async def test_a_signed_in_caller_without_an_id_controls_nothing(desk):
    job_id = await desk.insert()
    async with await connect(desk.url, "authenticated") as nobody:
        assert (await refusal(nobody, CANCEL, job_id)).sqlstate == "PT404"


async def test_what_has_ended_is_not_cancelled_and_what_is_completed_is_not_retried(desk):
    claim = await desk.claimed()
    await desk.worker.execute("select complete_job(%s, %s, '{}')", (claim.job_id, claim.token))
    failed = await failed_job(desk)
    async with desk.person(desk.user_id) as owner:
        for call, job_id in ((CANCEL, claim.job_id), (CANCEL, failed), (RETRY, claim.job_id)):
            assert (await refusal(owner, call, job_id)).sqlstate == "PT409"


async def test_a_retry_of_a_kind_that_is_switched_off_or_of_nobodys_job_is_refused(desk):
    job_id = await failed_job(desk)
    await desk.root.execute("update job_kinds set enabled = false where name = 'echo'")
    assert (await refusal(desk.worker, RETRY, job_id)).sqlstate == "PT403"
    await desk.root.execute("update job_kinds set enabled = true; update jobs set user_id = null")
    assert (await refusal(desk.worker, RETRY, job_id)).sqlstate == "PT422"


async def test_a_sweep_gives_back_expired_jobs_and_tells_which_are_due_the_longest_waiting_first(desk):
    expired = await desk.claimed()
    running = await desk.claimed()
    first, second, later, off = [await desk.insert(kind) for kind in ("echo", "blog", "echo", "research")]
    await desk.expire(expired.job_id)
    await desk.root.execute(
        "update jobs set scheduled_for = clock_timestamp() + case id when %s then interval '-2 min' when %s then"
        " interval '-1 min' when %s then interval '1 min' else interval '-1 s' end where status = 'queued'",
        (first, second, later),
    )
    await desk.root.execute("update job_kinds set enabled = false where name = 'deep_research'")
    found = await rows(desk.worker, "select id, kind, service, attempts from sweep_jobs(10)")
    assert found == [
        (first, "echo", "template", 0),
        (second, "blog", "blog", 0),
        (expired.job_id, "echo", "template", 1),
    ]
    assert [await desk.status(job_id) for job_id in (running.job_id, later, off)] == ["processing", "queued", "queued"]
    event = await desk.last_event(expired.job_id)
    assert (event["kind"], event["actor"]) == ("lease_expired", "sweep")


async def test_a_sweep_takes_no_more_than_it_was_asked_to(desk):
    claims = await desk.claimed_many(6)
    await desk.expire(*(claim.job_id for claim in claims))
    assert len(await rows(desk.worker, "select id from sweep_jobs(2)")) == 2
    assert await value(desk.root, "select count(*) from jobs where status = 'processing'") == 4
    await rows(desk.worker, "select id from sweep_jobs(10)")
    assert await value(desk.root, "select count(*) from jobs where status = 'processing'") == 0


async def test_sweepers_at_the_same_moment_expire_each_lease_once(desk):
    claims = await desk.claimed_many(120)
    await desk.root.execute("update jobs set lease_expires_at = now() - interval '1 s' where status = 'processing'")
    async with desk.crowd(8) as crowd:
        await asyncio.gather(*(rows(one, "select id from sweep_jobs(1000)") for one in crowd))
    counted = await rows(
        desk.root, "select count(*), count(distinct job_id) from job_events where kind = 'lease_expired'"
    )
    assert counted == [(len(claims), len(claims))]
    assert len(await rows(desk.worker, "select id from sweep_jobs(1000)")) == len(claims)


async def test_a_sweep_does_not_wait_for_a_worker_that_is_writing(desk):
    claim = await desk.claimed()
    await desk.expire(claim.job_id)
    async with await connect(desk.url, "service_role") as slow, slow.transaction():
        await slow.execute("select checkpoint_job(%s, %s, '{\"a\": 1}')", (claim.job_id, claim.token))
        await desk.worker.execute("set statement_timeout = '5s'")
        assert await rows(desk.worker, "select id from sweep_jobs(10)") == []
    assert await desk.status(claim.job_id) == "processing"


async def test_due_jobs_are_those_named_that_wait_and_whose_time_has_come(desk):
    due, named_not, claimed = await desk.insert("blog"), await desk.insert(), (await desk.claimed()).job_id
    later = await desk.insert()
    await desk.root.execute("update jobs set scheduled_for = now() + interval '1 min' where id = %s", (later,))
    found = await rows(desk.worker, "select id, kind, service from due_jobs(%s)", [due, claimed, later, uuid4(), due])
    assert found == [(due, "blog", "blog")]
    assert named_not != due
    assert await rows(desk.worker, "select id from due_jobs('{}')") == []


async def test_the_catalogue_in_the_database_is_the_file(desk):
    written = yaml.safe_load(CATALOG.read_text())["kinds"]
    found = await rows(desk.root, "select to_jsonb(k) - 'name', name from job_kinds k")
    assert {name: kind for kind, name in found} == written


async def test_a_kind_that_leaves_the_catalogue_is_switched_off_and_gives_its_names_back(desk):
    catalog = {"kinds": yaml.safe_load(CATALOG.read_text())["kinds"]}
    job_id = await desk.insert("research")
    del catalog["kinds"]["deep_research"]
    catalog["kinds"]["blog"] |= {"aliases": ["research"], "lease_s": 7}
    await desk.root.execute("select sync_catalog(%s)", (json.dumps(catalog),))
    assert await rows(desk.root, "select name, enabled, aliases from job_kinds where name = 'deep_research'") == [
        ("deep_research", False, [])
    ]
    assert await desk.claim(job_id) is None
    assert (await desk.job(await desk.insert("research")))["kind"] == "blog"
    assert (
        await refusal(desk.root, "insert into jobs (user_id, job_type) values (%s, 'deep_research')", desk.user_id)
    ).sqlstate == "PT403"
    assert await value(desk.root, "select lease_s from job_kinds where name = 'blog'") == 7


async def test_a_name_that_two_kinds_claim_is_refused(desk):
    catalog = {"kinds": yaml.safe_load(CATALOG.read_text())["kinds"]}
    before = await desk.snapshot()
    for name in ("blog", "research"):
        catalog["kinds"]["echo"]["aliases"] = [name]
        error = await refusal(desk.root, "select sync_catalog(%s)", json.dumps(catalog))
        assert name in str(error)
    assert await desk.snapshot() == before
