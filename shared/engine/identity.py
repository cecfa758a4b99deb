"""The dispatcher's identity tokens, from the metadata server of the machine that it runs on."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

import aiohttp
import jwt

FETCH_TIMEOUT_S = 5.0
SPARE_S = 60.0


class IdentityUnavailable(Exception):
    """No token can be had at the moment; the message says why."""


class IdentityTokens:
    """Tokens for one audience each, kept until a minute before they expire and fetched once for all who wait.

    `url` is the `identity` resource of a service account, as the metadata server of Google's machines has it.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, now: Callable[[], float] = time.time) -> None:
        self._session = session
        self._url = url
        self._now = now
        self._held: dict[str, tuple[str, float]] = {}
        self._fetches: dict[str, asyncio.Task[str]] = {}

    async def get(self, audience: str) -> str:
        """A token made for `audience`. Raises `IdentityUnavailable`."""
        token, expires_at = self._held.get(audience, ("", 0.0))
        if self._now() < expires_at - SPARE_S:
            return token
        fetch = self._fetches.get(audience)
        if fetch is None:
            fetch = self._fetches[audience] = asyncio.create_task(self._fetch(audience))
            fetch.add_done_callback(lambda _: self._fetches.pop(audience))
        # Shielded: one delivery that is let go must not take the token from the others.
        return await asyncio.shield(fetch)

    def forget(self, audience: str) -> None:
        """The token for `audience` was refused: the next one is a new one."""
        self._held.pop(audience, None)

    async def _fetch(self, audience: str) -> str:
        try:
            async with self._session.get(
                self._url,
                params={"audience": audience, "format": "full"},
                headers={"metadata-flavor": "Google"},
                timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S),
                allow_redirects=False,
            ) as answer:
                token = (await answer.text()).strip()
            if answer.status != HTTPStatus.OK:
                raise IdentityUnavailable(f"the metadata server answered {answer.status}")
            # Only its expiry is of interest here: who reads the token checks it.
            claims = jwt.decode(token, options={"verify_signature": False})
            self._held[audience] = (token, float(claims["exp"]))
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, jwt.PyJWTError) as error:
            raise IdentityUnavailable(type(error).__name__) from error
        return token
