"""The stack's identity tokens, which stand in for Google's: who issues them, who has them, who accepts them.

Deliveries carry a token that the dispatcher asks its machine's metadata server for. Here the gateway is that server,
and publishes the key that the tokens are signed with; the key lies in the state directory.
"""

import json
import time
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

DISPATCHER_ACCOUNT = "dispatcher@local.iam.gserviceaccount.com"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
KEYS_PATH = "/identity/certs"
LIFETIME_S = 3600
_ALGORITHM = "RS256"
_FILE = "identity_key.pem"


def token_url(gateway_url: str) -> str:
    """Where the dispatcher gets its tokens."""
    return f"{gateway_url}{TOKEN_PATH}"


def issuer_of(gateway_url: str) -> str:
    """`iss` of the tokens."""
    return f"{gateway_url}/identity"


def worker_settings(gateway_url: str, worker_url: str) -> dict[str, str]:
    """What a worker finds in its environment about those who may call it."""
    return {
        "OIDC_ISSUER": issuer_of(gateway_url),
        "OIDC_JWKS_URL": f"{gateway_url}{KEYS_PATH}",
        "OIDC_AUDIENCE": worker_url,
        "OIDC_INVOKERS": json.dumps([DISPATCHER_ACCOUNT]),
    }


@dataclass(frozen=True)
class IdentityIssuer:
    """Signs tokens of the dispatcher's account."""

    private_key: rsa.RSAPrivateKey
    issuer: str

    @cached_property
    def kid(self) -> str:
        """The same for the same key."""
        public = self.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(public).hexdigest()[:40]

    def token(self, audience: str) -> str:
        """A token for one worker, with the claims of Google's format `full`."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "azp": "100000000000000000001",
            "sub": "100000000000000000001",
            "email": DISPATCHER_ACCOUNT,
            "email_verified": True,
            "iat": now,
            "exp": now + LIFETIME_S,
        }
        return jwt.encode(claims, self.private_key, _ALGORITHM, headers={"kid": self.kid})

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public half as a JSON Web Key Set."""
        key = RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self.kid, "alg": _ALGORITHM, "use": "sig"}]}


def load_key(state_dir: Path) -> rsa.RSAPrivateKey:
    """The key of a state directory, made at first use and readable by its owner alone."""
    path = state_dir / _FILE
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        draft.replace(path)
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key
