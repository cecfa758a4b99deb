"""A web server with TLS that misbehaves on request, and a name service that answers what a test wants."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
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


class NameService(AbstractResolver):
    """Names and their addresses; each lookup of a name takes the next answer, the last one for ever."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self._answers = {name.replace("_", "."): list(answers) for name, answers in addresses.items()}
        self.lookups: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
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
        self.requests.append(request)
        match request.path.strip("/").split("/"):
            case ["article"]:
                return web.Response(text=ARTICLE, content_type="text/html")
            case ["gzipped"]:
                return _raw(gzip.compress(ARTICLE.encode()), "text/html", encoding="gzip")
            case ["bomb"]:
                return _raw(gzip.compress(b"0" * 20_000_000), "text/html", encoding="gzip")
            case ["brotli"]:
                return _raw(b"xx", "text/html", encoding="br")
            case ["torn"]:
                return _raw(gzip.compress(ARTICLE.encode())[:40], "text/html", encoding="gzip")
            case ["large"]:
                return web.Response(body=b"x" * (MAX_BYTES + 1), content_type="text/html")
            case ["exact"]:
                return web.Response(body=b"x" * MAX_BYTES, content_type="text/html")
            case ["endless"]:
                return await self._endless(request)
            case ["stalled"]:
                return await self._stalled(request)
            case ["type", main, sub]:
                return web.Response(body=b"x", headers={"Content-Type": f"{main}/{sub}"})
            case ["status", code]:
                return web.Response(status=int(code), text="no")
            case ["hops", left] if int(left):
                return web.Response(status=302, headers={"Location": f"/hops/{int(left) - 1}"})
            case ["to"]:
                return web.Response(status=302, headers={"Location": request.query.get("where", "")})
            case _:
                return web.Response(text=ARTICLE, content_type="text/html")

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        while True:  # until the client has had enough
            await response.write(b"x" * 65_536)

    async def _stalled(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        await response.write(b"<html>")
        await self.stall.wait()
        return response


def _raw(body: bytes, content_type: str, *, encoding: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": content_type, "Content-Encoding": encoding})


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
