"""People are told: a mail in the mail server's folder, a message in Slack's, once each."""

import asyncio
import json
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.conftest import Office, until


def mails_about(office: Office, topic: str) -> list[EmailMessage]:
    parsed = [
        message_from_bytes(path.read_bytes(), policy=policy)  # pyright: ignore[reportArgumentType]
        for path in Path(office.stack["mail_dir"]).glob("*.eml")
    ]
    return [mail for mail in parsed if isinstance(mail, EmailMessage) and topic in mail["Subject"]]


def messages_about(office: Office, topic: str) -> list[dict[str, Any]]:
    messages = [json.loads(path.read_bytes()) for path in Path(office.stack["slack_dir"]).glob("*.json")]
    return [message for message in messages if topic in message["text"]]


async def all_sent(office: Office, job_id: UUID) -> bool:
    deliveries = await office.rows(
        "select d.status from public.notice_deliveries d join public.notices n on n.id = d.notice_id"
        " where n.job_id = %s",
        job_id,
    )
    return {delivery["status"] for delivery in deliveries} == {"sent"}


@pytest.fixture
async def told_in_slack(office: Office):
    """The marketing user wants to be told in Slack too."""
    await office.connection.execute(
        "insert into public.notification_preferences (user_id, slack, slack_member_id)"
        " values (%s, true, 'U0MARKETING')",
        (office.user["id"],),
    )
    yield
    await office.connection.execute("delete from public.notification_preferences")


async def test_the_person_who_asked_is_told_once_of_a_failed_job(office: Office, told_in_slack: None):
    topic = "Placas em klingon"
    [job_id] = await office.ask("blog", {"topic": topic, "language": "tlh"})
    job = await office.ended(job_id, 90)
    assert job["status"] == "failed"
    await until(lambda: all_sent(office, job_id))
    await asyncio.gather(*(sweep(office) for _ in range(3)))

    [mail] = mails_about(office, topic)
    assert mail["To"] == office.user["email"]
    assert mail["Subject"] == f'Blog post "{topic}" failed'
    body = mail.get_body(("plain",))
    assert body is not None
    assert job["error"][:40] in body.get_content()
    [message] = messages_about(office, topic)
    assert message["text"].startswith(f'<@U0MARKETING> *Blog post "{topic}" failed*')


async def sweep(office: Office) -> None:
    headers = {"x-webhook-secret": office.stack["webhook_secret"]}
    (await office.http.post(f"{office.stack['dispatcher_url']}/sweep", headers=headers)).raise_for_status()


async def test_a_mail_waits_for_a_mail_server_that_is_being_replaced(office: Office):
    topic = "Parafusos em klingon"
    office.stack.kill("mail")
    [job_id] = await office.ask("blog", {"topic": topic, "language": "tlh"})
    await office.ended(job_id, 90)
    await until(lambda: all_sent(office, job_id))
    assert len(mails_about(office, topic)) == 1
