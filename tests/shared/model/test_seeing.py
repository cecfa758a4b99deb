"""Pictures that a model looks at: sent in order, part of the call's name by their hash, reserved for, never kept."""

import base64
import io
import json

import pytest
from PIL import Image

from shared.engine.job import Lease
from shared.model.calls import text_call
from shared.model.gateway import JobModels, ReferenceImage
from tests.shared.model.books import Books, Jobs
from tests.shared.model.examples import TITLE, Title, assert_books_are_true
from tests.shared.model.provider import Provider


def picture(colour: str, file_format: str = "PNG") -> ReferenceImage:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(file, file_format)
    return ReferenceImage(file.getvalue(), f"image/{file_format.lower()}")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
async def test_a_model_sees_pictures_and_is_paid_for_them(
    models: JobModels, books: Books, provider: Provider, file_format: str
) -> None:
    assert (await models.text(TITLE, Title, images=[picture("red", file_format)])).title
    await models.text(TITLE, Title)
    seen, plain = await books.rows()
    assert seen["input_tokens"] > plain["input_tokens"] + 258
    assert seen["reserved_usd"] > plain["reserved_usd"]
    assert seen["reserved_usd"] >= seen["cost_usd"]
    await assert_books_are_true(books, provider)


async def test_the_same_pictures_are_paid_once_and_others_anew(
    provider: Provider, lease: Lease, jobs: Jobs, books: Books
) -> None:
    red, blue = picture("red"), picture("blue")
    first = await provider.models(lease).text(TITLE, Title, images=[red, blue])
    again = provider.models(await jobs.taken_over(lease))
    assert await again.text(TITLE, Title, images=[red, blue]) == first
    assert (await provider.meter()).served == 1
    await again.text(TITLE, Title, images=[blue, red])
    assert (await provider.meter()).served == 2
    await assert_books_are_true(books, provider)


async def test_the_ledger_keeps_no_picture_that_was_sent(models: JobModels, books: Books) -> None:
    red = picture("red")
    await models.text(TITLE, Title, images=[red])
    [row] = await books.rows()
    kept = json.dumps({name: str(value) for name, value in row.items()})
    assert base64.b64encode(red.data).decode()[:40] not in kept
    assert row["blob"] is None


async def test_a_picture_stays_in_the_second_request(models: JobModels, provider: Provider, books: Books) -> None:
    await provider.script("truncated")
    await models.text(TITLE, Title, images=[picture("red")])
    first, second = await books.rows()
    assert second["input_tokens"] == first["input_tokens"]


def test_without_pictures_a_call_has_the_name_that_it_always_had() -> None:
    def key(*images: ReferenceImage) -> str:
        return text_call(TITLE, Title, model="m", stage="write", variant=0, images=images).row.key

    assert key() == text_call(TITLE, Title, model="m", stage="write", variant=0).row.key
    assert len({key(), key(picture("red")), key(picture("blue")), key(picture("red"), picture("blue"))}) == 4


def test_pictures_are_reserved_for_by_more_than_eight_tiles() -> None:
    def tokens(count: int) -> int:
        images = [picture("red")] * count
        return text_call(TITLE, Title, model="m", stage="write", variant=0, images=images).bounds.input_tokens

    assert tokens(2) - tokens(1) == tokens(1) - tokens(0) > 8 * 258
