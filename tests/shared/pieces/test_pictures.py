"""Where a job's pictures go and where its photographs come from."""

from typing import Any

import pytest

from shared.content.ports import PictureUnavailable
from shared.engine.errors import StorageUnavailable
from shared.pieces.pictures import JobPictures
from shared.storage import Storage, StorageError

PROJECT = "https://project.test"
PUBLIC = f"{PROJECT}/storage/v1/object/public"


class Shelf(Storage):
    """Storage that keeps files in memory, or fails as told."""

    def __init__(self, error: StorageError | None = None) -> None:
        super().__init__(PROJECT, "key")
        self.files: dict[str, bytes] = {}
        self.types: list[str] = []
        self._error = error

    async def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> str:
        self.types.append(content_type)
        self.files[f"{bucket}/{path}"] = data
        return self.public_url(bucket, path)

    async def download(self, bucket: str, path: str) -> bytes:
        if self._error:
            raise self._error
        return self.files[f"{bucket}/{path}"]


async def test_a_saved_picture_is_read_back_past_every_cache():
    pictures = JobPictures(shelf := Shelf())
    url = await pictures.save("jobs/1/slide-1.png", b"pixels")
    assert url == f"{PUBLIC}/content/jobs/1/slide-1.png"
    assert await pictures.load(url) == b"pixels"
    await pictures.save_as("jobs/1/carousel.pdf", b"pages", "application/pdf")
    assert shelf.types == ["image/png", "application/pdf"]


@pytest.mark.parametrize(("retryable", "raised"), [(True, StorageUnavailable), (False, PictureUnavailable)])
async def test_only_what_another_attempt_may_have_ends_this_one(retryable: bool, raised: type[Exception]):
    pictures = JobPictures(Shelf(StorageError("answered so", retryable=retryable)))
    with pytest.raises(raised, match="answered so"):
        await pictures.load(f"{PUBLIC}/content/jobs/1/slide-1.png")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://elsewhere.test/a.png",
        "file:///etc/passwd",
        f"{PROJECT}/rest/v1",
    ],
)
async def test_nothing_outside_of_the_projects_public_files_is_asked_for(url: str):
    pictures: Any = JobPictures(Shelf())
    with pytest.raises(PictureUnavailable, match="not one of the project"):
        await pictures.load(url)
