"""Fetches web pages that nobody here has vouched for: https, public addresses, few redirects, caps on size and time."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from shared.research.addresses import AddressRefused, CheckedResolver, is_public, normalise_host, parse_static_hosts

USER_AGENT: Final = "LifetrekResearch/1.0"
MAX_REDIRECTS: Final = 5
MAX_BYTES: Final = 2 * 1024 * 1024
TIMEOUT_S: Final = 15.0
MAX_URL_CHARS: Final = 2048
_READABLE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
_HTTPS_PORT: Final = 443
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

FetchReason = Literal[
    "bad_url",
    "address_refused",
    "too_many_redirects",
    "too_large",
    "too_slow",
    "wrong_type",
    "status",
    "unreachable",
    "bad_encoding",
]


class FetchError(Exception):
    """A page could not be fetched. `reason` is for programs, the message is a half-sentence for people."""

    def __init__(self, reason: FetchReason, message: str) -> None:
        super().__init__(message)
        self.reason: FetchReason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page as it was served: `url` is where it was after all redirects, `body` is unpacked, at most 2 MiB."""

    url: str
    body: bytes
    content_type: str
    charset: str | None
    fetched_at: datetime


class PageFetcher:
    """An HTTP client for hostile pages. Open it with `open_fetcher`."""

    def __init__(self, session: aiohttp.ClientSession, static_hosts: frozenset[str], timeout_s: float) -> None:
        self._session = session
        self._static_hosts = static_hosts
        self._timeout_s = timeout_s

    async def fetch(self, url: str) -> FetchedPage:
        """GETs a page, following at most five redirects, each checked like the first address. Raises FetchError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(self._checked(url))
        except TimeoutError:
            raise FetchError("too_slow", f"took longer than {self._timeout_s:g} s") from None
        except AddressRefused as error:
            raise FetchError("address_refused", str(error)) from error
        except aiohttp.ClientConnectorDNSError as error:
            # aiohttp wraps what the resolver raises; a refused address has to stay recognisable.
            if isinstance(error.os_error, AddressRefused):
                raise FetchError("address_refused", str(error.os_error)) from error
            raise FetchError("unreachable", "the name of the site is not known") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError("unreachable", f"could not be read ({type(error).__name__})") from error

    async def _follow(self, url: URL) -> FetchedPage:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await _read(response, url)
                location = response.headers.get("Location", "")
            url = self._checked(location, base=url)
        raise FetchError("too_many_redirects", f"redirected more than {MAX_REDIRECTS} times")

    def _checked(self, text: str, *, base: URL | None = None) -> URL:
        if not text or len(text) > MAX_URL_CHARS:
            raise FetchError("bad_url", "has no usable address")
        try:
            url = URL(text) if base is None else base.join(URL(text))
            host, port = url.host, url.port
        except ValueError:
            raise FetchError("bad_url", "has an address that cannot be read") from None
        if url.scheme != "https" or not host:
            raise FetchError("bad_url", "is not an https address")
        if url.user is not None or url.password is not None:
            raise FetchError("bad_url", "has a user name in its address")
        if normalise_host(host) in self._static_hosts:
            return url.with_fragment(None)
        if port != _HTTPS_PORT:
            raise FetchError("bad_url", f"asks for port {port}, only 443 is allowed")
        if _is_ip_literal(host) and not is_public(host):
            # A numeric host never reaches the resolver, so it is judged here.
            raise FetchError("address_refused", f"{host} is not a public address")
        return url.with_fragment(None)


@asynccontextmanager
async def open_fetcher(
    *,
    static_hosts: Mapping[str, str],
    ca_file: Path | None = None,
    lookup: AbstractResolver | None = None,
    timeout_s: float = TIMEOUT_S,
) -> AsyncGenerator[PageFetcher]:
    """A fetcher for as long as the context lasts.

    `static_hosts` (name → "ip:port") are not looked up and may have any address and port; `ca_file` (PEM) is trusted
    beside the system's authorities; `lookup` replaces the system's resolver; `timeout_s` is for a page with all its
    redirects.
    """
    static = parse_static_hosts(static_hosts)
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(lookup or aiohttp.ThreadedResolver(), static),
        use_dns_cache=False,  # an address is checked for the connection that uses it, not for a later one
        ssl=_trusted(ca_file),
        force_close=True,
        limit=16,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # we decompress ourselves, to stop at the cap
        timeout=aiohttp.ClientTimeout(total=None),
        headers={
            "User-Agent": USER_AGENT,
            "Accept": "text/html, application/xhtml+xml, text/plain;q=0.8",
            "Accept-Language": "pt-BR, en;q=0.8",
            "Accept-Encoding": "gzip",
        },
    ) as session:
        yield PageFetcher(session, frozenset(static), timeout_s)


@cache
def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    """The system's authorities and one more; loaded once, because that takes a noticeable time."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


async def _read(response: aiohttp.ClientResponse, url: URL) -> FetchedPage:
    if response.status != HTTPStatus.OK:
        raise FetchError("status", f"answered {response.status}")
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type not in _READABLE_TYPES:
        raise FetchError("wrong_type", f"is not a web page ({content_type[:60] or 'no type given'})")
    if (response.content_length or 0) > MAX_BYTES:
        raise _too_large()
    return FetchedPage(
        url=str(url),
        body=await _read_body(response),
        content_type=content_type,
        charset=response.charset,
        fetched_at=datetime.now(UTC),
    )


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    unpack = _unpacker(response.headers.get("Content-Encoding", "").strip().lower())
    body = bytearray()
    received = 0
    async for chunk in response.content.iter_any():
        received += len(chunk)
        body += unpack.feed(chunk, MAX_BYTES + 1 - len(body))
        if received > MAX_BYTES or len(body) > MAX_BYTES:
            raise _too_large()
    if not unpack.complete:
        raise FetchError("bad_encoding", "was cut off or badly compressed")
    return bytes(body)


def _too_large() -> FetchError:
    return FetchError("too_large", f"is larger than {MAX_BYTES // (1024 * 1024)} MiB")


class _Plain:
    """A body that is not compressed."""

    complete = True

    def feed(self, chunk: bytes, room: int) -> bytes:
        return chunk[:room]


class _Gzipped:
    """A gzip body, unpacked no further than there is room."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: a gzip header, not a zlib one

    def feed(self, chunk: bytes, room: int) -> bytes:
        try:
            return self._inflate.decompress(chunk, room)
        except zlib.error:
            raise FetchError("bad_encoding", "was badly compressed") from None

    @property
    def complete(self) -> bool:
        return self._inflate.eof


def _unpacker(encoding: str) -> _Plain | _Gzipped:
    match encoding:
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Gzipped()
        case _:
            raise FetchError("bad_encoding", f"is compressed in a way not asked for ({encoding[:30]})")


def _is_ip_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
