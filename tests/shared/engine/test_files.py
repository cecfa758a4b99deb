"""Storage's failures, said in the job's terms."""

import pytest

from shared.engine.errors import StorageUnavailable
from shared.engine.files import FileRefused, JobFiles
from shared.storage import Storage, StorageError


class Shelf(Storage):
    """Storage that answers as told."""

    def __init__(self, error: StorageError | None = None) -> None:
        super().__init__("https://storage.test", "key")
        self._error = error

    async def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> str:  # noqa: ARG002  as Storage
        if self._error:
            raise self._error
        return self.public_url(bucket, path)


async def test_a_file_has_its_public_address():
    url = await JobFiles(Shelf()).upload("content", "blog/1/banner.jpg", b"x", "image/jpeg")
    assert url == "https://storage.test/storage/v1/object/public/content/blog/1/banner.jpg"


@pytest.mark.parametrize(("retryable", "kind"), [(True, StorageUnavailable), (False, FileRefused)])
async def test_only_what_a_retry_can_help_is_retryable(retryable: bool, kind: type[Exception]):
    shelf = Shelf(StorageError("the bucket said no", retryable=retryable))
    with pytest.raises(kind, match="the bucket said no") as caught:
        await JobFiles(shelf).upload("content", "a.jpg", b"x", "image/jpeg")
    assert caught.value.retryable is retryable  # pyright: ignore[reportAttributeAccessIssue]
