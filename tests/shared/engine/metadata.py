"""A metadata server as machines of Google's have it, as far as identity tokens go."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import jwt
from aiohttp import web


class MetadataServer:
    """Hands out numbered tokens; `status` and `lifetime_s` are what the test says, `gate` holds answers back."""

    def __init__(self) -> None:
        self.handed_out: list[str] = []
        self.status = 200
        self.lifetime_s = 3600.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests = 0
        self.url = ""

    async def identify(self, request: web.Request) -> web.Response:
        self.requests += 1
        await self.gate.wait()
        if request.headers.get("metadata-flavor") != "Google" or request.query.get("format") != "full":
            return web.Response(status=403)
        if self.status != 200:
            return web.Response(status=self.status, text="not now")
        claims = {"aud": request.query["audience"], "exp": time.time() + self.lifetime_s, "number": self.requests}
        self.handed_out.append(jwt.encode(claims, "a key of thirty-two bytes or more"))
        return web.Response(text=self.handed_out[-1] + "\n")

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["MetadataServer"]:
        app = web.Application()
        app.router.add_get("/identity", self.identify)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/identity"
        try:
            yield self
        finally:
            await runner.cleanup()
