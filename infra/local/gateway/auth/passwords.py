"""Password hashes as kept in `auth.users.encrypted_password`: scrypt from the standard library, in PHC notation."""

import base64
import binascii
import hashlib
import hmac
import secrets

_LOG_N, _R, _P = 14, 8, 1  # 16 MiB and about 50 ms a hash
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """A fresh salted hash, such as `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"$scrypt$ln={_LOG_N},r={_R},p={_P}${_encode(salt)}${_encode(_scrypt(password, salt, _LOG_N, _R, _P))}"


def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password belongs to the hash. A hash of another scheme, or none, never matches.

    Takes about as long when there is no hash: the answer's time does not tell whether a user exists.
    """
    parts = (stored or "").split("$")
    if len(parts) != 5 or parts[1] != "scrypt":
        _scrypt(password, b"\0" * _SALT_BYTES, _LOG_N, _R, _P)
        return False
    try:
        settings = dict(item.split("=") for item in parts[2].split(","))
        log_n, r, p = int(settings["ln"]), int(settings["r"]), int(settings["p"])
        salt, expected = _decode(parts[3]), _decode(parts[4])
        return hmac.compare_digest(_scrypt(password, salt, log_n, r, p), expected)
    except (KeyError, ValueError, binascii.Error):
        return False


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=64 * 1024 * 1024, dklen=32)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
