"""The checks of notices find a mail too many, a mail too few and a person who was not told."""

import asyncio
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

from tests.chaos import notice_checks
from tests.chaos.database import Database
from tests.chaos.notice_checks import check_notices
from tests.chaos.report import Report

_BREAK: dict[str, LiteralString] = {
    "jobs of which people were told more often than they ended": """
        insert into public.notices (dedup_key, kind, user_id, job_id, subject, body)
        select 'again', kind, user_id, job_id, subject, body from public.notices
    """,
    "jobs of which nobody was told": "delete from public.notices",
    "mails that nobody has sent": "delete from public.notice_deliveries",
    "mails that were sent and have not arrived": """
        insert into public.notice_deliveries (notice_id, user_id, channel, status)
        select d.notice_id, u.id, 'email', 'sent' from public.notice_deliveries d, auth.users u where u.id <> d.user_id
    """,
}


@pytest.fixture
async def mail(connection: AsyncConnection[Any], create_user: Callable[..., Any], tmp_path: Path) -> Path:
    """The one mail about a job that has failed."""
    user, job_id = await create_user("marketing"), uuid4()
    await create_user("sales")
    await connection.execute("update public.job_kinds set notify_after_s = 0 where name = 'blog'")
    await connection.execute(
        "insert into public.jobs (id, user_id, job_type, payload, status) values (%s, %s, 'blog', '{}', 'queued')",
        (job_id, user),
    )
    cursor = await connection.execute("select lease_token from public.claim_job(%s, 'w')", (job_id,))
    [token] = await cursor.fetchone() or [None]
    await connection.execute(
        """select public.fail_job(%s, %s, '{"code": "model_refused", "message": "No."}', false)""", (job_id, token)
    )
    cursor = await connection.execute("update public.notice_deliveries set status = 'sent' returning id")
    [delivery_id] = await cursor.fetchone() or [UUID(int=0)]
    mail = tmp_path / "1.eml"
    mail.write_text(f"Message-ID: <{delivery_id}@lifetrek.test>\nSubject: It failed\n\nNo.\n")
    return mail


async def found(database_url: str, mail: Path) -> list[str]:
    report = Report(io.StringIO())
    await check_notices(Database(database_url), mail.parent, report)
    return [finding.what for finding in report.findings]


async def test_one_mail_about_one_end_is_right(database_url: str, mail: Path):
    assert await found(database_url, mail) == []


def test_everything_that_is_looked_for_is_tried():
    assert set(notice_checks.MUST_BE_EMPTY) <= set(_BREAK)


@pytest.mark.parametrize("what", _BREAK)
async def test_what_is_wrong_is_found(connection: AsyncConnection[Any], database_url: str, mail: Path, what: str):
    await connection.execute(_BREAK[what])
    assert what in await found(database_url, mail)


async def test_a_mail_that_came_twice_is_found(database_url: str, mail: Path):
    await asyncio.to_thread(shutil.copy, mail, mail.parent / "2.eml")
    assert await found(database_url, mail) == ["mails that arrived twice"]
