"""A web server with TLS that misbehaves on request, and a name service that answers what a test wants."""

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.research.fetch import MAX_BYTES
from tests.shared.research.certificates import write_certificates

HOST = "site.test"
ARTICLE = (
    "<html><head><title>Roscas</title></head><body><article><p>Uma rosca é uma hélice.</p></article></body></html>"
)

HTML = {"Content-Type": "text/html; charset=utf-8"}
GZIP = {**HTML, "Content-Encoding": "gzip"}
PAGES = {
    "article": (ARTICLE.encode(), HTML),
    "gzipped": (gzip.compress(ARTICLE.encode()), GZIP),
    "torn": (gzip.compress(ARTICLE.encode())[:40], GZIP),
    "bomb": (gzip.compress(b"0" * 20_000_000), GZIP),
    "brotli": (b"xx", {**HTML, "Content-Encoding": "br"}),
    "zstd": (b"xx", {**HTML, "Content-Encoding": "zstd"}),
    "deflate": (zlib.compress(b"0" * 20_000_000), {**HTML, "Content-Encoding": "deflate"}),
    "twice": (gzip.compress(gzip.compress(b"0" * 20_000_000)), {**HTML, "Content-Encoding": "gzip, gzip"}),
    "flood": (b"", {**HTML, "X-Flood": "x" * 100_000}),
    "exact": (b"x" * MAX_BYTES, HTML),
    "large": (b"x" * (MAX_BYTES + 1), HTML),
}


class NameService(AbstractResolver):
    """Names and their addresses; each lookup of a name takes the next answer, the last one for ever."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self._answers = {name.replace("_", "."): list(answers) for name, answers in addresses.items()}
        self.lookups: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  aiohttp's
    ) -> list[ResolveResult]:
        self.lookups.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError(f"no such name: {host}")
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in answer.split()
        ]

    async def close(self) -> None:
        pass


@dataclass
class WebSite:
    """The server: where it listens, which authority signed it, and the requests that it saw."""

    port: int
    ca_file: Path
    requests: list[web.Request] = field(default_factory=list)
    stall: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def static_hosts(self) -> dict[str, str]:
        return {HOST: f"127.0.0.1:{self.port}"}

    def url(self, path: str) -> str:
        return f"https://{HOST}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A page of PAGES by its name, or what is asked for: /status/404, /type/image/png, /hops/3, /to?where=…"""
        self.requests.append(request)
        name, *arguments = request.path.strip("/").split("/")
        if name == "silent":
            await self.stall.wait()
        if name in ("endless", "stalled", "dripping"):
            return await self._streamed(request, name)
        if name == "status":
            return web.Response(status=int(arguments[0]), text="no")
        if name == "hops" and arguments != ["0"]:
            return _moved(f"/hops/{int(arguments[0]) - 1}")
        if name == "loop":
            return _moved("/loop")
        if name == "to":
            return _moved(request.query.get("where", ""))
        body, headers = PAGES.get(name, PAGES["article"])
        if name == "type":
            headers = {"Content-Type": "/".join(arguments)}
        return web.Response(body=body, headers=headers)

    async def _streamed(self, request: web.Request, name: str) -> web.StreamResponse:
        response = web.StreamResponse(headers=HTML)
        await response.prepare(request)
        await response.write(b"<html>")
        while name == "endless":  # until the client has had enough
            await response.write(b"x" * 65_536)
        while name == "dripping" and not self.stall.is_set():
            await response.write(b"x")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stall.wait(), 0.02)
        await self.stall.wait()
        return response


def _moved(where: str) -> web.Response:
    return web.Response(status=302, headers={"Location": where})


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificates(tmp_path_factory.mktemp("certificates"), [HOST, "8.8.8.8.test"])


@pytest.fixture
async def site(certificates: tuple[Path, Path]) -> AsyncIterator[WebSite]:
    authority, server = certificates
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server)
    website = WebSite(0, authority)
    listener = socket.create_server(("127.0.0.1", 0))
    website.port = listener.getsockname()[1]
    runner = web.ServerRunner(web.Server(website.answer), shutdown_timeout=0.1)  # pyright: ignore[reportArgumentType]
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context).start()
    yield website
    website.stall.set()
    await runner.cleanup()
