"""Who calls a worker: OpenID Connect identity tokens, as Google signs them for service accounts.

Only RS256 is accepted, whatever a token says of itself, and only keys that the issuer publishes.
"""

import asyncio
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

import httpx
import jwt
import structlog

_log = structlog.get_logger(__name__)

ALGORITHM = "RS256"
LEEWAY_S = 20
FETCH_TIMEOUT_S = 3.0
KEYS_FRESH_S = 600.0
FETCH_PAUSE_S = 3.0
REMEMBERED_S = 300.0
MAX_REMEMBERED = 1_000
_CLAIMS = ["iss", "aud", "sub", "exp", "iat", "email"]


class NotIdentified(Exception):
    """The token proves nobody's identity; the message says why, without the token."""


class NotAllowed(Exception):
    """Somebody else than those who may call."""


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had at the moment, so the token can be neither accepted nor refused."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A service account that may call: its address and the issuer's unchanging id for it."""

    email: str
    subject: str


class SigningKeys:
    """The issuer's public keys by id, from its JSON Web Key Set at `url`.

    Fetched when first needed, again after ten minutes (the old ones serve meanwhile, and through an outage), and again
    for an id that is not among them; one fetch at a time, and a pause of three seconds between two.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetch: asyncio.Task[None] | None = None
        self._tried_at = float("-inf")
        self._failed = False

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """The key with that id; None when the issuer has none. Raises `KeysUnavailable` when that cannot be known."""
        key = self._keys.get(kid)
        age_s = self._clock() - self._tried_at
        if self._fetch is None and age_s >= (FETCH_PAUSE_S if key is None or self._failed else KEYS_FRESH_S):
            self._tried_at = self._clock()
            self._fetch = asyncio.create_task(self._refresh())
        if key is not None:
            return key
        if self._fetch is not None:
            await asyncio.shield(self._fetch)
        key = self._keys.get(kid)
        if key is None and self._failed:
            raise KeysUnavailable
        return key

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S), httpx.AsyncClient() as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
                self._keys = _rsa_keys(answer.text)
            self._failed = False
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, jwt.PyJWTError) as error:
            _log.warning("signing_keys_unavailable", url=self._url, error=repr(error), known=len(self._keys))
            self._failed = True
        finally:
            self._fetch = None


def _rsa_keys(document: str) -> dict[str, jwt.PyJWK]:
    """The keys for RS256 signatures by id; what else the set holds is left out. Raises ValueError, jwt.PyJWTError."""
    keys: Any = json.loads(document)
    if not isinstance(keys, dict):
        raise TypeError("not a JSON Web Key Set")
    usable = {
        key.key_id: key
        for key in jwt.PyJWKSet.from_dict(cast("dict[str, Any]", keys)).keys
        if key.key_id and key.algorithm_name == ALGORITHM and key.public_key_use in (None, "sig")
    }
    if not usable:
        raise ValueError("no key for RS256 in it")
    return usable


class Callers:
    """Those who may call one worker: service accounts `invokers`, with a token of `issuer` made for `audience`.

    A token that was found good is taken on memory for five minutes, and never past its end.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        issuer: str,
        audience: str,
        invokers: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience.rstrip("/")
        self._invokers = frozenset(invokers)
        self._clock = clock
        # A verification costs more than all the rest of a small request, and a caller sends one token for an hour.
        self._remembered: dict[bytes, tuple[Caller, float]] = {}

    async def identify(self, token: str) -> Caller:
        """Whose token it is. Raises `NotIdentified`, `NotAllowed`, `KeysUnavailable`."""
        digest = sha256(token.encode()).digest()
        caller, until = self._remembered.get(digest, (None, 0.0))
        if caller is not None and self._clock() < until:
            return caller
        claims = await self._verified(token)
        email = claims["email"]
        if claims.get("email_verified") is not True or email not in self._invokers:
            _log.warning("caller_not_allowed", email=email, email_verified=claims.get("email_verified"))
            raise NotAllowed
        caller = Caller(email, claims["sub"])
        self._remember(digest, caller, min(int(claims["exp"]) - time.time(), REMEMBERED_S))
        return caller

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            # Before anything is fetched for it: such a token is never ours.
            if header.get("alg") != ALGORITHM or not isinstance(kid, str):
                raise NotIdentified("The token is not signed as the issuer signs.")
            key = await self._keys.get(kid)
            if key is None:
                raise NotIdentified("The issuer has no key of the token's id.")
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": _CLAIMS, "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            # The kind of error says enough; its text may repeat the token's content.
            raise NotIdentified(f"The token does not hold ({type(error).__name__}).") from None

    def _remember(self, digest: bytes, caller: Caller, for_s: float) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = (caller, self._clock() + for_s)
