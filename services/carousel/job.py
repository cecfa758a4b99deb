"""A finished carousel becomes a draft: its document in Storage, its row, and what the job says of it."""

import asyncio
from typing import Any
from uuid import uuid5

from psycopg import AsyncConnection

from services.carousel.records import TABLE, insert_carousel
from shared.concurrently import concurrently
from shared.content.brand import load_brand
from shared.content.platforms.linkedin import linkedin_post
from shared.engine.outcome import Done
from shared.pieces.job import Made


async def write_carousel(made: Made) -> Done:
    """The outcome of a job of the kind `carousel`. Raises StorageUnavailable, FileRefused or DocumentRefused."""
    job, piece = made.job, made.piece
    row_id = uuid5(job.id, TABLE)
    post, metadata = linkedin_post(piece), made.metadata
    pdf_url = await document(made) if piece.format == "carousel" else None
    settings = piece.brief.model_dump(mode="json", include={"style", "size", "research_level"})

    async def persist(connection: AsyncConnection[Any]) -> None:
        await insert_carousel(
            connection,
            {
                **post.model_dump(),
                "id": row_id,
                "job_id": job.id,
                "user_id": job.user_id,
                "language": piece.brief.language,
                "persona": piece.brief.voice,
                "pdf_url": pdf_url,
                "generation_settings": settings | {"format": piece.format},
                "generation_metadata": metadata,
            },
        )

    return Done(made.result(TABLE, str(row_id)) | {"pdf_url": pdf_url, "caption": post.caption}, persist)


async def document(made: Made) -> str:
    """Stores the slides as one PDF; its public URL."""
    from shared.content.pdf import carousel_pdf  # noqa: PLC0415  a large library that only a finished carousel needs

    piece, brief = made.piece, made.piece.brief
    pages = await concurrently(made.pictures.load(visual.url) for visual in piece.visuals)
    author = load_brand().personas[brief.voice].author.for_language(brief.language)
    alt_texts = [slide.alt_text for slide in piece.text.slides]
    pdf = await asyncio.to_thread(carousel_pdf, pages, made.title, author, brief.language, alt_texts=alt_texts)
    return await made.pictures.save_as(f"{made.folder}/carousel.pdf", pdf, "application/pdf")
