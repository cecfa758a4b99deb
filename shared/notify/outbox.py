"""The outbox in Postgres: notices to send are taken from it, and what came of each is written back."""

from collections.abc import Sequence
from typing import LiteralString

from shared.db import Pool
from shared.notify.notice import Notice, Outcome

_CLAIM: LiteralString = """
    select delivery_id, channel, kind, subject, body, email, slack_member_id, job_id, batch_id
    from public.claim_notices(%s, %s)
"""
_SETTLE: LiteralString = "select public.settle_notice(%s, %s, %s)"


class Outbox:
    """Both methods are one round trip and raise `psycopg.Error` when the database cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, channels: Sequence[str], max_notices: int) -> list[Notice]:
        """Takes notices that are due, for these channels: each has to be settled within five minutes.

        Worth a call without any channel too: notices of batches are written here, and old ones expire.
        """
        return [Notice(*row) for row in await self._pool.fetch(_CLAIM, (list(channels), max_notices))]

    async def settle(self, notice: Notice, outcome: Outcome) -> None:
        """Writes down what came of sending it. Said twice, the first word stands."""
        await self._pool.fetch(_SETTLE, (notice.delivery_id, outcome.status, outcome.error))
