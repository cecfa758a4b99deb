"""The Gemini client: google-genai, set up so that one call of ours is one request of its."""

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.auth.credentials import Credentials
    from google.genai import Client

# A net below the gateway's own time-outs, which are shorter and set for each request.
_LONGEST_REQUEST_S = 600


@asynccontextmanager
async def open_client(settings: ModelSettings, *, credentials: "Credentials | None" = None) -> "AsyncGenerator[Client]":
    """A client for the Gemini API when there is an API key, else for Vertex AI.

    Settled here, as read in google-genai 2.34: without `retry_options` its aiohttp transport repeats a request after a
    lost connection by itself, so one attempt is asked for; its default transports take proxies from the environment
    and differ by what is installed, so it gets an httpx client of ours. Automatic continuation and function calling
    are switched off for each request (`calls.py`): they are no options of the client.

    `credentials` replace the application default credentials of Vertex AI. Takes a second on first use, for the import.

    Raises:
        ValueError: there is neither an API key nor a Google Cloud project.
    """
    # Imported here: a service that uses no model does not pay a second of start and 35 MiB for it.
    import httpx  # noqa: PLC0415
    from google.genai import Client, types  # noqa: PLC0415

    async with httpx.AsyncClient(
        trust_env=False,
        verify=ssl.create_default_context(),
        timeout=_LONGEST_REQUEST_S,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
    ) as http:
        options = types.HttpOptions(
            base_url=settings.model_base_url,
            timeout=_LONGEST_REQUEST_S * 1000,
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_async_client=http,
        )
        if settings.gemini_api_key is not None:
            key = settings.gemini_api_key.get_secret_value()
            client = Client(vertexai=False, api_key=key, http_options=options)
        elif settings.google_cloud_project is not None:
            client = Client(
                vertexai=True,
                project=settings.google_cloud_project,
                location=settings.google_cloud_location,
                credentials=credentials,
                http_options=options,
            )
        else:
            raise ValueError("set GEMINI_API_KEY, or GOOGLE_CLOUD_PROJECT to use Vertex AI")
        try:
            yield client
        finally:
            client.close()
