"""Puts the pictures into Storage, over HTTP like everybody else."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import aiohttp

BUCKET = "assets"
_DIRECTORY = Path(__file__).with_name("assets")
_TIMEOUT_S = 20.0


class UploadError(Exception):
    """Storage did not take a picture; the message says what it answered."""


async def upload_pictures(gateway_url: str, service_key: str, names: Iterable[str]) -> dict[str, str]:
    """Uploads each picture, in place of an older one, and returns its public URL by its name in the bucket.

    A name is `folder/file.png`; the file is taken from `assets/`. Raises `UploadError`.
    """
    headers = {
        "authorization": f"Bearer {service_key}",
        "x-upsert": "true",
        "content-type": "image/png",
        "cache-control": "max-age=3600",
    }
    wanted = list(names)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with (
        aiohttp.ClientSession(gateway_url, headers=headers, timeout=timeout) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for name in wanted:
            tasks.create_task(_upload(session, name))
    return {name: f"{gateway_url.rstrip('/')}/storage/v1/object/public/{BUCKET}/{name}" for name in wanted}


async def _upload(session: aiohttp.ClientSession, name: str) -> None:
    content = (_DIRECTORY / Path(name).name).read_bytes()
    async with session.post(f"/storage/v1/object/{BUCKET}/{name}", data=content) as answer:
        if answer.status != 200:
            msg = f"{name} was not stored: {answer.status} {await answer.text()}"
            raise UploadError(msg)
