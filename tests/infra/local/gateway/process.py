"""The gateway as a process of its own, with three people in its database, for tests that speak to it over HTTP."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from supabase import Client, ClientOptions, create_client

from infra.local.gateway.auth.passwords import hash_password
from infra.local.gateway.keys import Keys, load_or_create
from tests.conftest import TestDatabases

PASSWORD = "correct horse battery staple"
_ROOT = Path(__file__).parents[4]


@dataclass
class RunningGateway:
    """Where it is and who is known there; `people` maps a role to a user id."""

    url: str
    database_url: str
    state_dir: Path
    keys: Keys
    pid: int
    http: httpx.Client
    people: dict[str, UUID] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def anonymous(self) -> Client:
        """The front end's client before anybody has signed in."""
        return self._client(self.keys.anon_key)

    def service(self) -> Client:
        """A worker's client."""
        return self._client(self.keys.service_key)

    def as_person(self, role: str) -> Client:
        """The front end's client of a person who signed in earlier."""
        return self._client(self.keys.anon_key, f"Bearer {self.token(role)}")

    def signed_in(self, role: str) -> Client:
        """The front end's client right after a person has signed in."""
        client = self.anonymous()
        client.auth.sign_in_with_password({"email": self.email(role), "password": PASSWORD})
        return client

    def email(self, role: str) -> str:
        return f"{role}@lifetrek.test"

    def token(self, role: str) -> str:
        """An access token; signing in takes long on purpose, so it is the same each time."""
        if role not in self._tokens:
            session = self.signed_in(role).auth.get_session()
            assert session is not None
            self._tokens[role] = session.access_token
        return self._tokens[role]

    def headers(self, bearer: str | None = None) -> dict[str, str]:
        """For plain HTTP requests; without a bearer those of nobody in particular."""
        return {"apikey": self.keys.anon_key, "authorization": f"Bearer {bearer or self.keys.anon_key}"}

    def execute(self, statement: str, *parameters: object) -> list[tuple]:
        """As the superuser."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def _client(self, key: str, authorization: str | None = None) -> Client:
        options = ClientOptions(httpx_client=self.http, auto_refresh_token=False)
        if authorization:
            options.headers["Authorization"] = authorization
        return create_client(self.url, key, options)


@contextmanager
def running_gateway(database_url: str, state_dir: Path) -> Iterator[RunningGateway]:
    """Starts the gateway on a free port; stops it after the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening, httpx.Client(timeout=30) as http:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        arguments = ["infra.local.gateway.app:create_app", "--factory", "--fd", str(listening.fileno())]
        environment = {"DATABASE_URL": database_url, "GATEWAY_STATE_DIR": str(state_dir), "SUPABASE_URL": url}
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *arguments, "--log-level", "warning"],
            env=environment,
            cwd=_ROOT,
            pass_fds=[listening.fileno()],
        )
        try:
            # The socket listens already: the request waits until the process takes it.
            http.get(f"{url}/readyz").raise_for_status()
            yield RunningGateway(url, database_url, state_dir, load_or_create(state_dir), process.pid, http)
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def fresh_gateway(databases: TestDatabases) -> Iterator[RunningGateway]:
    """A gateway with a migrated database of its own, in which nobody is known."""
    with (
        databases.copy_of("migrated") as database_url,
        tempfile.TemporaryDirectory() as directory,
        running_gateway(database_url, Path(directory)) as gateway,
    ):
        yield gateway


def add_person(gateway: RunningGateway, role: str) -> None:
    """A confirmed user with the password `PASSWORD`."""
    user_id = uuid4()
    gateway.execute(
        "insert into auth.users (id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,"
        " raw_user_meta_data) values (%s, 'authenticated', 'authenticated', %s, %s, now(), %s, '{}')",
        user_id,
        gateway.email(role),
        hash_password(PASSWORD),
        Jsonb({"role": role}),
    )
    gateway.people[role] = user_id


@pytest.fixture(scope="session")
def gateway(databases: TestDatabases) -> Iterator[RunningGateway]:
    """One gateway and one database for all of its tests, with an admin, a marketing and a sales person."""
    with fresh_gateway(databases) as gateway:
        for role in ("admin", "marketing", "sales"):
            add_person(gateway, role)
        yield gateway
