"""Notices by e-mail."""

import html
import re
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import localtime
from typing import Literal

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from shared.notify.notice import Notice, Outcome

TIMEOUT_S = 8.0
_FOR_GOOD = 500
_LOGIN_WANTED = 530
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(\.[\w-]+)*", re.ASCII)


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and as whom: without a user name there is no login."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None
    password: str | None
    timeout_s: float = TIMEOUT_S


class MailSender:
    """Hands each notice to a mail server, over a connection of its own.

    Up to the end of the recipient's address nothing can have been delivered. From DATA on only the server's answer
    tells: without one the mail may be on its way.
    """

    def __init__(self, server: MailServer, sender: str, console_url: str | None = None) -> None:
        self._server = server
        self._sender = _address(sender)
        self._console_url = console_url

    async def send(self, notice: Notice) -> Outcome:
        """One mail to `notice.email`, as text and as simple HTML."""
        try:
            message = self.compose(notice)
        except ValueError as error:
            return Outcome("failed", f"The address cannot be written to: {error}")
        client = self._client()
        try:
            await client.connect()
        except (SMTPException, OSError, ValueError) as error:
            # Also a wrong password: that is ours to mend, and no fault of the notice's.
            client.close()
            return Outcome("retry", f"No connection to the mail server: {_said(error)}")
        try:
            return await self._hand_over(client, message)
        finally:
            # A mail that was taken stays taken, however the good-bye goes.
            with suppress(SMTPException, OSError):
                await client.quit(timeout=1)
            client.close()

    def compose(self, notice: Notice) -> EmailMessage:
        """The mail. Raises ValueError for a receiver that is no plain address."""
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = self._sender
        message["To"] = _address(notice.email)
        message["Subject"] = notice.subject_line
        message["Date"] = localtime()
        # The same for the same delivery, so that a mail server may notice a second one.
        message["Message-ID"] = f"<{notice.delivery_id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        link = notice.link(self._console_url)
        message.set_content(f"{notice.body}\n\n{link}\n" if link else f"{notice.body}\n")
        message.add_alternative(_page(notice, link), subtype="html")
        return message

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.username,
            password=server.password,
            timeout=server.timeout_s,
            local_hostname=self._sender.domain,
        )

    async def _hand_over(self, client: SMTP, message: EmailMessage) -> Outcome:
        try:
            await client.mail(self._sender.addr_spec)
            await client.rcpt(message["To"].addresses[0].addr_spec)
        except SMTPResponseException as error:
            return _refused(error)
        except (SMTPException, OSError, ValueError) as error:
            return Outcome("retry", f"The mail server stopped answering: {_said(error)}")
        try:
            await client.data(message.as_bytes())
        except SMTPResponseException as error:
            return _refused(error)
        except (SMTPException, OSError) as error:
            return Outcome("uncertain", f"The mail server did not say whether it took the mail: {_said(error)}")
        return Outcome("sent")


def _address(said: str | None) -> Address:
    if not said:
        raise ValueError("there is none")
    if not _ADDRESS.fullmatch(said):
        raise ValueError("it is not a plain address")
    username, _, domain = said.partition("@")
    return Address(username=username, domain=domain)


def _refused(error: SMTPResponseException) -> Outcome:
    """4xx: not now. 5xx: never, unless it is our own login that is missing."""
    for_good = error.code >= _FOR_GOOD and error.code != _LOGIN_WANTED
    return Outcome("failed" if for_good else "retry", f"The mail server refused: {_said(error)}")


def _said(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"
    return f"{type(error).__name__}: {error}"


def _page(notice: Notice, link: str | None) -> str:
    paragraphs = [html.escape(part).replace("\n", "<br>") for part in notice.body.split("\n\n")]
    if link:
        paragraphs.append(f'<a href="{html.escape(link)}">Open it</a>')
    body = "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)
    return f"<!doctype html>\n<html><body>\n{body}</body></html>\n"
