"""The kill switch on the whole stack: it stops claims and calls at once, and jobs go on from where they were."""

import asyncio
import json

from tests.e2e.conftest import Office, until


async def throw(office: Office, kind: str, *, engaged: bool) -> None:
    """As the signed-in administrator does it."""
    admin = next(user for user in office.stack["users"] if user["role"] == "admin")
    claims = {"sub": admin["id"], "role": "authenticated", "app_metadata": {"role": "admin"}}
    async with office.connection.transaction():
        await office.connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
        await office.connection.execute("set local role authenticated")
        await office.connection.execute("select public.set_kill_switch(%s, %s, 'For the test.')", (kind, engaged))


async def test_running_jobs_give_their_slots_back_and_go_on_when_it_is_lifted(office: Office):
    ids = await office.ask("echo", {"steps": 30, "sleep_ms": 100, "calls_per_step": 1}, times=4)

    async def all_running() -> bool:
        found = await office.rows("select count(*) from public.model_calls where job_id = any(%s)", ids)
        return found[0]["count"] > 12

    await until(all_running)
    await throw(office, "*", engaged=True)
    try:
        later = await office.ask("echo", {})

        async def none_running() -> bool:
            found = await office.rows("select count(*) from public.jobs where status = 'processing'")
            return found[0]["count"] == 0

        await until(none_running, timeout_s=5)
        asked = (await office.meter())["requests"]
        await asyncio.sleep(3)  # long enough for a sweep: nothing may happen
        assert (await office.meter())["requests"] == asked
        jobs = await office.rows("select status, attempts from public.jobs where id = any(%s)", [*ids, *later])
        assert {(job["status"], job["attempts"]) for job in jobs} == {("queued", 0)}
    finally:
        await throw(office, "*", engaged=False)
    assert await office.all_ended([*ids, *later]) == {"completed": 5}
    for job_id in ids:
        steps = (await office.job(job_id))["result"]["steps"]
        assert [step["step"] for step in steps] == list(range(1, 31))
        released = [event["detail"] for event in await office.events(job_id) if event["kind"] == "released"]
        assert released == [{"reason": "kill_switch"}]
    calls = await office.rows("select count(*) from public.model_calls where job_id = any(%s)", ids)
    assert calls[0]["count"] == 4 * 30


async def test_a_kinds_switch_leaves_the_others_working(office: Office):
    await throw(office, "blog", engaged=True)
    try:
        [job_id] = await office.ask("echo", {})
        assert (await office.ended(job_id))["status"] == "completed"
    finally:
        await throw(office, "blog", engaged=False)


async def test_a_model_that_is_down_puts_jobs_off_and_they_complete_when_it_is_back(office: Office):
    await office.faults(rates={"503": 1.0})
    [job_id] = await office.ask("echo", {"steps": 2, "calls_per_step": 1})

    async def put_off() -> bool:
        return any(event["detail"].get("reason") == "circuit_open" for event in await office.events(job_id))

    await until(put_off, timeout_s=60)
    assert (await office.job(job_id))["attempts"] == 0
    await office.faults()
    assert (await office.ended(job_id, timeout_s=60))["status"] == "completed"
    assert (await office.rows("select opened_until from public.circuit_breakers"))[0]["opened_until"] is None
