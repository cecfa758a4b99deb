"""Mail is handed to a real SMTP server, which takes it, refuses it, falls silent or hangs up at every step."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes
from email.policy import default as policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from shared.notify.mail import MailSender, MailServer
from shared.notify.notice import Outcome
from tests.shared.notify.examples import DELIVERY, JOB, notice
from tests.shared.research.certificates import write_certificates

FROM = "notices@lifetrek.test"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Box:
    """A mail server's handler: keeps mails, and answers at a step what it is told to answer."""

    def __init__(self, **answers: str) -> None:
        self.mails: list[Envelope] = []
        self._answers = answers

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802  aiosmtpd's name
        envelope.mail_from = address
        return self._answers.get("mail", "250 fine")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802  aiosmtpd's name
        envelope.rcpt_tos.append(address)
        return self._answers.get("rcpt", "250 fine")

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        self.mails.append(envelope)
        return self._answers.get("data", "250 kept")


@asynccontextmanager
async def listening(protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Port of a server that speaks that protocol."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def scripted(*lines: str, then: str) -> AsyncIterator[int]:
    """A server that answers one line to each of the client's commands, and then is `silent` or hangs up (`cut`)."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(f"{line}\r\n".encode())
            # A mail ends with a line that is a dot; a command is one line.
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n.\r\n" if line.startswith("354") else b"\r\n")
        with suppress(ConnectionError):
            if then == "silent":
                await reader.read()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def sender(port: int, security: Any = "none", **login: str) -> MailSender:
    server = MailServer("localhost", port, security, login.get("username"), login.get("password"), timeout_s=0.5)
    return MailSender(server, FROM, "https://console.lifetrek.test/")


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for localhost, and the file of the authority that vouches for it."""
    authority, certificate = write_certificates(folder, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context, authority


async def test_a_mail_arrives_as_text_and_as_html():
    box = Box()
    async with listening(lambda: SMTP(box)) as port:
        assert await sender(port).send(notice()) == Outcome("sent")
    (envelope,) = box.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == (FROM, ["marketing@lifetrek.test"])
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy)
    assert mail["Subject"] == notice().subject
    assert mail["Message-ID"] == f"<{DELIVERY}@lifetrek.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, page = (mail.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    link = f"https://console.lifetrek.test/jobs/{JOB}"
    assert text.rstrip().endswith(f"Reason: <b>refused</b>\nStage: write\n\n{link}")
    assert "Reason: &lt;b&gt;refused&lt;/b&gt;<br>Stage: write" in page
    assert f'<a href="{link}">' in page


@pytest.mark.parametrize(
    "subject", ["Um\r\nBcc: all@example.test\r\n\r\nHello", "Um\nBcc: all@example.test", "Um\u2028Bcc: all\x00@example"]
)
async def test_a_subject_cannot_add_headers(subject):
    box = Box()
    async with listening(lambda: SMTP(box)) as port:
        assert await sender(port).send(notice(subject=subject)) == Outcome("sent")
    content = box.mails[0].content
    assert isinstance(content, bytes)
    mail = message_from_bytes(content, policy=policy)
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Um Bcc: all")
    assert box.mails[0].rcpt_tos == ["marketing@lifetrek.test"]


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "nobody",
        "a@b\r\nRCPT TO:<x@example.test>",
        "a@b.test, c@d.test",
        "A <a@b.test>",
        "joão@b.test",
        "a@",
        "@b",
    ],
)
async def test_an_address_that_is_none_is_not_written_to(address):
    box = Box()
    async with listening(lambda: SMTP(box)) as port:
        outcome = await sender(port).send(notice(email=address))
    assert (outcome.status, box.mails) == ("failed", [])


@pytest.mark.parametrize(
    ("step", "answer", "status"),
    [
        ("mail", "451 busy", "retry"),
        ("mail", "553 not from you", "failed"),
        ("mail", "530 authentication required", "retry"),
        ("rcpt", "450 greylisted", "retry"),
        ("rcpt", "550 no such user", "failed"),
        ("data", "452 disk full", "retry"),
        ("data", "554 looks like spam", "failed"),
        ("data", "421 shutting down", "retry"),
    ],
)
async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(step, answer, status):
    box = Box(**{step: answer})
    async with listening(lambda: SMTP(box)) as port:
        outcome = await sender(port).send(notice())
    assert outcome == Outcome(status, f"The mail server refused: {answer}")


GREETED = ("220 hello", "250 hello")


@pytest.mark.parametrize("then", ["silent", "cut"])
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), "retry"),
        (("554 go away",), "retry"),
        (("220 hello",), "retry"),
        (GREETED, "retry"),
        ((*GREETED, "250 sender"), "retry"),
        ((*GREETED, "250 sender", "250 receiver"), "uncertain"),
        ((*GREETED, "250 sender", "250 receiver", "354 go on"), "uncertain"),
        ((*GREETED, "250 sender", "250 receiver", "354 go on", "250 kept"), "sent"),
    ],
)
async def test_a_server_that_stops_answering_leaves_doubt_only_once_it_may_have_the_mail(lines, status, then):
    async with scripted(*lines, then=then) as port:
        assert (await sender(port).send(notice())).status == status


async def test_a_server_that_is_not_there_is_tried_again():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert (await sender(bound.getsockname()[1]).send(notice())).status == "retry"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path, security):
    context, _ = certified(tmp_path)
    box = Box()
    starttls = context if security == "starttls" else None
    async with listening(lambda: SMTP(box, tls_context=starttls), None if starttls else context) as port:
        outcome = await sender(port, security).send(notice())
    assert (outcome.status, box.mails) == ("retry", [])
    assert "CERTIFICATE_VERIFY_FAILED" in str(outcome.error)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_through_tls_with_a_login(tmp_path, monkeypatch, security):
    context, authority = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    box, seen = Box(), []

    def login(_server: Any, session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
        seen.append((session.ssl is not None, given.login, given.password))
        return AuthResult(success=given.password == b"right")

    def server() -> SMTP:
        if security == "starttls":
            return SMTP(box, tls_context=context, authenticator=login, auth_required=True)
        return SMTP(box, authenticator=login, auth_require_tls=False)  # it does not know of the TLS around it

    async with listening(server, context if security == "tls" else None) as port:
        assert await sender(port, security, username="engine", password="right").send(notice()) == Outcome("sent")
        wrong = await sender(port, security, username="engine", password="wrong").send(notice())
    assert wrong.status == "retry", "the notice is not to blame"
    assert "wrong" not in str(wrong.error)
    assert seen[0] == (security == "starttls", b"engine", b"right")
    assert len(box.mails) == 1


async def test_without_starttls_nothing_is_sent_in_the_clear():
    box = Box()
    async with listening(lambda: SMTP(box)) as port:
        outcome = await sender(port, "starttls").send(notice())
    assert (outcome.status, box.mails) == ("retry", [])
