"""What is in the outbox is sent by the dispatcher's sweep, beside the deliveries and through every kind of trouble."""

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr, ValidationError

from services.dispatcher import notices
from services.dispatcher.app import create_app
from services.dispatcher.notices import Notifier, create_senders
from services.dispatcher.settings import DispatcherSettings
from shared.db import Pool, create_pool
from shared.notify.notice import Notice, Outcome
from shared.notify.outbox import Outbox
from tests.services.dispatcher.conftest import NotedDelivery, client_of
from tests.shared.engine.jobs import Jobs, eventually
from tests.shared.engine.wire import wire


class NotedSender:
    """Notes what it is to send, and says of each what it is told to say."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.subjects: list[str] = []
        self.side_by_side = 0
        self._outcomes = list(outcomes)
        self._open = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, notice: Notice) -> Outcome:
        self.subjects.append(notice.subject)
        self._open += 1
        self.side_by_side = max(self.side_by_side, self._open)
        await self.gate.wait()
        self._open -= 1
        return self._outcomes.pop(0) if self._outcomes else Outcome("sent")


class BrokenSender(NotedSender):
    async def send(self, notice: Notice) -> Outcome:
        await super().send(notice)
        raise RuntimeError("a defect")


async def fail_a_job(jobs: Jobs, topic: str = "UDI") -> None:
    """A failed blog job, whose person is told by e-mail."""
    job_id = await jobs.enqueue({"topic": topic}, kind="blog")
    await jobs.connection.execute(
        "select fail_job(id, lease_token, '{\"message\": \"No.\"}', false) from claim_job(%s, 'w')", (job_id,)
    )


async def statuses(connection: AsyncConnection[Any]) -> list[tuple[str, int]]:
    cursor = await connection.execute("select status, attempts from notice_deliveries order by created_at")
    return await cursor.fetchall()


@pytest.fixture
def outbox(pool: Pool) -> Outbox:
    return Outbox(pool)


async def test_notices_that_are_due_are_sent_once(outbox: Outbox, jobs: Jobs) -> None:
    await fail_a_job(jobs)
    sender = NotedSender()
    notifier = Notifier(outbox, {"email": sender})
    await asyncio.gather(notifier.send_due(), notifier.send_due())
    assert sender.subjects == ['Blog post "UDI" failed']
    assert await statuses(jobs.connection) == [("sent", 1)]


async def test_a_refused_notice_is_tried_again_when_it_is_due(outbox: Outbox, jobs: Jobs) -> None:
    await fail_a_job(jobs)
    sender = NotedSender(Outcome("retry", "451 busy"))
    notifier = Notifier(outbox, {"email": sender})
    await notifier.send_due()
    await jobs.connection.execute("update notice_deliveries set next_attempt_at = now()")
    await notifier.send_due()
    assert len(sender.subjects) == 2
    assert await statuses(jobs.connection) == [("sent", 2)]


async def test_a_defect_while_sending_leaves_the_others_alone_and_is_not_repeated(outbox: Outbox, jobs: Jobs) -> None:
    await jobs.connection.execute(
        "insert into notification_preferences (user_id, slack) values (%s, true)", (jobs.user_id,)
    )
    await fail_a_job(jobs)
    sender = NotedSender()
    notifier = Notifier(outbox, {"email": BrokenSender(), "slack": sender})
    await notifier.send_due()
    await notifier.send_due()
    assert len(sender.subjects) == 1
    assert sorted(await statuses(jobs.connection)) == [("sent", 1), ("uncertain", 1)]


async def test_only_so_many_are_sent_side_by_side(outbox: Outbox, jobs: Jobs) -> None:
    for number in range(2 * notices.AT_A_TIME):
        await fail_a_job(jobs, f"topic {number}")
    sender = NotedSender()
    sender.gate.clear()
    sending = asyncio.create_task(Notifier(outbox, {"email": sender}).send_due())
    await eventually(lambda: len(sender.subjects) == notices.AT_A_TIME)
    sender.gate.set()
    await sending
    assert (len(sender.subjects), sender.side_by_side) == (2 * notices.AT_A_TIME, notices.AT_A_TIME)


async def test_a_round_ends_in_time_and_leaves_the_rest_to_the_next(
    outbox: Outbox, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "ROUND_S", 0.01)
    for number in range(notices.AT_A_TIME + 1):
        await fail_a_job(jobs, f"topic {number}")
    sender = NotedSender()
    sender.gate.clear()
    sending = asyncio.create_task(Notifier(outbox, {"email": sender}).send_due())
    await eventually(lambda: sender.subjects)
    asyncio.get_running_loop().call_later(0.05, sender.gate.set)
    await sending
    assert len(sender.subjects) == notices.AT_A_TIME


async def test_a_dispatcher_that_stops_lets_a_mail_that_is_being_sent_come_to_its_end(
    outbox: Outbox, jobs: Jobs
) -> None:
    await fail_a_job(jobs)
    sender = NotedSender()
    sender.gate.clear()
    notifier = Notifier(outbox, {"email": sender})
    loop = asyncio.create_task(notifier.run(1))
    await eventually(lambda: sender.subjects)
    loop.cancel()
    finishing = asyncio.create_task(notifier.finish())
    await asyncio.gather(loop, return_exceptions=True)
    sender.gate.set()
    await finishing
    assert await statuses(jobs.connection) == [("sent", 1)]


async def test_sending_goes_on_after_a_database_outage(database_url: str, jobs: Jobs) -> None:
    async with wire(database_url) as line, create_pool(line.url, max_size=2, timeout_s=0.5) as pool:
        sender = NotedSender()
        loop = asyncio.create_task(Notifier(Outbox(pool), {"email": sender}).run(0.05))
        await fail_a_job(jobs, "before")
        await eventually(lambda: len(sender.subjects) == 1)
        await line.cut()
        await fail_a_job(jobs, "after")
        await line.mend()
        await eventually(lambda: len(sender.subjects) == 2, within_s=20)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


@pytest.fixture
def closed_sender(monkeypatch: pytest.MonkeyPatch) -> NotedSender:
    """The dispatcher's only sender, which waits until its gate is opened."""
    sender = NotedSender()
    sender.gate.clear()
    monkeypatch.setattr("services.dispatcher.app.create_senders", lambda _: {"email": sender})
    return sender


async def test_a_requested_sweep_delivers_first_and_answers_when_the_notices_are_sent(
    settings: DispatcherSettings, delivery: NotedDelivery, jobs: Jobs, closed_sender: NotedSender
) -> None:
    sender = closed_sender
    async with client_of(create_app(settings, delivery)) as client:
        await fail_a_job(jobs)
        job_id = await jobs.enqueue()
        sweeping = asyncio.create_task(client.post("/sweep"))
        await eventually(lambda: sender.subjects)
        assert [job.id for job in delivery.jobs] == [job_id], "before any notice"
        assert not sweeping.done()
        sender.gate.set()
        assert (await sweeping).json() == {"due": 1}
        assert await statuses(jobs.connection) == [("sent", 1)]


async def test_a_hanging_mail_server_does_not_hold_up_the_loop_of_deliveries(
    settings: DispatcherSettings, delivery: NotedDelivery, jobs: Jobs, closed_sender: NotedSender
) -> None:
    sender = closed_sender
    swept = settings.model_copy(update={"sweep_interval_s": 0.05})
    app = create_app(swept, delivery)
    async with app.router.lifespan_context(app):
        await fail_a_job(jobs)
        await eventually(lambda: sender.subjects)
        job_id = await jobs.enqueue()
        await eventually(lambda: job_id in {job.id for job in delivery.jobs})
        sender.gate.set()


def test_a_channel_that_is_not_set_up_has_no_sender(settings: DispatcherSettings) -> None:
    mail = {"smtp_host": "mail.test", "notices_from": "notices@lifetrek.test"}
    slack = {"slack_webhook_url": SecretStr("https://hooks.slack.test/services/x")}
    for chosen, channels in (({}, set()), (mail, {"email"}), (slack, {"slack"}), (mail | slack, {"email", "slack"})):
        assert set(create_senders(settings.model_copy(update=chosen))) == channels


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_host": "mail.test"},
        {"smtp_host": "mail.test", "notices_from": "no address"},
        {"smtp_host": "mail.test", "notices_from": "a@b.test", "smtp_username": "engine"},
        {
            "smtp_host": "mail.test", "notices_from": "a@b.test", "smtp_security": "none",
            "smtp_username": "engine", "smtp_password": SecretStr("in the clear"),
        },
    ],
)  # fmt: skip
def test_mail_settings_that_cannot_work_are_refused(settings: DispatcherSettings, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DispatcherSettings(**(settings.model_dump() | wrong))


async def test_without_channels_nothing_is_claimed(outbox: Outbox, jobs: Jobs) -> None:
    await fail_a_job(jobs)
    await Notifier(outbox, {}).send_due()
    assert await statuses(jobs.connection) == [("pending", 0)]
