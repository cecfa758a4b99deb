"""An emulator in a thread of the test process, and clients of the real SDK for it."""

import json
import ssl
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from google.genai import Client, types
from google.genai.client import AsyncClient
from google.oauth2.credentials import Credentials

from infra.local.emulator.app import EmulatorSettings, create_app
from infra.local.emulator.prices import DEFAULT_TABLE
from infra.local.emulator.web import prepare
from infra.local.ports import listen

TEXT, IMAGE, EMBEDDING = "gemini-3.8-flash", "gemini-3-pro-image", "gemini-embedding-001"


@dataclass(frozen=True)
class RunningEmulator:
    """Where it is, and what reaches its local web."""

    url: str
    environment: dict[str, str]
    clients: dict[tuple[bool, int], Client]

    def client(self, *, vertex: bool = False, timeout_ms: int = 20_000) -> Client:
        """The real SDK's client on one of the two path families; made once, closed with the emulator."""
        key = (vertex, timeout_ms)
        if key not in self.clients:
            self.clients[key] = self._new_client(vertex=vertex, timeout_ms=timeout_ms)
        return self.clients[key]

    def _new_client(self, *, vertex: bool, timeout_ms: int) -> Client:
        options = types.HttpOptions(base_url=self.url, timeout=timeout_ms)
        if vertex:
            token = Credentials(token="local")
            return Client(vertexai=True, project="local", location="global", credentials=token, http_options=options)
        return Client(api_key="local", http_options=options)

    @asynccontextmanager
    async def async_client(self) -> AsyncGenerator[AsyncClient]:
        """The SDK's asynchronous client on httpx; its own choice would be aiohttp, which warns."""
        async with httpx.AsyncClient(trust_env=False) as http:
            options = types.HttpOptions(base_url=self.url, timeout=20_000, httpx_async_client=http)
            client = Client(api_key="local", http_options=options)
            yield client.aio
            client.close()

    def ask(self, prompt: str, *, model: str = TEXT, **config: Any) -> types.GenerateContentResponse:
        """One `generateContent` call."""
        return self.client().models.generate_content(
            model=model, contents=prompt, config=types.GenerateContentConfig(**config)
        )

    def faults(self, **plan: Any) -> httpx.Response:
        """Sets the plan of faults."""
        return httpx.post(f"{self.url}/__emulator/faults", json=plan)

    def meter(self, *, requests: bool = False) -> dict[str, Any]:
        """What was counted."""
        return httpx.get(f"{self.url}/__emulator/meter", params={"requests": requests}).json()

    def reset(self) -> None:
        """No faults, nothing counted."""
        self.faults().raise_for_status()
        httpx.post(f"{self.url}/__emulator/meter/reset").raise_for_status()

    def browse(self, url: str) -> httpx.Response:
        """A page of the local web, asked for at the address that services are told, verified with its authority."""
        asked = httpx.URL(url)
        address = json.loads(self.environment["FETCH_STATIC_HOSTS"])[asked.host]
        context = ssl.create_default_context(cafile=self.environment["FETCH_CA_FILE"])
        with httpx.Client(verify=context, trust_env=False) as client:
            request = client.build_request(
                "GET",
                asked.copy_with(host=address.split(":")[0], port=int(address.split(":")[1])),
                headers={"host": asked.host},
                extensions={"sni_hostname": asked.host},
            )
            return client.send(request)


@contextmanager
def running_emulator(state_dir: Path) -> Generator[RunningEmulator]:
    """Starts an emulator with its local web and stops it afterwards."""
    web = listen()
    environment = prepare(state_dir, web.getsockname()[1])
    settings = EmulatorSettings(state_dir, web_port=None, web_fd=web.detach(), prices=DEFAULT_TABLE)
    server = uvicorn.Server(uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the emulator did not start"
        time.sleep(0.01)
    clients: dict[tuple[bool, int], Client] = {}
    yield RunningEmulator(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", environment, clients)
    for client in clients.values():
        client.close()
    server.should_exit = True
    thread.join()


def inputs(**values: str) -> str:
    """Inputs as prompts hold them."""
    return "\n".join(f'<input name="{name}">\n{value}\n</input>' for name, value in values.items())


def json_lines(records: list[dict[str, Any]]) -> str:
    """Records as prompts hold them."""
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
