"""A notice as the outbox gives it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from shared.notify.notice import Notice

DELIVERY = UUID("6d1f3f0e-6a55-4b2a-9a0e-0c9c7d1d9a11")
JOB = UUID("1c0b7a53-1d0c-4a40-8f4c-6b0a5a1d2e33")


def notice(**changed: Any) -> Notice:
    """A failed job's notice, with other values where they are given."""
    usual = Notice(
        delivery_id=DELIVERY,
        channel="email",
        kind="job_failed",
        subject='Blog post "Rastreabilidade & UDI: visão geral" failed',
        body="It could not be finished.\n\nReason: <b>refused</b>\nStage: write",
        email="marketing@lifetrek.test",
        slack_member_id="U012AB3CD",
        job_id=JOB,
        batch_id=None,
    )
    return replace(usual, **changed)
