"""Files as a worker keeps them: against the local gateway, and against servers that fail."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from shared.storage import Storage, StorageError
from tests.conftest import TestDatabases
from tests.infra.local.gateway.process import RunningGateway, fresh_gateway

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@pytest.fixture(scope="module")
def gateway(databases: TestDatabases) -> Iterator[RunningGateway]:
    with fresh_gateway(databases) as gateway:
        yield gateway


@pytest.fixture
async def storage(gateway: RunningGateway) -> AsyncIterator[Storage]:
    async with Storage(gateway.url, gateway.keys.service_key) as storage:
        yield storage


async def test_an_uploaded_banner_is_public_at_its_url(gateway: RunningGateway, storage: Storage) -> None:
    url = await storage.upload("content", "blog/7f3/banner.png", PNG, "image/png")
    assert url == storage.public_url("content", "blog/7f3/banner.png")
    answer = gateway.http.get(url)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PNG, "image/png")
    assert await storage.download("content", "blog/7f3/banner.png") == PNG


async def test_a_public_file_of_any_name_is_read_at_its_address(gateway: RunningGateway, storage: Storage) -> None:
    url = storage.public_url("content", "blog/_.png").replace("_.png", "sala%20limpa%20(1).png")
    sent = gateway.http.post(
        url.replace("/public/", "/"),
        content=PNG,
        headers={"authorization": f"Bearer {gateway.keys.service_key}", "content-type": "image/png"},
    )
    assert sent.status_code == 200, sent.text
    assert await storage.download_public(url) == PNG
    with pytest.raises(StorageError, match="could not be read") as refused:
        await storage.download_public(f"{url}.png")
    assert refused.value.retryable is False


async def test_a_repeated_stage_replaces_its_file(storage: Storage) -> None:
    urls = {await storage.upload("content", "blog/again.png", PNG + bytes([n]), "image/png") for n in range(3)}
    assert len(urls) == 1
    assert await storage.download("content", "blog/again.png") == PNG + bytes([2])


async def test_several_files_go_up_at_once(storage: Storage) -> None:
    names = [f"slides/{n}.png" for n in range(8)]
    await asyncio.gather(*(storage.upload("content", name, PNG, "image/png") for name in names))
    contents = await asyncio.gather(*(storage.download("content", name) for name in names))
    assert set(contents) == {PNG}


@pytest.mark.parametrize(
    ("bucket", "data", "content_type", "status"),
    [
        ("content", PNG, "text/html", 415),
        ("assets", b"\0" * (10 * 1024 * 1024 + 1), "image/png", 413),
        ("no-such-bucket", PNG, "image/png", 404),
    ],
)
async def test_what_storage_refuses_is_not_worth_a_retry(
    storage: Storage, bucket: str, data: bytes, content_type: str, status: int
) -> None:
    with pytest.raises(StorageError) as refused:
        await storage.upload(bucket, "x.png", data, content_type)
    assert (refused.value.status, refused.value.retryable) == (status, False)


async def test_a_missing_file_is_told_as_such(storage: Storage) -> None:
    with pytest.raises(StorageError, match=r"content/none\.png could not be read") as refused:
        await storage.download("content", "none.png")
    assert (refused.value.status, refused.value.retryable) == (404, False)


async def test_a_wrong_key_is_not_worth_a_retry(gateway: RunningGateway) -> None:
    async with Storage(gateway.url, "sb_secret_wrong") as storage:
        with pytest.raises(StorageError) as refused:
            await storage.upload("content", "x.png", PNG, "image/png")
    assert (refused.value.status, refused.value.retryable) == (401, False)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/x.png",
        "../x.png",
        "a/../x.png",
        "a//x.png",
        "a/",
        ".hidden",
        "a\\b",
        "ç.png",
        "a b",
        "a?b",
        "a%2e",
        "x" * 513,
    ],
)
async def test_unsafe_paths_never_leave_the_process(path: str) -> None:
    storage = Storage("http://127.0.0.1:1", "key")
    for attempt in (storage.upload("content", path, PNG, "image/png"), storage.download("content", path)):
        with pytest.raises(StorageError, match="no path") as refused:
            await attempt
        assert not refused.value.retryable


@asynccontextmanager
async def _server(answer: bytes | None) -> AsyncIterator[str]:
    """Answers every request with the same bytes; None never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        if answer is None:
            await reader.read()  # until the client gives up
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _http(status: str, body: bytes, kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "retryable", "status"),
    [
        (_http("503 Busy", b'{"statusCode":"503","error":"busy","message":"later"}'), True, 503),
        (_http("429 Slow down", b'{"statusCode":"429","error":"slow","message":"later"}'), True, 429),
        (_http("502 Bad Gateway", b"<html>nginx</html>", "text/html"), True, 502),
        (_http("400 Bad", b'{"statusCode":"403","error":"Unauthorized","message":"no"}'), False, 403),
        (_http("200 OK", b"<html>captive portal</html>", "text/html"), True, None),
        (_http("200 OK", b"{}"), True, None),
        (b"nonsense\r\n\r\n", True, None),
        (b"", True, None),
    ],
)
async def test_failures_say_whether_a_retry_can_help(answer: bytes, retryable: bool, status: int | None) -> None:
    async with _server(answer) as url, Storage(url, "key") as storage:
        with pytest.raises(StorageError) as failed:
            await storage.upload("content", "x.png", PNG, "image/png")
    assert (failed.value.retryable, failed.value.status) == (retryable, status)


async def test_silence_and_absence_are_worth_a_retry() -> None:
    async with _server(None) as url, Storage(url, "key", timeout_s=0.2) as storage:
        with pytest.raises(StorageError, match="no answer") as failed:
            await storage.download("content", "x.png")
        assert failed.value.retryable
    async with Storage(url, "key") as storage:
        with pytest.raises(StorageError, match="no answer") as failed:
            await storage.download("content", "x.png")
        assert failed.value.retryable


def test_a_process_without_files_does_not_import_the_client() -> None:
    program = (
        "import sys, shared.storage; shared.storage.Storage('http://x', 'k').public_url('b', 'a.png');"
        "sys.exit(any(name in sys.modules for name in ('httpx', 'storage3', 'pydantic')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
