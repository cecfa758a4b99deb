"""One run: a stack of its own, load, troubles, peace, and the checks."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import httpx

from tests.chaos.database import Database
from tests.chaos.havoc import LEASE_S, Havoc
from tests.chaos.hints import misled_hints
from tests.chaos.job_checks import check_jobs
from tests.chaos.model import Model
from tests.chaos.money_checks import check_money
from tests.chaos.notice_checks import check_notices
from tests.chaos.people import People
from tests.chaos.plan import Trouble, troubles
from tests.chaos.report import Report
from tests.chaos.switches import Switches, check_standstills
from tests.running_stack import RunningStack

# Troubles come a hundred times denser than in life, so a job has more attempts than in life.
_MAX_ATTEMPTS = 20
_PEACE_S = 120.0

_KINDS = """
    update public.job_kinds set lease_s = %s, max_attempts = %s, retry_base_s = 0.3, retry_cap_s = 2, daily_quota = null
    where name in ('echo', 'blog', 'sequence')
"""
_TELL_AT_ONCE = "update public.job_kinds set notify_after_s = 0 where name in ('blog', 'sequence')"
_LIMITS = "update public.spend_limits set usd = 1000 where scope in ('overall', 'user')"
# What one person has to make do with.
_SMALL_LIMITS = """
    insert into public.spend_limits (scope, scope_key, usd, jobs_per_day, concurrent_jobs)
    values ('user', %s, 0.1, 40, 2)
"""
_UNDER_WAY = """
    select kind, status, count(*) from public.jobs where completed_at is null group by 1, 2
    union all
    select kind, 'call ' || status, count(*) from public.model_calls where status = 'reserved' group by 1, 2
"""
_CRASHES = re.compile(r"attempt_crashed|sweep_crashed|Traceback")
_LINE_CHARACTERS = 4000


async def run_chaos(stack: RunningStack, seed: int, duration_s: float, report: Report) -> None:
    """Fills `report`. The stack is started here; stopping it is the caller's."""
    report.output.write(f"seed {seed}\n")
    await asyncio.to_thread(stack.up)
    report.say(f"the stack runs in {stack.state}")
    database = Database(stack["database_url"])
    users = {user["role"]: user for user in stack["users"]}
    await database.rows(_KINDS, LEASE_S, _MAX_ATTEMPTS)
    await database.rows(_TELL_AT_ONCE)
    await database.rows(_LIMITS)
    await database.rows(_SMALL_LIMITS, users["sales"]["id"])
    people = People(database, users, seed, report)
    async with httpx.AsyncClient() as http, misled_hints(database, seed, http, report) as hints:
        model = Model(stack["model_url"], http)
        switches = Switches(people, database, report)
        havoc = Havoc(stack, database, model, report, [people, switches])
        asking = asyncio.create_task(people.ask())
        try:
            await _trouble(havoc, troubles(seed, duration_s), duration_s, asking, report)
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        report.say(f"peace: {len(people.asked)} jobs were asked for, {people.refused} more were refused")
        hints.behave()
        await havoc.end()
        await switches.lift_all()
        await _quiet(database, report)
        await model.read()
        await check_jobs(database, people.asked, report)
        await check_standstills(database, switches.standstills, report)
        await check_notices(database, Path(stack["mail_dir"]), report)
        await check_money(database, model, havoc.done, havoc.hit, report)
    check_logs(stack.state, report)
    report.figures["troubles"] = sum(havoc.done.values())


def verdict(report: Report, seed: int, stack: RunningStack) -> str:
    """One line."""
    if report.findings:
        kept = f"state kept in {stack.state}, logs in {stack.state / 'logs'}"
        return f"CHAOS FAILED seed={seed}: {len(report.findings)} violations; {kept}"
    return (
        "CHAOS OK seed={seed}: {jobs} jobs ({cancelled} cancelled, {refused} refused by a limit), {blogs_completed} of"
        " {blogs} blogs completed through {troubles} troubles; ledger {ledger_usd:.6f} USD + {lost_usd:.6f} USD of lost"
        " answers, meter {meter_usd:.6f} USD; {unknown} calls of unknown cost (bound {bound}), {repeated} repeated"
    ).format(seed=seed, **report.figures)


async def _trouble(
    havoc: Havoc, schedule: list[Trouble], duration_s: float, asking: asyncio.Task[None], report: Report
) -> None:
    """Each trouble at its time, then the rest of the duration; ends early, with its error, when the load breaks."""
    begun = asyncio.get_running_loop().time()

    async def later(trouble: Trouble) -> None:
        await asyncio.sleep(begun + trouble.at_s - asyncio.get_running_loop().time())
        await havoc.make(trouble)

    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(later(trouble)) for trouble in schedule]
        made.append(tasks.create_task(asyncio.sleep(duration_s)))
        everything = asyncio.gather(*made)
        await asyncio.wait({everything, asking}, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            everything.cancel()
            asking.result()
        await everything
    report.say(f"{sum(havoc.done.values())} troubles are over")


async def _quiet(database: Database, report: Report) -> None:
    """Until every job has ended and no call is under way; a bounded wait, the checks say what is left."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PEACE_S
    while left := await database.rows(_UNDER_WAY):
        if loop.time() > deadline:
            report.find(f"what has not ended {_PEACE_S:.0f} s after the last trouble", left)
            return
        await asyncio.sleep(0.3)
    report.say("every job has ended")


def check_logs(state: Path, report: Report) -> None:
    """Defects that nobody saw in a row."""
    for path in sorted((state / "logs").glob("*.log")):
        lines = [line for line in path.read_text(errors="replace").splitlines() if _CRASHES.search(line)]
        report.expect_none(f"the log of {path.stem} tells of a defect", [line[:_LINE_CHARACTERS] for line in lines])
