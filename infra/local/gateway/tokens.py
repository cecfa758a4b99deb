"""JSON Web Tokens: a user's access token, and the token in a signed URL."""

import time
from dataclasses import dataclass
from typing import Any

import jwt

from infra.local.gateway.keys import ALGORITHM, Keys

ACCESS_TOKEN_LIFETIME_S = 3600
_USER_AUDIENCE = "authenticated"
_CLOCK_SKEW_S = 5


class TokenRefusedError(Exception):
    """A token that is malformed, forged, expired or meant for something else. The message says which."""


@dataclass(frozen=True)
class Tokens:
    """Signs and checks with one key pair. `issuer` ends up in `iss`."""

    keys: Keys
    issuer: str

    def issue_access(self, user: dict[str, Any], session_id: str) -> tuple[str, int]:
        """An access token for a user as Auth describes one, and when it expires (seconds since 1970)."""
        now = int(time.time())
        expires_at = now + ACCESS_TOKEN_LIFETIME_S
        claims = {
            "iss": self.issuer,
            "sub": user["id"],
            "aud": _USER_AUDIENCE,
            "exp": expires_at,
            "iat": now,
            "email": user["email"],
            "phone": user["phone"],
            "app_metadata": user["app_metadata"],
            "user_metadata": user["user_metadata"],
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": session_id,
            "is_anonymous": False,
        }
        return self._sign(claims), expires_at

    def read_access(self, token: str) -> dict[str, Any]:
        """Claims of a user's access token. Raises `TokenRefusedError`."""
        claims = self._read(token, _USER_AUDIENCE, required=["sub", "role", "session_id"])
        if claims["role"] != "authenticated":
            raise TokenRefusedError("unexpected role")
        return claims

    def sign_object(self, *, purpose: str, object_path: str, expires_in_s: int) -> str:
        """A token that opens one object (`bucket/name`) for one purpose until it expires."""
        now = int(time.time())
        return self._sign(
            {"iss": self.issuer, "aud": purpose, "url": object_path, "iat": now, "exp": now + expires_in_s}
        )

    def read_object(self, token: str, *, purpose: str) -> str:
        """The `bucket/name` that a token opens for a purpose. Raises `TokenRefusedError`."""
        return str(self._read(token, purpose, required=["url"])["url"])

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.keys.private_key, ALGORITHM, headers={"kid": self.keys.kid})

    def _read(self, token: str, audience: str, *, required: list[str]) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self.keys.public_key,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=self.issuer,
                leeway=_CLOCK_SKEW_S,
                options={"require": ["exp", "iss", "aud", *required]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenRefusedError("JWT expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenRefusedError(f"JWT invalid: {error}") from error
