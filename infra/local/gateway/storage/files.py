"""Contents of objects on disk.

Each version of an object is a file of its own, named by a UUID that we make: no name from a client ever reaches the
file system, and a reader never sees a half-written or mixed file.
"""

import asyncio
import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4


@dataclass(frozen=True)
class StoredFile:
    """`size` in bytes; `etag` quoted, as HTTP has it."""

    version: str
    size: int
    etag: str


class FileStore:
    """A directory of files by version."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def write(self, source: IO[bytes]) -> StoredFile:
        """Keeps a copy of everything in the source, from its start, as a new version."""
        return await asyncio.to_thread(self._write, source)

    async def copy(self, version: str) -> str:
        """The same contents as a version of their own."""
        copied = str(uuid4())
        await asyncio.to_thread(self._link, self.path(version), self.path(copied))
        return copied

    async def delete(self, versions: list[str]) -> None:
        """Forgets versions; one that is not there is no error."""
        await asyncio.to_thread(self._delete, versions)

    def path(self, version: str) -> Path:
        """Where a version is. Raises ValueError for what is not a UUID."""
        name = str(UUID(version))
        return self._root / name[:2] / name

    def _write(self, source: IO[bytes]) -> StoredFile:
        version = str(uuid4())
        path = self.path(version)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.seek(0)
        with path.open("xb") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
            size = target.tell()
        with path.open("rb") as written:
            digest = hashlib.file_digest(written, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return StoredFile(version, size, f'"{digest}"')

    def _link(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.link(source, target)  # versions never change, so two names may share the bytes

    def _delete(self, versions: list[str]) -> None:
        for version in versions:
            with suppress(ValueError, FileNotFoundError):
                self.path(version).unlink()
