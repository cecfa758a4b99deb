"""The client makes one request a try, goes straight to its address, and costs nothing until it is used."""

import asyncio
import subprocess
import sys

import pytest
from pydantic import BaseModel

from shared.db import Pool
from shared.engine.errors import ModelUnavailable
from shared.engine.job import Lease
from shared.model.client import open_client
from shared.model.gateway import open_gateway
from shared.model.prompts import RenderedPrompt
from shared.settings import ModelSettings
from tests.shared.model.books import Books
from tests.shared.model.provider import Provider, settings

PROMPT = RenderedPrompt("title", "1", "text", "Give a title for an article about titanium.")


class Title(BaseModel):
    title: str


async def test_a_service_opens_its_gateway_from_its_settings(provider: Provider, pool: Pool, lease: Lease) -> None:
    async with open_gateway(settings(provider.url), pool) as gateway:
        assert (await gateway.for_job(lease, lambda: "write").text(PROMPT, Title)).title


async def test_a_connection_that_breaks_is_one_request_a_try(provider: Provider, lease: Lease, books: Books) -> None:
    requests = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, provider.elsewhere(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as gateway:
        with pytest.raises(ModelUnavailable, match=r"connection; 3 tries"):
            await gateway.for_job(lease, lambda: "write").text(PROMPT, Title)
    assert requests == 3
    assert [row["error"]["cost_unknown"] for row in await books.rows()] == [True] * 3


async def test_proxies_of_the_environment_are_not_used(
    provider: Provider, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with provider.elsewhere(provider.url) as gateway:
        assert (await gateway.for_job(lease, lambda: "write").text(PROMPT, Title)).title


async def test_an_api_key_of_the_environment_does_not_turn_vertex_ai_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "key")
    async with open_client(
        ModelSettings(google_cloud_project="project", model_base_url="http://127.0.0.1:9")
    ) as client:
        assert client.vertexai


async def test_without_key_and_project_it_says_what_to_set() -> None:
    with pytest.raises(ValueError, match="set GEMINI_API_KEY"):
        async with open_client(ModelSettings(gemini_api_key=None, google_cloud_project=None)):
            pass


def test_the_sdk_is_not_imported_before_a_client_is_opened() -> None:
    script = "import sys, shared.model.gateway; print('google.genai' in sys.modules, 'httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
