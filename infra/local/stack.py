"""The whole stack: in what order its processes start and stop, and what `stack.json` says about them."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg

from infra.local.emulator import web
from infra.local.gateway import keys
from infra.local.launcher import Launched, Launcher, Program
from infra.local.migrate import prepare
from infra.local.postgres import Cluster
from infra.local.probe import until_ready
from infra.local.programs import EMULATOR_WEB, Addresses, Programs
from infra.local.reaper import Reaper
from infra.local.services import DISPATCHER
from infra.local.state import StateDir
from infra.local.supervisor import Process, Supervisor

_READY_TIMEOUT_S = 60.0
_SEEDED = "seeded.json"

Ready = Callable[[Process], Awaitable[None]]


class Stack:
    """One stack in one state directory, whose lock the caller holds. `up` once, then `down`, also when `up` failed."""

    def __init__(self, state: StateDir, services: Sequence[str], reaper: Reaper, launcher: Launcher) -> None:
        self._state = state
        self._services = list(services)
        self._launcher = launcher
        self._supervisor = Supervisor(state, reaper)
        self._secrets = state.secrets()
        self._keys = keys.load_or_create(state.path)
        self._addresses = Addresses(state, self._services)
        self._cluster = Cluster(state.postgres, self._addresses.ports["postgres"], self._secrets.postgres_password)
        self._programs = Programs(
            state,
            self._addresses,
            self._services,
            local_web=web.prepare(state.path, self._addresses.ports[EMULATOR_WEB]),
            database_url=self._cluster.url(),
            service_key=self._keys.service_key,
            webhook_secret=self._secrets.webhook_secret,
        )

    async def up(self) -> None:
        """Start everything and write `stack.json`. Raises StartError, MigrationError, PostgresError."""
        self._cluster.initialise()
        await self._start(
            Process("postgres", self._spawn_postgres, self._accepts, self._cluster.port, stop_signal=signal.SIGINT)
        )
        prepare(self._cluster.url())
        self._write_settings()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._start_gateway_and_seed())
            tasks.create_task(self._start(self._process(self._programs.relay())))
            tasks.create_task(self._start(self._process(self._programs.mail())))
            tasks.create_task(self._start(self._process(self._programs.emulator(), "/healthz")))
            for name in self._services:
                tasks.create_task(self._start(self._process(self._programs.service(name), "/readyz")))
        self._write_stack()
        self._supervisor.keep(self._write_stack)

    async def down(self) -> None:
        """Stop everything in order: first those who work, Postgres last."""
        services, postgres, others = [], [], []
        for process in self._supervisor.processes:
            group = services if process.name in self._services else postgres if process.name == "postgres" else others
            group.append(process)
        await self._supervisor.stop([services, others, postgres])
        self._addresses.close()

    def kill(self) -> None:
        """Stop everything at once, in no order."""
        self._supervisor.kill()

    async def _start(self, process: Process) -> None:
        await self._supervisor.start(process, _READY_TIMEOUT_S)

    async def _start_gateway_and_seed(self) -> None:
        await self._start(self._process(self._programs.gateway(), "/healthz"))
        # Once; and again should the gateway have had to move, because rows hold its address.
        seeded = {"supabase_url": self._addresses.url("gateway")}
        if self._state.read(_SEEDED) != seeded:
            await self._supervisor.run(self._process(self._programs.seed()), _READY_TIMEOUT_S)
            self._state.write(_SEEDED, seeded)
            await self._launcher.dismiss("seed")

    def _process(self, program: Program, ready_path: str | None = None) -> Process:
        port = self._addresses.ports.get(program.name)

        async def ready(_process: Process) -> None:
            if ready_path is not None and port is not None:
                await until_ready(port, ready_path)

        # What a service knows is in Postgres; the parts that stand in for the cloud keep things to themselves.
        overlaps = program.name in self._services
        return Process(program.name, lambda: self._launcher.launch(program), ready, port, overlaps=overlaps)

    async def _spawn_postgres(self) -> Launched:
        log = self._state.open_log("postgres")
        try:
            server = self._cluster.start(log)
        finally:
            os.close(log)
        server.returncode = 0  # the reaper waits for it, not Popen
        return Launched(server.pid, leaving=asyncio.get_running_loop().create_future())

    async def _accepts(self, process: Process) -> None:
        while not self._cluster.accepts(process.pid):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # its status is in a file: there is nothing to wait on

    def _write_settings(self) -> None:
        """Tell the database's trigger where its hints go; without a dispatcher it sends none."""
        with psycopg.connect(self._cluster.url(), autocommit=True) as connection:
            connection.execute("delete from engine.settings where key = 'dispatcher_url'")
            for key, value in (
                ("webhook_secret", self._secrets.webhook_secret),
                ("dispatcher_url", self._dispatcher_url and f"{self._dispatcher_url}/webhooks/jobs"),
            ):
                if value is not None:
                    connection.execute("select engine.set_setting(%s, %s)", (key, value))

    @property
    def _dispatcher_url(self) -> str | None:
        return self._addresses.url(DISPATCHER) if DISPATCHER in self._services else None

    def _write_stack(self) -> None:
        self._state.write("stack.json", self._description())

    def _description(self) -> dict[str, Any]:
        order = ["postgres", "relay", "gateway", "emulator", "mail", *self._services]
        processes = sorted(self._supervisor.processes, key=lambda process: order.index(process.name))
        return {
            "database_url": self._cluster.url(),
            "dispatcher_url": self._dispatcher_url,
            "webhook_secret": self._secrets.webhook_secret,
            "supabase_url": self._addresses.url("gateway"),
            "anon_key": self._keys.anon_key,
            "service_key": self._keys.service_key,
            "model_url": self._addresses.url("emulator"),
            "mail_dir": str(self._state.mail),
            "slack_dir": str(self._state.slack),
            "users": self._state.read("users.json") or [],
            "processes": [
                {"name": each.name, "pid": each.pid, "port": each.port, "log": str(self._state.log(each.name))}
                for each in processes
            ],
        }
