"""Files in Supabase Storage, as the service.

The client library is imported at first use: it takes half a second that a process without files need not pay.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx
    from storage3 import AsyncStorageClient
    from storage3.types import FileOptions

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)
_MAX_PATH_CHARACTERS = 512
_WORTH_A_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 544})
_CACHE_S = 3600
_OK = 200
_MAX_PUBLIC_BYTES = 25_000_000


class StorageError(Exception):
    """Storage did not do what it was asked. `retryable` says whether the same request may succeed later.

    `status` is the one in Storage's answer; None when there was no answer.
    """

    def __init__(self, message: str, *, retryable: bool, status: int | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status


class Storage:
    """One connection pool to one project's Storage. Costs nothing until it is used; close it with `aclose`.

    `service_key` may be a JWT or one of the newer `sb_secret_…` keys. `timeout_s` is for each of connecting, sending
    and receiving.
    """

    def __init__(self, supabase_url: str, service_key: str, *, timeout_s: float = 30.0) -> None:
        self._url = f"{supabase_url.rstrip('/')}/storage/v1/"
        self._service_key = service_key
        self._timeout_s = timeout_s
        self._http: httpx.AsyncClient | None = None
        self._client: AsyncStorageClient | None = None

    async def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> str:
        """Stores the file in place of an earlier one at the same path, so that a repeated stage does no harm.

        Returns its public URL, which works when the bucket is public. Raises `StorageError`.
        """
        checked = _checked(path)
        options: FileOptions = {"content-type": content_type, "cache-control": str(_CACHE_S), "upsert": "true"}
        with _storage_errors(f"{bucket}/{checked} could not be stored"):
            await self._open().from_(bucket).upload(checked, data, options)
        return self.public_url(bucket, checked)

    async def download(self, bucket: str, path: str) -> bytes:
        """The file's content. Raises `StorageError`, with status 404 when there is none."""
        checked = _checked(path)
        with _storage_errors(f"{bucket}/{checked} could not be read"):
            return await self._open().from_(bucket).download(checked)

    async def download_public(self, url: str) -> bytes:
        """What everybody can read at an address of this project's public buckets, whatever the file is called.

        Raises `StorageError`, also for an address elsewhere and for more than 25 MB.
        """
        if not url.startswith(f"{self._url}object/public/"):
            raise StorageError("the address is not one of the project's Storage", retryable=False)
        with _storage_errors("a public file could not be read"):
            async with self._connections().stream("GET", url) as answer:
                if answer.status_code != _OK:
                    retryable = answer.status_code in _WORTH_A_RETRY
                    message = f"a public file could not be read ({answer.status_code})"
                    raise StorageError(message, retryable=retryable, status=answer.status_code)
                data = bytearray()
                async for part in answer.aiter_bytes():
                    data += part
                    if len(data) > _MAX_PUBLIC_BYTES:
                        raise StorageError("a public file is too large", retryable=False)
                return bytes(data)

    def public_url(self, bucket: str, path: str) -> str:
        """Where everybody can read a file of a public bucket. Raises `StorageError` for a path that cannot be one."""
        return f"{self._url}object/public/{quote(bucket, safe='')}/{quote(_checked(path))}"

    async def aclose(self) -> None:
        """Closes the connections; the next use opens new ones."""
        http, self._http, self._client = self._http, None, None
        if http is not None:
            await http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _open(self) -> "AsyncStorageClient":
        if self._client is None:
            from storage3 import AsyncStorageClient  # noqa: PLC0415

            headers = {"apikey": self._service_key, "Authorization": f"Bearer {self._service_key}"}
            self._client = AsyncStorageClient(self._url, headers, http_client=self._connections())
        return self._client

    def _connections(self) -> "httpx.AsyncClient":
        if self._http is None:
            import httpx  # noqa: PLC0415

            self._http = httpx.AsyncClient(timeout=self._timeout_s)
        return self._http


def _checked(path: str) -> str:
    """The path, when every Storage takes it and nothing in it means something to a file system or a URL."""
    if len(path) > _MAX_PATH_CHARACTERS or not _PATH.fullmatch(path):
        raise StorageError(f"{path[:80]!r} is no path of an object", retryable=False)
    return path


@contextmanager
def _storage_errors(what: str) -> Generator[None]:
    """Says what the client library raises as `StorageError`; `what` begins the message."""
    import httpx  # noqa: PLC0415
    from storage3.exceptions import StorageApiError  # noqa: PLC0415

    try:
        yield
    except StorageApiError as error:
        status = int(error.status) if str(error.status).isdecimal() else 500
        message = f"{what}: {error.message} ({status})"
        raise StorageError(message, retryable=status in _WORTH_A_RETRY, status=status) from error
    except httpx.TransportError as error:
        raise StorageError(f"{what}: no answer ({type(error).__name__})", retryable=True) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StorageError(f"{what}: {error}", retryable=False) from error
    except (KeyError, ValueError) as error:  # a success that is not Storage's
        raise StorageError(f"{what}: the answer makes no sense", retryable=True) from error
