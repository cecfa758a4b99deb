"""Files of jobs in Storage, with failures said in the job's terms."""

from shared.engine.errors import JobError, StorageUnavailable
from shared.storage import Storage, StorageError


class FileRefused(JobError):
    """Storage does not take the file: too large, of a kind it does not allow, or a bucket that is not there."""

    code = "file_refused"


class JobFiles:
    """Files of jobs, in Supabase Storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> str:
        """Stores a file in place of an earlier one; its public URL. Raises StorageUnavailable or FileRefused."""
        try:
            return await self._storage.upload(bucket, path, data, content_type)
        except StorageError as error:
            kind = StorageUnavailable if error.retryable else FileRefused
            raise kind(f"A file could not be stored: {error}.") from error
