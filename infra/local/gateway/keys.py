"""The signing key and the two API keys, made once for a state directory and kept there."""

import base64
import hashlib
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

ALGORITHM = "ES256"
_FILE = "keys.json"
_TEN_YEARS_S = 10 * 365 * 24 * 3600


@dataclass(frozen=True)
class Keys:
    """`anon_key` and `service_key` are what a Supabase project calls its API keys: JWTs that carry a role."""

    private_key: ec.EllipticCurvePrivateKey
    public_key: ec.EllipticCurvePublicKey
    kid: str
    anon_key: str
    service_key: str

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public half as a JSON Web Key Set."""
        key = _public_jwk(self.private_key) | {"kid": self.kid, "alg": ALGORITHM, "use": "sig", "key_ops": ["verify"]}
        return {"keys": [key]}


def load_or_create(state_dir: Path) -> Keys:
    """The keys of a state directory: the same after each restart, and for two processes that ask at once.

    Kept in `keys.json`, readable by its owner alone.
    """
    path = state_dir / _FILE
    if not path.exists():
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_once(path, json.dumps(_create(), indent=2))
    stored = json.loads(path.read_text())
    private_key = _load_private_key(stored["private_key"])
    return Keys(
        private_key, private_key.public_key(), _thumbprint(private_key), stored["anon_key"], stored["service_key"]
    )


def _create() -> dict[str, str]:
    private_key = ec.generate_private_key(ec.SECP256R1())
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "private_key": pem,
        "anon_key": _api_key(private_key, "anon"),
        "service_key": _api_key(private_key, "service_role"),
    }


def _api_key(private_key: ec.EllipticCurvePrivateKey, role: str) -> str:
    now = int(time.time())
    # No URL in the issuer: the port may change from one start to the next, the keys must not.
    claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + _TEN_YEARS_S}
    return jwt.encode(claims, private_key, ALGORITHM, headers={"kid": _thumbprint(private_key)})


def _write_once(path: Path, text: str) -> None:
    """Puts a complete file in place, or leaves the one that somebody else put there first."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _load_private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = f"{_FILE} holds a key of another kind than {ALGORITHM} needs"
        raise TypeError(msg)
    return key


def _public_jwk(private_key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private_key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _base64url(numbers.x), "y": _base64url(numbers.y)}


def _thumbprint(private_key: ec.EllipticCurvePrivateKey) -> str:
    """RFC 7638: the same key always has the same id."""
    canonical = json.dumps(_public_jwk(private_key), sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
