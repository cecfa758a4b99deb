"""What must stay secret is in no log, whatever goes wrong."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

from infra.local.identity import token_url
from tests.e2e.conftest import Office
from tests.running_stack import RunningStack

# Tokens are made all the time; none may be there, whoever made it.
PATTERNS = {
    "a JSON Web Token": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}"),
    "a private key": re.compile(r"PRIVATE KEY-----"),
    "an address with a password": re.compile(r"\w+://[^/\s:@]*:[^/\s:@*]{4,}@"),
    "an authorization": re.compile(r"(?i)bearer [\w.~+/-]{12,}"),
    "an incoming webhook of Slack": re.compile(r"/__slack/|hooks\.slack\.com/services/"),
}
SECRET_FILES = ("secrets.json", "keys.json", "users.json", "stack.json")
SECRET_FIELDS = re.compile(r"secret|password|key|token", re.IGNORECASE)


def secrets_of(stack: RunningStack) -> dict[str, str]:
    """Every value in the stack's files whose name says that it is secret, and the lines of its private keys."""
    found = {"database_url": urlsplit(stack["database_url"]).password or ""}
    for name in SECRET_FILES:
        if (stack.state / name).exists():
            found |= dict(_fields(name, json.loads((stack.state / name).read_bytes())))
    for path in stack.state.glob("*.pem"):
        if "PRIVATE" in path.read_text():
            found |= {f"{path.name}:{number}": line for number, line in enumerate(path.read_text().splitlines()[1:-1])}
    return {name: value for name, value in found.items() if len(value) >= 8}


def _fields(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and SECRET_FIELDS.search(name):
                yield f"{where}:{name}", inner
            yield from _fields(f"{where}:{name}", inner)
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _fields(f"{where}:{number}", inner)


def leaks(log: str, secrets: Mapping[str, str]) -> set[str]:
    """Names of the secrets and patterns that a log shows, also when escaped for JSON or for an address."""
    shown = {
        name
        for name, value in secrets.items()
        if any(spelled in log for spelled in {value, json.dumps(value)[1:-1], quote(value, safe="")})
    }
    return shown | {name for name, pattern in PATTERNS.items() if pattern.search(log)}


def logs_of(stack: RunningStack) -> dict[str, str]:
    return {path.name: path.read_text(errors="replace") for path in (stack.state / "logs").iterdir()}


async def use_everything(office: Office) -> dict[str, str]:
    """Signs in, runs jobs that end well and badly, and does what is refused. Returns the secrets used."""
    stack, http = office.stack, office.http
    user = office.user
    sign_in = f"{stack['supabase_url']}/auth/v1/token?grant_type=password"
    apikey = {"apikey": stack["anon_key"]}
    signed_in = await http.post(sign_in, json={"email": user["email"], "password": user["password"]}, headers=apikey)
    session = signed_in.json()
    wrong_password = "a password that is wrong"
    await http.post(sign_in, json={"email": user["email"], "password": wrong_password}, headers=apikey)
    as_user = apikey | {"authorization": f"Bearer {session['access_token']}"}
    await http.get(f"{stack['supabase_url']}/rest/v1/no_such_table", headers=as_user)

    identity = await http.get(
        token_url(stack["supabase_url"]),
        params={"audience": "https://other.example", "format": "full"},
        headers={"metadata-flavor": "Google"},
    )
    refused = await http.post(
        f"{stack.url('template')}/jobs/{uuid4()}", headers={"authorization": f"Bearer {identity.text}"}
    )
    assert refused.status_code == 401
    forged = stack["webhook_secret"][:-1] + "?"
    for headers in ({"x-webhook-secret": forged}, {"x-webhook-secret": stack["webhook_secret"]}):
        await http.post(f"{stack['dispatcher_url']}/webhooks/jobs", content=b"{", headers=headers)

    ids = await office.ask("echo", {"steps": 1}, times=3)
    ids += await office.ask("echo", {"steps": 1, "fail": {"at_step": 1, "kind": "permanent"}})
    ids += await office.ask("echo", {"steps": 2, "calls_per_step": 1})
    await office.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where pid <> pg_backend_pid() and datname = current_database()"
    )
    await office.all_ended(ids)
    return {
        "access token": session["access_token"],
        "refresh token": session["refresh_token"],
        "wrong password": wrong_password,
        "identity token": identity.text,
        "forged secret": forged,
    }


async def test_no_secret_of_the_stack_is_in_a_log(office: Office):
    secrets = secrets_of(office.stack) | await use_everything(office)
    assert len(secrets) > 10
    logs = logs_of(office.stack)
    assert {"dispatcher.log", "template.log", "gateway.log", "postgres.log"} <= set(logs)
    assert len("".join(logs.values())) > 1_000
    assert {name: found for name, log in logs.items() if (found := leaks(log, secrets))} == {}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('{"error": "cannot use s3cr\\"et-value"}', "mine"),
        ("GET /x?secret=s3cr%22et-value", "mine"),
        ("authorization: Bearer abcdefghijklmnop", "an authorization"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwIn0.c2ln", "a JSON Web Token"),
        ("connecting to postgresql://postgres:hunter22@127.0.0.1/x", "an address with a password"),
        ("POST http://127.0.0.1:1/__slack/incoming", "an incoming webhook of Slack"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
    ],
)
def test_a_secret_in_a_log_would_be_found(line: str, name: str):
    assert leaks(line, {"mine": 's3cr"et-value'}) == {name}
