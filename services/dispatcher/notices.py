"""Sends what is in the outbox: after each sweep, beside the deliveries of jobs and never before them."""

import asyncio
import time
from collections.abc import Mapping

import psycopg
import structlog

from services.dispatcher.settings import DispatcherSettings
from shared.notify.notice import Notice, Outcome, Sender
from shared.notify.outbox import Outbox

_log = structlog.get_logger(__name__)

AT_A_TIME = 8
ROUND_S = 20.0
GRACE_S = 6.0


class Notifier:
    """One round of sending at a time in this process; other processes may send as well."""

    def __init__(self, outbox: Outbox, senders: Mapping[str, Sender]) -> None:
        self._outbox = outbox
        self._senders = senders
        self._round = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()

    async def send_due(self) -> None:
        """Sends what is due, `AT_A_TIME` notices side by side; begins with no others after `ROUND_S` seconds.

        Raises `psycopg.Error` when the database is away.
        """
        async with self._round:
            ends_at = time.monotonic() + ROUND_S
            while time.monotonic() < ends_at:
                notices = await self._outbox.claim(list(self._senders), AT_A_TIME)
                tasks = {asyncio.create_task(self._send(notice)) for notice in notices}
                self._sending |= tasks
                if not tasks:
                    return
                # Unlike `gather`, this does not cancel what is under way when it is cancelled itself.
                await asyncio.wait(tasks)
                self._sending -= tasks

    async def run(self, interval_s: float) -> None:
        """Sends every `interval_s` seconds, through database outages and whatever else goes wrong."""
        while True:
            try:
                await self.send_due()
            except psycopg.Error as error:
                _log.warning("notices_not_claimed", error=str(error).strip())
            except Exception:  # noqa: BLE001  a notice that breaks something must not be the last one
                _log.exception("notices_crashed")
            await asyncio.sleep(interval_s)

    async def finish(self) -> None:
        """Lets what is being sent come to its end, for a few seconds: a mail that is cut off is never sent again."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=GRACE_S)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _send(self, notice: Notice) -> None:
        try:
            outcome = await self._senders[notice.channel].send(notice)
        except Exception as error:  # noqa: BLE001  a defect: nobody knows how far it got
            _log.exception("notice_crashed", delivery_id=str(notice.delivery_id))
            outcome = Outcome("uncertain", f"{type(error).__name__} while sending")
        _log.info(
            "notice_settled",
            delivery_id=str(notice.delivery_id), channel=notice.channel, kind=notice.kind,
            job_id=str(notice.job_id) if notice.job_id else None, outcome=outcome.status, error=outcome.error,
        )  # fmt: skip
        try:
            await self._outbox.settle(notice, outcome)
        except psycopg.Error as error:
            _log.warning("notice_not_settled", delivery_id=str(notice.delivery_id), error=str(error).strip())


def create_senders(settings: DispatcherSettings) -> dict[str, Sender]:
    """A sender for each channel that is set up. What a channel needs is imported for that channel alone."""
    senders: dict[str, Sender] = {}
    if settings.smtp_host and settings.notices_from:
        from shared.notify.mail import MailSender, MailServer  # noqa: PLC0415

        password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
        server = MailServer(
            settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_username, password
        )
        senders["email"] = MailSender(server, settings.notices_from, settings.console_url)
    if settings.slack_webhook_url:
        from shared.notify.slack import SlackSender  # noqa: PLC0415

        senders["slack"] = SlackSender(settings.slack_webhook_url.get_secret_value(), settings.console_url)
    return senders
