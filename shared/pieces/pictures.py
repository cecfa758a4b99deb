"""The pictures of a job in Storage, and the company's photographs that they rest on."""

from urllib.parse import unquote

from shared.content.ports import PictureUnavailable
from shared.engine.errors import StorageUnavailable
from shared.engine.files import JobFiles
from shared.storage import Storage, StorageError

BUCKET = "content"


class JobPictures:
    """Saves a job's files and reads them back; reads whatever is public in the project's Storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._files = JobFiles(storage)
        self._own = storage.public_url(BUCKET, "_").removesuffix("_")

    async def load(self, url: str) -> bytes:
        """The file at an address.

        Raises PictureUnavailable for what is not there, too large or outside of the project, StorageUnavailable when
        another attempt may have it.
        """
        try:
            if url.startswith(self._own):  # read past every cache: an attempt may have replaced it just now
                return await self._storage.download(BUCKET, unquote(url.removeprefix(self._own)))
            return await self._storage.download_public(url)
        except StorageError as error:
            if error.retryable:
                raise StorageUnavailable(f"A picture could not be read: {error}.") from error
            raise PictureUnavailable(str(error)) from error

    async def save(self, path: str, data: bytes) -> str:
        """Stores a PNG; its public URL. Raises StorageUnavailable or FileRefused."""
        return await self.save_as(path, data, "image/png")

    async def save_as(self, path: str, data: bytes, content_type: str) -> str:
        """Stores a file of another type in the same way."""
        return await self._files.upload(BUCKET, path, data, content_type)
