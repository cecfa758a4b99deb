"""Which names and types are taken, as Supabase's Storage takes them: what it refuses must not work locally."""

import re

from infra.local.gateway.errors import StorageError

_MAX_NAME_BYTES = 1024
_NAME = re.compile(r"[A-Za-z0-9_/!.*'() &$@=;:+,?-]+")
_BUCKET_NAME = re.compile(r"[A-Za-z0-9_!.*'() &$@=;:+,?-]{1,100}")
_MIME_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(\s*;\s*[\w-]+=[\w.\"-]+)*")


def check_object_name(name: str) -> str:
    """The name, when it is a relative path of ordinary ASCII characters. Raises `StorageError`."""
    segments = name.split("/")
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_BYTES or {"", ".", ".."} & set(segments):
        shown = name[:80].encode("unicode_escape").decode()
        raise StorageError(400, "InvalidKey", f"Invalid key: {shown}")
    return name


def check_bucket_name(name: str) -> str:
    """The name of a bucket to be made. Raises `StorageError`."""
    if not _BUCKET_NAME.fullmatch(name) or name != name.strip() or set(name) == {"."}:
        raise StorageError(400, "InvalidBucketName", "Bucket name invalid")
    return name


def check_mime_type(mime_type: str, allowed: list[str] | None) -> str:
    """The type, when it is one and the bucket takes it (`image/*` takes every picture). Raises `StorageError`."""
    if not _MIME_TYPE.fullmatch(mime_type):
        raise StorageError(415, "invalid_mime_type", "the content type is not a MIME type")
    bare = mime_type.partition(";")[0].strip().lower()
    family = f"{bare.partition('/')[0]}/*"
    if allowed and not {bare, family, "*/*"} & {entry.lower() for entry in allowed}:
        raise StorageError(415, "invalid_mime_type", f"mime type {bare} is not supported")
    return mime_type
