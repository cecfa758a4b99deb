"""What each process of the stack runs, on which socket, and what it finds in its environment."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra.local.identity import token_url, worker_settings
from infra.local.launcher import Program
from infra.local.ports import LOOPBACK, free_port, listen
from infra.local.services import DISPATCHER
from infra.local.state import StateDir

EMULATOR_WEB = "emulator-web"
MAIL = "mail"


class Addresses:
    """The ports of one stack. Its listening sockets belong to the supervisor, so they outlive those who serve them."""

    def __init__(self, state: StateDir, services: Sequence[str]) -> None:
        remembered: dict[str, int] = state.read("ports.json") or {}
        names = ["gateway", "emulator", EMULATOR_WEB, MAIL, *services]
        self.sockets = {name: listen(remembered.get(name)) for name in names}
        self.ports: dict[str, int] = {name: bound.getsockname()[1] for name, bound in self.sockets.items()}
        self.ports["postgres"] = free_port(remembered.get("postgres"))
        # The same next time: the addresses of stored files are written into the database.
        state.write("ports.json", remembered | self.ports)

    def url(self, name: str) -> str:
        """Base URL of a process."""
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def close(self) -> None:
        for bound in self.sockets.values():
            bound.close()


@dataclass(frozen=True)
class Programs:
    """Makes the programs of one stack.

    `services` are the names of those that run; `local_web` is what a service must set to read the small local web.
    """

    state: StateDir
    addresses: Addresses
    services: Sequence[str]
    local_web: Mapping[str, str]
    database_url: str = field(repr=False)
    service_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)

    def relay(self) -> Program:
        env = {"DATABASE_URL": self.database_url}
        return Program("relay", "coroutine", "infra.local.relay:main", env)

    def gateway(self) -> Program:
        env = {
            "DATABASE_URL": self.database_url,
            "GATEWAY_STATE_DIR": str(self.state.path),
            "SUPABASE_URL": self.addresses.url("gateway"),
        }
        return self._web("gateway", "infra.local.gateway.app:create_app", env)

    def emulator(self) -> Program:
        """Two sockets: the Gemini API, and the small local web by https."""
        env = {
            "EMULATOR_STATE_DIR": str(self.state.path),
            "EMULATOR_WEB_PORT": str(self.addresses.ports[EMULATOR_WEB]),
        }
        sockets = [self.addresses.sockets["emulator"], self.addresses.sockets[EMULATOR_WEB]]
        target = "infra.local.emulator.app:create_app"
        return Program("emulator", "web", target, env, sockets, ["EMULATOR_WEB_FD"])

    def mail(self) -> Program:
        """The mail server that keeps what it is given."""
        env = {"MAIL_DIR": str(self.state.mail)}
        return Program(MAIL, "coroutine", "infra.local.mail:main", env, [self.addresses.sockets[MAIL]], ["MAIL_FD"])

    def seed(self) -> Program:
        env = {
            "DATABASE_URL": self.database_url,
            "SUPABASE_URL": self.addresses.url("gateway"),
            "STATE_DIR": str(self.state.path),
        }
        return Program("seed", "coroutine", "infra.local.first_start:main", env)

    def service(self, name: str) -> Program:
        """A service with what it would find in the cloud, and nothing that tells it where it is."""
        env = {
            **self.local_web,
            **self._model(),
            "DATABASE_URL": self.database_url,
            "SUPABASE_URL": self.addresses.url("gateway"),
            "SUPABASE_SERVICE_KEY": self.service_key,
            "SERVICE_NAME": name,
        }
        if name == DISPATCHER:
            env |= {
                "WEBHOOK_SECRET": self.webhook_secret,
                "WORKER_URLS": json.dumps({n: self.addresses.url(n) for n in self.services if n != DISPATCHER}),
                "DELIVERY": "http",
                "SWEEP_INTERVAL_S": "1",
                "IDENTITY_TOKEN_URL": token_url(self.addresses.url("gateway")),
                "SMTP_HOST": LOOPBACK,
                "SMTP_PORT": str(self.addresses.ports[MAIL]),
                "SMTP_SECURITY": "none",
                "NOTICES_FROM": "notices@lifetrek.test",
                "SLACK_WEBHOOK_URL": f"{self.addresses.url('emulator')}/__slack/incoming",
            }
        else:
            env |= worker_settings(self.addresses.url("gateway"), self.addresses.url(name))
        return self._web(name, f"services.{name}.app:create_app", env)

    def _web(self, name: str, target: str, env: Mapping[str, str]) -> Program:
        return Program(name, "web", target, env, [self.addresses.sockets[name]])

    def _model(self) -> dict[str, str]:
        """The emulator, unless the caller has a key for the real Gemini, which the SDK finds by itself."""
        if os.environ.get("GEMINI_API_KEY"):
            return {}
        return {"MODEL_BASE_URL": self.addresses.url("emulator"), "GEMINI_API_KEY": "emulator"}
