"""The stack's mail server: takes every mail and keeps it as a file, `<time in ns>.eml`."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailBox:
    """What the server does with a mail: a new file in `folder`, there as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Called for each mail; the answer goes to the sender."""
        content = envelope.content
        assert isinstance(content, bytes)
        name = f"{time.time_ns()}.eml"
        draft = self._folder / f".{name}"
        draft.touch(mode=0o600)
        draft.write_bytes(content)
        draft.rename(self._folder / name)
        return "250 2.0.0 kept"


async def main() -> None:
    """Serve until SIGTERM on the listening socket MAIL_FD; mails go to the folder MAIL_DIR."""
    box = MailBox(Path(os.environ["MAIL_DIR"]))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    listening = socket.socket(fileno=int(os.environ["MAIL_FD"]))
    async with await loop.create_server(lambda: SMTP(box, hostname="mail.lifetrek.test"), sock=listening):
        await stopped.wait()
