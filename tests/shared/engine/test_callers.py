"""Who gets through a worker's door: requests to a worker's application, keys fetched over HTTP."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr, ValidationError

from shared import auth
from shared.engine.outcome import Done, Outcome
from shared.engine.runner import JobContext
from shared.engine.worker import WorkerSettings, create_worker_app
from tests.conftest import TestDatabases
from tests.identity_issuer import AUDIENCE, INVOKER, Issuer, new_key


async def done(_: JobContext) -> Outcome:
    return Done({})


@pytest.fixture
async def own_issuer() -> AsyncIterator[Issuer]:
    """For tests that change its keys or take it away."""
    async with Issuer().serving() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def one_database(databases: TestDatabases) -> Iterator[str]:
    """No test here leaves anything in it."""
    with databases.copy_of("migrated") as url:
        yield url


@asynccontextmanager
async def worker_for(issuer: Issuer, database_url: str) -> AsyncGenerator[httpx.AsyncClient]:
    settings = WorkerSettings(database_url=SecretStr(database_url), **issuer.settings())
    app = create_worker_app("template", {"echo": done}, settings=settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://w") as client:
        yield client


@pytest.fixture
async def worker(one_database: str, own_issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with worker_for(own_issuer, one_database) as client:
        yield client


@pytest.fixture(scope="module")
async def steady_worker(one_database: str, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    """One for all tests whose issuer does nothing unusual."""
    async with worker_for(issuer, one_database) as client:
        yield client


async def call(worker: httpx.AsyncClient, token: str | None) -> httpx.Response:
    headers = {} if token is None else {b"authorization": f"Bearer {token}".encode("latin-1")}
    return await worker.post(f"/jobs/{uuid4()}", headers=headers)


async def status(worker: httpx.AsyncClient, token: str | None) -> int:
    return (await call(worker, token)).status_code


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token that no library would make."""

    def encode(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    body = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    signature = b"" if secret is None else hmac.new(secret, body.encode(), hashlib.sha256).digest()
    return f"{body}.{encode(signature)}"


def hs256_with_the_public_key(issuer: Issuer) -> str:
    public = issuer.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return by_hand({"alg": "HS256", "kid": "first"}, issuer.claims(), public)


def of_somebody_elses_key(issuer: Issuer) -> str:
    return Issuer({"first": new_key()}, issuer.url).token()


NOBODY: dict[str, Callable[[Issuer], str | None]] = {
    "no token": lambda _: None,
    "an empty one": lambda _: "",
    "garbage": lambda _: "garbage",
    "three parts of garbage": lambda _: "a.b.c",
    "brackets without end": lambda _: base64.urlsafe_b64encode(b"[" * 20_000).decode() + ".e30.e30",
    "letters that are no letters": lambda _: "eyJ\xff.\xe9.\xe9",
    "for another worker": lambda issuer: issuer.token(aud="https://other.example"),
    "for this worker among others": lambda issuer: issuer.token(aud=["https://worker.example", "https://b.example"]),
    "for nobody": lambda issuer: issuer.token(aud=None),
    "of another issuer": lambda issuer: issuer.token(iss="https://accounts.example"),
    "expired": lambda issuer: issuer.token(iat=int(time.time()) - 3700, exp=int(time.time()) - 100),
    "without an end": lambda issuer: issuer.token(exp=None),
    "from the future": lambda issuer: issuer.token(iat=int(time.time()) + 300),
    "without a beginning": lambda issuer: issuer.token(iat=None),
    "without an address": lambda issuer: issuer.token(email=None),
    "unsigned": lambda issuer: by_hand({"alg": "none", "kid": "first"}, issuer.claims(), None),
    "unsigned but said to be": lambda issuer: by_hand({"alg": "RS256", "kid": "first"}, issuer.claims(), None),
    "signed with the public key as a secret": hs256_with_the_public_key,
    "of somebody else's key": of_somebody_elses_key,
    "of an unknown key": lambda issuer: by_hand({"alg": "RS256", "kid": "none"}, issuer.claims(), b"x"),
    "of a key without a name": lambda issuer: by_hand({"alg": "RS256"}, issuer.claims(), b"x"),
    "of a key whose name is a number": lambda issuer: by_hand({"alg": "RS256", "kid": 1}, issuer.claims(), b"x"),
    "without an algorithm": lambda issuer: by_hand({"kid": "first"}, issuer.claims(), b"x"),
}


@pytest.mark.parametrize("what", NOBODY)
async def test_a_token_that_proves_nothing_is_unauthorized(
    steady_worker: httpx.AsyncClient, issuer: Issuer, what: str
) -> None:
    token = NOBODY[what](issuer)
    answer = await call(steady_worker, token)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not token or token not in answer.text


@pytest.mark.parametrize("changes", [{"email": "someone@project.iam.gserviceaccount.com"}, {"email_verified": False},
                                     {"email_verified": None}, {"email_verified": "true"}])  # fmt: skip
async def test_somebody_else_is_forbidden(
    steady_worker: httpx.AsyncClient, issuer: Issuer, changes: dict[str, Any]
) -> None:
    answer = await call(steady_worker, issuer.token(**changes))
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize("authorization", ["Basic {}", "bearer{}", "{}", "Token {}"])
async def test_a_token_of_another_scheme_is_none(
    steady_worker: httpx.AsyncClient, issuer: Issuer, authorization: str
) -> None:
    headers = {"authorization": authorization.format(issuer.token())}
    assert (await steady_worker.post(f"/jobs/{uuid4()}", headers=headers)).status_code == 401


async def test_the_dispatcher_gets_through_and_clocks_may_differ_a_little(
    worker: httpx.AsyncClient, own_issuer: Issuer
) -> None:
    now = int(time.time())
    for token in (own_issuer.token(), own_issuer.token(exp=now - 10, iat=now - 60), own_issuer.token(iat=now + 10)):
        assert await status(worker, token) == 200
    assert own_issuer.fetches == 1


async def test_the_door_comes_before_the_id_and_health_is_open(steady_worker: httpx.AsyncClient) -> None:
    assert (await steady_worker.post("/jobs/no-id")).status_code == 401
    assert [(await steady_worker.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]


async def test_a_new_key_is_found_and_an_old_one_forgotten(
    worker: httpx.AsyncClient, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "FETCH_PAUSE_S", 0.0)
    assert await status(worker, own_issuer.token()) == 200
    old = own_issuer.token(sub="2000")
    own_issuer.keys = {"second": new_key()}
    assert await status(worker, own_issuer.token("second")) == 200
    assert await status(worker, old) == 401


async def test_a_token_is_taken_on_memory_for_five_minutes_at_most(own_issuer: Issuer) -> None:
    now = 0.0
    keys = auth.SigningKeys(f"{own_issuer.url}/certs", clock=lambda: now)
    callers = auth.Callers(keys, issuer=own_issuer.url, audience=AUDIENCE, invokers=[INVOKER], clock=lambda: now)
    token = own_issuer.token()
    assert (await callers.identify(token)).email == INVOKER
    own_issuer.keys = {"second": new_key()}
    now += 200
    assert await callers.identify(own_issuer.token("second"))
    assert await callers.identify(token)
    now += 101
    with pytest.raises(auth.NotIdentified):
        await callers.identify(token)


async def test_unknown_keys_do_not_make_the_worker_ask_again_and_again(
    worker: httpx.AsyncClient, own_issuer: Issuer
) -> None:
    for number in range(20):
        token = by_hand({"alg": "RS256", "kid": f"k{number}"}, own_issuer.claims(), b"x")
        assert await status(worker, token) == 401
    assert own_issuer.fetches == 1


@pytest.mark.parametrize("answer", [(500, "no"), (302, ""), (200, "<html>"), (200, "[]"), (200, '{"keys": []}'),
                                    (200, '{"keys": [1, {"kty": "oct", "k": "eA", "kid": "first"}]}')])  # fmt: skip
async def test_without_keys_nobody_is_let_in_until_they_are_there(
    worker: httpx.AsyncClient, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str]
) -> None:
    own_issuer.answer = answer
    refused = await call(worker, own_issuer.token())
    assert (refused.status_code, refused.json()["error"]) == (503, "keys_unavailable")
    assert await status(worker, None) == 401
    own_issuer.answer = None
    monkeypatch.setattr(auth, "FETCH_PAUSE_S", 0.0)
    assert await status(worker, own_issuer.token()) == 200


async def test_known_keys_serve_through_an_outage(
    worker: httpx.AsyncClient, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await status(worker, own_issuer.token()) == 200
    own_issuer.answer = (503, "down")
    monkeypatch.setattr(auth, "KEYS_FRESH_S", 0.0)
    monkeypatch.setattr(auth, "FETCH_PAUSE_S", 0.0)
    for number in range(3):
        assert await status(worker, own_issuer.token(sub=str(number))) == 200
    assert await status(worker, by_hand({"alg": "RS256", "kid": "new"}, own_issuer.claims(), b"x")) == 503


@pytest.mark.parametrize("missing", ["OIDC_AUDIENCE", "OIDC_INVOKERS"])
@pytest.mark.parametrize("nothing", [None, "", "[]"])
def test_a_worker_that_was_not_told_who_may_call_does_not_start(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, missing: str, nothing: str | None
) -> None:
    environment = issuer.environment() | {"DATABASE_URL": "postgresql://someone:hunter2@db/x"}
    if nothing is None or (missing, nothing) == ("OIDC_AUDIENCE", "[]"):
        del environment[missing]
    else:
        environment[missing] = nothing
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match="OIDC_AUDIENCE and OIDC_INVOKERS") as error:
        WorkerSettings()  # pyright: ignore[reportCallIssue]
    assert "hunter2" not in str(error.value)
