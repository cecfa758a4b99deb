"""A notice on its way to one person, and what can come of sending it."""

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from shared.plain import one_line

Status = Literal["sent", "retry", "failed", "uncertain"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One row of `claim_notices`: what to tell, and where its receiver is to be found."""

    delivery_id: UUID
    channel: str
    kind: str
    subject: str
    body: str
    email: str | None
    slack_member_id: str | None
    job_id: UUID | None
    batch_id: UUID | None

    @property
    def subject_line(self) -> str:
        """The subject as one line without control characters, which a header may hold."""
        return one_line(self.subject)

    def link(self, console_url: str | None) -> str | None:
        """The console's page of the job or batch, when there are both a console and a page."""
        if console_url is None:
            return None
        base = console_url.rstrip("/")
        if self.job_id:
            return f"{base}/jobs/{self.job_id}"
        return f"{base}/batches/{self.batch_id}" if self.batch_id else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending a notice.

    `sent`: the other side has taken it. `retry`: it has not, and may later. `failed`: it never will. `uncertain`: it
    may have taken it, so a second try could be a second message.
    """

    status: Status
    error: str | None = None


class Sender(Protocol):
    """Sends notices through one channel."""

    async def send(self, notice: Notice) -> Outcome:
        """Sends it once and says what came of it. Takes at most about 30 seconds."""
        ...
