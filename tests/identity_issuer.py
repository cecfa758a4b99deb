"""An issuer of identity tokens over real HTTP, for workers under test: it can change its keys, be away, or lie."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

INVOKER = "dispatcher@project.iam.gserviceaccount.com"
AUDIENCE = "https://worker.example"


@cache
def first_key() -> rsa.RSAPrivateKey:
    """Making one takes a moment."""
    return new_key()


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """`keys` are those that it publishes, by id; `answer` replaces its key set by a status and a body."""

    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=lambda: {"first": first_key()})
    url: str = ""
    fetches: int = 0
    answer: tuple[int, str] | None = None

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token with some changed; `None` leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "1000",
            "email": INVOKER,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, kid: str = "first", **changes: Any) -> str:
        return jwt.encode(self.claims(**changes), self.keys[kid], "RS256", headers={"kid": kid})

    def headers(self, **changes: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(**changes)}"}

    def settings(self) -> dict[str, Any]:
        """For WorkerSettings."""
        return {
            "oidc_issuer": self.url,
            "oidc_jwks_url": f"{self.url}/certs",
            "oidc_audience": AUDIENCE,
            "oidc_invokers": frozenset({INVOKER}),
        }

    def environment(self) -> dict[str, str]:
        """The same for a process."""
        return {name.upper(): value for name, value in self.settings().items()} | {
            "OIDC_INVOKERS": json.dumps([INVOKER])
        }

    async def certs(self, _: web.Request) -> web.Response:
        self.fetches += 1
        if self.answer:
            return web.Response(status=self.answer[0], text=self.answer[1])
        keys = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "RS256", "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return web.json_response({"keys": keys})

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Issuer"]:
        app = web.Application()
        app.router.add_get("/certs", self.certs)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()
