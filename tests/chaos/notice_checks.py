"""What must hold for notices: people are told of what ended, and nobody is told anything twice."""

from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import LiteralString

from tests.chaos.database import Database
from tests.chaos.report import Report

MUST_BE_EMPTY: dict[str, LiteralString] = {
    "jobs of which people were told more often than they ended": """
        select n.job_id, n.kind, count(*) from public.notices n where n.job_id is not null
        group by 1, 2 having count(*) > 1 + (
          select count(*) from public.job_events e
          where e.job_id = n.job_id and e.kind = 'retried' and e.detail ->> 'manual' = 'true')
    """,
    "jobs of which nobody was told": """
        select j.id, j.status from public.jobs j join public.job_kinds k on k.name = j.kind and k.notify_after_s = 0
        where j.status in ('completed', 'failed') and j.batch_id is null
          and not exists (select from public.notices n where n.job_id = j.id and n.kind = 'job_' || j.status)
    """,
}
_BY_MAIL = "select id::text, status from public.notice_deliveries where channel = 'email'"
_MAY_HAVE_ARRIVED = {"sent", "uncertain", "sending"}


async def check_notices(database: Database, mail_dir: Path, report: Report) -> None:
    """`mail_dir` has the mails that arrived, a file each. A mail whose sender died may have arrived or not."""
    for what, query in MUST_BE_EMPTY.items():
        report.expect_none(what, await database.rows(query))
    deliveries = {row["id"]: row["status"] for row in await database.rows(_BY_MAIL)}
    arrived = _arrived(mail_dir)
    report.expect_none("mails that arrived twice", [each for each in arrived.items() if each[1] > 1])
    unknown = [each for each in arrived if deliveries.get(each) not in _MAY_HAVE_ARRIVED]
    report.expect_none("mails that nobody has sent", unknown)
    lost = [each for each, status in deliveries.items() if status == "sent" and each not in arrived]
    report.expect_none("mails that were sent and have not arrived", lost)
    states = Counter(deliveries.values())
    report.say(f"mails: {', '.join(f'{count} {status}' for status, count in sorted(states.items())) or 'none'}")


def _arrived(mail_dir: Path) -> Counter[str]:
    """How many mails there are for each delivery. The Message-ID begins with the delivery's id."""
    headers = [message_from_bytes(path.read_bytes())["Message-ID"] for path in mail_dir.glob("*.eml")]
    return Counter(str(header).strip("<>").partition("@")[0] for header in headers)
