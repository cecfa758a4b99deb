"""Tables of drafts, a draft in one of them as a worker writes it, and everybody who may try something with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from tests.supabase.desk import Connection, Desk, connect


@dataclass(frozen=True)
class DraftTable:
    """`name` is a column to tell rows by, `owner` one with a person, `others` what else a row needs; `content` are
    changes of what readers see."""

    table: str
    name: str
    owner: str
    others: dict[str, str]
    content: tuple[str, ...]
    has_reasons: bool = True

    def insert(self, name: str, owner: UUID, **values: str) -> str:
        """A statement that adds a row; values are SQL."""
        columns = {self.name: f"'{name}'", self.owner: f"'{owner}'", **self.others, **values}
        return f"insert into {self.table} ({', '.join(columns)}) values ({', '.join(columns.values())})"

    def update(self, change: str, name: str | None = None) -> str:
        """A statement that changes the row of that name, or every row."""
        return f"update {self.table} set {change}" + (f" where {self.name} = '{name}'" if name else "")

    @property
    def decisions(self) -> dict[str, str]:
        """Columns that say what was decided, each with a value that only a decision gives it."""
        own = {"rejection_reason": "'x'", "rejected_at": "now()", "rejected_by": "gen_random_uuid()"}
        return {
            "status": "'published'",
            "scheduled_for": "now()",
            "approved_at": "now()",
            "approved_by": "gen_random_uuid()",
        } | (own if self.has_reasons else {"published_at": "now()"})

    @property
    def moves(self) -> list[str]:
        """Changes that take a draft further."""
        return [
            *(self.update(f"{column} = {value}") for column, value in self.decisions.items()),
            self.update("status = 'approved'"),
            self.update("status = null"),
            self.update("status = 'published', scheduled_for = now()"),
            self.update("status = 'rejected'" + (", rejection_reason = 'x'" if self.has_reasons else "")),
        ]

    @property
    def unmarks(self) -> list[str]:
        """Changes after which it would not be known as a machine's."""
        return [
            self.update("job_id = null"),
            self.update("job_id = gen_random_uuid()"),
            self.update("ai_generated = false, job_id = null"),
            self.update("ai_generated = false, job_id = null, status = 'published'"),
        ]


TABLES = (
    DraftTable(
        "blog_posts",
        "slug",
        "user_id",
        {"title": "'T'"},
        ("title = 'x'", "slug = 'x'", "content = 'x'", "excerpt = 'x'", "featured_image = 'x'"),
        has_reasons=False,
    ),
    DraftTable(
        "linkedin_carousels",
        "topic",
        "admin_user_id",
        {"target_audience": "'A'", "slides": "'[]'", "caption": "'C'"},
        ("topic = 'x'", "caption = 'x'", "slides = '[1]'", "image_urls = '[1]'", "pdf_url = 'x'"),
    ),
    DraftTable(
        "instagram_posts",
        "topic",
        "user_id",
        {"caption": "'C'"},
        (
            *("topic = 'x'", "caption = 'x'", "image_url = 'x'", "alt_text = 'x'"),
            *("items = '[1]'", "hashtags = array['x']"),
        ),
    ),
)


@dataclass(frozen=True)
class Drafts:
    """One draft, `draft_id`, of the job `job_id` in `of`, people of every role, and a successor of all of them."""

    of: DraftTable
    desk: Desk
    draft_id: UUID
    job_id: UUID
    people: dict[str, UUID]

    async def row(self) -> dict[str, Any]:
        async with self.desk.root.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(f"select * from {self.of.table} where id = %s".encode(), (self.draft_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    def insert(self, name: str, **values: str) -> str:
        """A statement that adds another row of the person who asked."""
        return self.of.insert(name, self.people["asker"], **values)

    async def hand_over(self) -> None:
        """Gives what may not be without an owner to the successor, so that its owner can be deleted."""
        if self.of.owner != "user_id":
            await self.desk.root.execute(self.of.update(f"{self.of.owner} = '{self.people['successor']}'").encode())

    def signed_in(self, role: str) -> Any:
        return self.desk.person(self.people[role], None if role == "asker" else role)

    @asynccontextmanager
    async def everyone_without_the_right(self) -> AsyncIterator[dict[str, Connection]]:
        """The superuser, the service key, anon, the person who asked, and sales: with all table rights, so that only
        the guard stands between them and the draft."""
        await self.desk.root.execute(
            f"grant all on {self.of.table} to anon, authenticated, service_role;"
            f" create policy wide on {self.of.table} to anon, authenticated using (true) with check (true)".encode()
        )
        async with (
            await connect(self.desk.url, "anon") as anon,
            self.signed_in("asker") as asker,
            self.signed_in("sales") as sales,
        ):
            yield {
                "superuser": self.desk.root,
                "service key": self.desk.worker,
                "anon": anon,
                "asker": asker,
                "sales": sales,
            }
