"""A finished post becomes a draft: its row, and what the job says of it."""

from typing import Any
from uuid import uuid5

from psycopg import AsyncConnection

from services.instagram.records import TABLE, insert_post
from shared.content.platforms.instagram import instagram_post
from shared.engine.outcome import Done
from shared.pieces.job import Made


async def write_post(made: Made) -> Done:
    """The outcome of a job of the kind `instagram`."""
    job, piece = made.job, made.piece
    row_id = uuid5(job.id, TABLE)
    post, metadata = instagram_post(piece), made.metadata

    async def persist(connection: AsyncConnection[Any]) -> None:
        await insert_post(
            connection,
            {
                **post.model_dump(),
                "id": row_id,
                "job_id": job.id,
                "user_id": job.user_id,
                "target_audience": piece.brief.audience,
                "language": piece.brief.language,
                "persona": piece.brief.voice,
                "generation_metadata": metadata,
            },
        )

    result = made.result(TABLE, str(row_id)) | {"caption": post.caption, "hashtags": post.hashtags}
    return Done(result, persist)
