"""Jobs that end in every way, and what people were told of them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tests.supabase.desk import Desk, rows, value

SECONDS = 60  # what shared/catalog.yaml says of blog jobs


@dataclass(frozen=True)
class Noticeboard:
    """A desk whose `blog` jobs people are told of when they took a minute, and whose `echo` jobs nobody is told of."""

    desk: Desk

    async def begun(self, took_s: float = 2 * SECONDS, **columns: Any) -> tuple[UUID, UUID]:
        """A running blog job that was asked for `took_s` seconds ago, and its token."""
        payload = columns.pop("payload", {"topic": "Rastreabilidade"})
        kind = columns.pop("kind", "blog")
        job_id = await self.desk.insert(kind, payload, columns.pop("user_id", None))
        claim = await self.desk.claim(job_id)
        assert claim is not None
        await self.desk.root.execute(
            "update jobs set created_at = created_at - ago, scheduled_for = scheduled_for - ago,"
            " started_at = started_at - ago, batch_id = %s from make_interval(secs => %s) ago where id = %s",
            (columns.pop("batch_id", None), took_s, job_id),
        )
        assert not columns
        return job_id, claim.token

    async def completed(self, took_s: float = 2 * SECONDS, **columns: Any) -> UUID:
        job_id, token = await self.begun(took_s, **columns)
        await self.desk.worker.execute("select complete_job(%s, %s, '{}')", (job_id, token))
        return job_id

    async def failed(self, error: dict[str, Any] | None = None, **columns: Any) -> UUID:
        job_id, token = await self.begun(1, **columns)
        await self.fail(job_id, token, error)
        return job_id

    async def fail(self, job_id: UUID, token: UUID, error: dict[str, Any] | None = None) -> None:
        said = {"code": "model_refused", "message": "The model refused.", "stage": "write", "retryable": False}
        query = "select fail_job(%s, %s, %s, false)"
        await self.desk.worker.execute(query, (job_id, token, Jsonb(said | (error or {}))))

    async def batch(self, title: str = "Primeiros posts", user_id: UUID | None = None) -> UUID:
        query = "insert into job_batches (user_id, title) values (%s, %s) returning id"
        return await value(self.desk.root, query, user_id or self.desk.user_id, title)

    async def prefer(self, user_id: UUID | None = None, **columns: Any) -> None:
        """Sets a person's preferences, as the superuser; what is not named has its default."""
        person = user_id or self.desk.user_id
        await self.desk.root.execute("delete from notification_preferences where user_id = %s", (person,))
        await self.desk.root.execute(
            "insert into notification_preferences select * from jsonb_populate_record("
            "null::notification_preferences, %s || %s)",
            (
                Jsonb({"email": True, "slack": False, "completed": True, "failed": True, "spending": True}),
                Jsonb({"user_id": str(person), "updated_at": "now", **columns}),
            ),
        )

    async def kinds(self) -> list[str]:
        """The kinds of all notices, the oldest first."""
        return [row[0] for row in await rows(self.desk.root, "select kind from notices order by id")]

    async def only(self) -> tuple[str, str]:
        """Subject and body of the one notice that there is."""
        (notice,) = await rows(self.desk.root, "select subject, body from notices")
        return notice

    async def told(self) -> list[tuple[str, UUID]]:
        """(channel, person) of all deliveries."""
        query = "select channel, user_id from notice_deliveries order by notice_id, user_id, channel"
        return await rows(self.desk.root, query)

    async def claim(self, channels: tuple[str, ...] = ("email", "slack"), most: int = 100) -> list[dict[str, Any]]:
        """What a sender of these channels gets to send."""
        cursor = await self.desk.worker.execute("select * from claim_notices(%s, %s)", (list(channels), most))
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def settle(self, delivery_id: UUID, outcome: str, error: str | None = None) -> bool:
        return await value(self.desk.worker, "select settle_notice(%s, %s, %s)", delivery_id, outcome, error)

    async def delivery(self) -> Any:
        """(status, attempts, last_error) of the one delivery that there is."""
        (delivery,) = await rows(self.desk.root, "select status, attempts, last_error from notice_deliveries")
        return delivery

    async def age(self, column: str, interval: str) -> None:
        """As if time had passed since the moment in that column of the deliveries."""
        query = f"update notice_deliveries set {column} = {column} - interval '{interval}'"
        await self.desk.root.execute(query.encode())
