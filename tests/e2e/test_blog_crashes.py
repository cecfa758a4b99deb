"""The blog worker is killed at every stage, inside it and at its end; nothing is lost and nothing is paid twice."""

import asyncio
import signal
from uuid import UUID

import pytest

from tests.e2e.conftest import Office, Row, until

STAGES = ("research", "strategy", "write", "verify", "image", "review")
pytestmark = pytest.mark.timeout(300)  # each new worker imports LangGraph, which takes a busy machine a while
PAYLOAD = {"topic": "Torneamento suíço de parafusos pediculares", "research_level": "light"}


def _progress(job: Row) -> Row:
    return (job["checkpoint_data"] or {}).get("progress") or {}


async def _kill_in_stage(office: Office, job_id: UUID, stage: str, *, calls: int) -> None:
    """Kills the worker once `calls` calls of the stage have been reserved (0: as soon as the stage begins)."""

    async def reached() -> bool:
        job = await office.job(job_id)
        assert job["status"] not in ("completed", "failed"), f"ended before {stage}: {job['error']}"
        if stage in _progress(job).get("stages_done", []):
            return True  # quicker than we look: then it dies in what follows
        made = await office.rows(
            "select count(*) from public.model_calls where job_id = %s and stage = %s", job_id, stage
        )
        return _progress(job).get("stage") == stage and made[0]["count"] >= calls

    await until(reached, 120, every_s=0.005)
    office.stack.kill("blog")


async def _assert_whole_and_paid_once(office: Office, job_id: UUID, kills: int) -> None:
    job = await office.ended(job_id, 120)
    assert job["status"] == "completed", job["error"]
    assert len(await office.rows("select 1 from public.blog_posts where job_id = %s", job_id)) == 1
    kinds = [event["kind"] for event in await office.events(job_id)]
    assert kinds.count("completed") == 1
    assert kinds.count("lease_expired") >= kills
    [ledger] = await office.rows(
        "select count(*) filter (where status in ('settled', 'failed')) as answered,"
        " count(*) filter (where status = 'abandoned') as abandoned,"
        " count(*) filter (where status = 'reserved') as reserved,"
        " count(*) filter (where status = 'settled')"
        " - count(distinct call_key) filter (where status = 'settled') as twice,"
        " coalesce(sum(cost_usd), 0) as cost_usd from public.model_calls where job_id = %s",
        job_id,
    )
    meter = await office.meter()
    assert (ledger["reserved"], ledger["twice"]) == (0, 0)
    # A call whose answer was on its way when the worker died is made again: at most those that were abandoned.
    assert 0 <= meter["served"] - ledger["answered"] <= ledger["abandoned"]
    if not ledger["abandoned"]:
        assert round(float(meter["cost_usd"]), 6) == round(float(ledger["cost_usd"]), 6)


async def test_killed_inside_every_stage(office: Office):
    await office.set_lease("blog", 4.0, max_attempts=50)
    await office.reset_meter()
    await office.faults(latency_ms=60)
    [job_id] = await office.ask("blog", PAYLOAD)
    for stage in STAGES:
        await _kill_in_stage(office, job_id, stage, calls=1)
    await _assert_whole_and_paid_once(office, job_id, kills=len(STAGES))


async def test_killed_at_the_beginning_of_every_stage(office: Office):
    await office.set_lease("blog", 4.0, max_attempts=50)
    await office.reset_meter()
    await office.faults(latency_ms=20)
    [job_id] = await office.ask("blog", PAYLOAD | {"topic": "Metrologia com CMM na aceitação de implantes"})
    for stage in STAGES:
        await _kill_in_stage(office, job_id, stage, calls=0)
    await _assert_whole_and_paid_once(office, job_id, kills=len(STAGES))


async def test_a_worker_that_is_told_to_stop_gives_its_job_back_uncounted(office: Office):
    await office.faults(latency_ms=150)
    [job_id] = await office.ask("blog", PAYLOAD | {"topic": "Titânio grau 23 em implantes dentários"})

    async def is_writing() -> bool:
        return _progress(await office.job(job_id)).get("stage") == "write"

    await until(is_writing, 60)
    office.stack.kill("blog", signal.SIGTERM)
    job = await office.ended(job_id, 90)
    assert (job["status"], job["attempts"]) == ("completed", 1), job["error"]
    assert "released" in [event["kind"] for event in await office.events(job_id)]


async def test_every_fault_of_the_model_ends_in_a_draft_or_in_a_reason(office: Office):
    """Each fault once in a while, all at the same time: jobs complete, or fail for a reason that says so."""
    await office.set_lease("blog", 30, max_attempts=8)
    await office.connection.execute(
        "update public.job_kinds set retry_base_s = 0.2, retry_cap_s = 1 where name = 'blog'"
    )
    rates = {
        "429": 0.03,
        "500": 0.03,
        "503": 0.03,
        "truncated": 0.02,
        "malformed_json": 0.03,
        "empty": 0.02,
        "no_image": 0.02,
    }
    await office.faults(rates=rates, retry_after_s=0.1, seed=7)
    topics = ("Eletropolimento", "Sala limpa ISO 7", "Rastreabilidade e UDI", "Qualificação de fornecedores")
    asked = [await office.ask("blog", {"topic": f"{topic} na fabricação de implantes"}) for topic in topics]
    ids = [job_id for [job_id] in asked]
    await asyncio.gather(*(office.ended(job_id, 100) for job_id in ids))
    jobs = [await office.job(job_id) for job_id in ids]
    assert [job["error"] for job in jobs if job["status"] != "completed"] == []
    assert all(row["status"] != "reserved" for row in await office.rows("select status from public.model_calls"))
