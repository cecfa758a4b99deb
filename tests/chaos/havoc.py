"""Makes the troubles happen."""

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import httpx
import psutil
import psycopg

from tests.chaos.database import Database, Row
from tests.chaos.model import Model
from tests.chaos.plan import Trouble
from tests.chaos.report import Report
from tests.running_stack import RunningStack

LEASE_S = 4.0
_RESTART_S = 15.0
_TAKEN_OVER = 3
_ZOMBIE_S = 2.0

_HELD_BY = "select id from public.jobs where status = 'processing' and worker like %s order by id"
_CLAIM = "select id, lease_token, checkpoint_data from public.claim_job(%s, 'chaos')"
_LEASED = "select status, lease_token, checkpoint_data from public.jobs where id = %s"
_DROP = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
_BACKENDS = """
    select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid
"""


class Havoc:
    """One trouble at a time for each target, many targets at the same time."""

    def __init__(
        self, stack: RunningStack, database: Database, model: Model, report: Report, others: Sequence[object] = ()
    ) -> None:
        """`others` make troubles too: each in the method of its name, as the methods here."""
        self._stack = stack
        self._database = database
        self._model = model
        self._report = report
        self._makers = (self, *others)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.done: Counter[tuple[str, str]] = Counter()
        self.hit = Counter[str]()  # signals to processes, as `name:pid`

    async def make(self, trouble: Trouble) -> None:
        """The trouble from its beginning to its end."""
        async with self._turns[trouble.target]:
            [method] = [getattr(maker, trouble.what) for maker in self._makers if hasattr(maker, trouble.what)]
            await method(trouble)
            self.done[trouble.what, trouble.target] += 1

    async def end(self) -> None:
        """No faults of the model, and hints that reach the dispatcher."""
        await self._model.behave()
        await self._set_secret(self._stack["webhook_secret"])

    async def kill(self, trouble: Trouble) -> None:
        """Kill -9; the supervisor starts it again."""
        pid = await self._signal(trouble.target, signal.SIGKILL)
        self._report.say(f"killed {trouble.target} ({pid})")
        await self._replaced(trouble.target, pid)

    async def stop(self, trouble: Trouble) -> None:
        """SIGTERM, as a new revision does it."""
        pid = await self._signal(trouble.target, signal.SIGTERM)
        self._report.say(f"told {trouble.target} ({pid}) to stop")
        await self._replaced(trouble.target, pid)

    async def kill_emulator(self, _: Trouble) -> None:
        """See `Model` for what happens to the meter."""
        await self._model.stand_still()
        read_at = datetime.now(UTC)
        pid = await self._signal("emulator", signal.SIGKILL)
        self._model.killed(read_at)
        self._report.say(f"killed emulator ({pid})")
        await self._replaced("emulator", pid)
        await self._model.apply()

    async def change_faults(self, trouble: Trouble) -> None:
        """Another mixture of failing calls."""
        slow = trouble.rates["slow"]
        failing = {fault: rate for fault, rate in trouble.rates.items() if fault != "slow"}
        self._report.say(f"the model fails {sum(failing.values()):.0%} of calls: {failing}; {slow:.0%} are slow")
        await self._model.fail(trouble.rates, trouble.seed)

    async def restart(self, _: Trouble) -> None:
        """Postgres shuts down in order, without waiting for anybody."""
        await self._end_postgres(signal.SIGINT, "stopped")

    async def crash(self, _: Trouble) -> None:
        """Postgres dies as a whole and recovers from its log."""
        await self._end_postgres(signal.SIGKILL, "killed")

    async def _end_postgres(self, number: signal.Signals, how: str) -> None:
        pid = await self._signal("postgres", number)
        self._report.say(f"{how} postgres ({pid})")
        begun = time.monotonic()
        await self._replaced("postgres", pid)
        await self._database.rows("select 1")
        self._report.say(f"postgres is back after {time.monotonic() - begun:.1f} s")

    async def crash_backend(self, trouble: Trouble) -> None:
        """One backend dies; Postgres ends all the others, since memory that they share may be spoilt."""
        backends = await self._database.rows(_BACKENDS)
        if backends:
            pid = backends[trouble.seed % len(backends)]["pid"]
            with suppress(ProcessLookupError, psutil.Error):
                if psutil.Process(pid).ppid() == self._stack.pids["postgres"]:
                    os.kill(pid, signal.SIGKILL)
                    self._report.say(f"killed a backend of postgres ({pid})")
            await self._database.rows("select 1")

    async def drop_connections(self, _: Trouble) -> None:
        """Every connection to Postgres is ended."""
        [row] = await self._database.rows(_DROP)
        self._report.say(f"dropped {row['count']} connections to postgres")

    async def freeze(self, trouble: Trouble) -> None:
        """A worker stands still until its leases are over and others hold its jobs; then it goes on, a zombie."""
        name = trouble.target
        pid = await self._signal(name, signal.SIGSTOP)
        taken: list[tuple[Row, float]] = []
        try:
            held = [row["id"] for row in await self._database.rows(_HELD_BY, f"{name}:%:{pid}")]
            self._report.say(f"froze {name} ({pid}) with {len(held)} jobs for {LEASE_S + trouble.lasts_s:.1f} s")
            await asyncio.sleep(LEASE_S + trouble.lasts_s)
            for job_id in held[:_TAKEN_OVER]:
                claimed_at = time.monotonic()
                taken += [(row, claimed_at) for row in await self._database.rows(_CLAIM, job_id)]
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._report.say(f"woke {name} ({pid}); {len(taken)} of its jobs are in other hands")
        await asyncio.sleep(_ZOMBIE_S)
        for job, claimed_at in taken:
            await self._check_zombie(job, claimed_at)

    async def _check_zombie(self, job: Row, claimed_at: float) -> None:
        """The zombie has written nothing to a job that we hold; then we give it back."""
        [now] = await self._database.rows(_LEASED, job["id"])
        if time.monotonic() > claimed_at + LEASE_S:
            return  # too slow to tell: by now it may belong to another rightly
        if (now["lease_token"], now["checkpoint_data"] or {}) != (job["lease_token"], job["checkpoint_data"]):
            self._report.find("a zombie wrote to a job that another attempt holds", [job, now])
        with suppress(psycopg.DatabaseError):  # the lease may run out at this moment
            await self._database.rows("select public.release_job(%s, %s)", job["id"], job["lease_token"])

    async def delay_hints(self, trouble: Trouble) -> None:
        """The relay stands still; its hints arrive late, all at once."""
        pid = await self._signal("relay", signal.SIGSTOP)
        self._report.say(f"hints are delayed for {trouble.lasts_s:.1f} s")
        try:
            await asyncio.sleep(trouble.lasts_s)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def refuse_hints(self, trouble: Trouble) -> None:
        """Hints carry a wrong secret for a while, so every one is lost."""
        self._report.say(f"hints are refused for {trouble.lasts_s:.1f} s")
        await self._set_secret("not the secret of this stack")
        await asyncio.sleep(trouble.lasts_s)
        await self._set_secret(self._stack["webhook_secret"])

    async def _set_secret(self, secret: str) -> None:
        await self._database.rows("select engine.set_setting('webhook_secret', %s)", secret)

    async def replay_hints(self, trouble: Trouble) -> None:
        """Hints of jobs old and new, several times each, late and in any order."""
        chance = random.Random(trouble.seed)
        ids = [row["id"] for row in await self._database.rows("select id from public.jobs order by created_at, id")]
        hints = chance.sample(ids, min(40, len(ids))) * 3
        chance.shuffle(hints)
        async with httpx.AsyncClient(timeout=10) as http:
            answers = await asyncio.gather(*(self._replay(http, each, chance.uniform(0, 3)) for each in hints))
        self._report.say(f"replayed {len(hints)} hints, {answers.count(202)} of them accepted")

    async def _replay(self, http: httpx.AsyncClient, job_id: UUID, after_s: float) -> int:
        await asyncio.sleep(after_s)
        url, secret = self._stack["dispatcher_url"], self._stack["webhook_secret"]
        hint = {"type": "INSERT", "table": "jobs", "schema": "public", "record": {"id": str(job_id)}}
        try:
            answer = await http.post(f"{url}/webhooks/jobs", json=hint, headers={"x-webhook-secret": secret})
        except httpx.TransportError:
            return 0
        return answer.status_code

    async def _signal(self, name: str, number: signal.Signals) -> int:
        """Sends the signal to a process of this stack, once it runs; its id."""
        deadline = time.monotonic() + _RESTART_S
        while True:
            pid = self._stack.pids[name]
            with suppress(psutil.Error, ProcessLookupError):
                # An id in a file may be somebody else's by now: only descendants of the supervisor are ours.
                if any(parent.pid == self._stack.supervisor_pid for parent in psutil.Process(pid).parents()):
                    os.kill(pid, number)
                    self.hit[f"{name}:{pid}"] += 1
                    return pid
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} was not running")
            await asyncio.sleep(0.05)

    async def _replaced(self, name: str, pid: int) -> None:
        deadline = time.monotonic() + _RESTART_S
        while self._stack.pids[name] == pid:
            if time.monotonic() > deadline:
                self._report.find(f"{name} was not started again within {_RESTART_S:.0f} s")
                return
            await asyncio.sleep(0.05)
