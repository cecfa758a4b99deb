"""Messages are posted to a real HTTP receiver, which takes them, refuses them, falls silent or hangs up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.notify.notice import Outcome
from shared.notify.slack import SlackSender
from tests.shared.notify.examples import JOB, notice

PATH = "/services/T0/B0/secret"


@asynccontextmanager
async def receiver(answer: Callable[[web.Request], Any]) -> AsyncIterator[tuple[str, list[Any]]]:
    """URL of a webhook that answers so, and the messages that it is sent."""
    messages: list[Any] = []

    async def take(request: web.Request) -> web.StreamResponse:
        messages.append(await request.json())
        return await answer(request)

    app = web.Application()
    app.router.add_post(PATH, take)
    async with TestServer(app) as server:
        yield str(server.make_url(PATH)), messages


def answering(status: int, text: str = "ok") -> Callable[[web.Request], Any]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    return answer


async def test_a_message_arrives_with_a_mention_and_a_link():
    async with receiver(answering(200)) as (url, messages):
        assert await SlackSender(url, "https://console.lifetrek.test").send(notice()) == Outcome("sent")
    (message,) = messages
    assert message["text"].splitlines() == [
        '<@U012AB3CD> *Blog post "Rastreabilidade &amp; UDI: visão geral" failed*',
        "It could not be finished.",
        "",
        "Reason: &lt;b&gt;refused&lt;/b&gt;",
        "Stage: write",
        f"<https://console.lifetrek.test/jobs/{JOB}|Open it>",
    ]


async def test_what_people_wrote_mentions_nobody():
    hostile = "<!channel> <@U999> <https://evil.test|our site> &lt;!here&gt;"
    text = SlackSender("http://slack.test").compose(notice(subject=hostile, body=hostile, slack_member_id=None))
    assert "<" not in text
    assert "&amp;lt;!here" in text


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, "failed"),
        (403, "failed"),
        (404, "failed"),
        (410, "failed"),
        (408, "retry"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
        (502, "uncertain"),
        (504, "uncertain"),
    ],
)
async def test_a_refusal_is_tried_again_when_it_may_pass_and_is_posted_once(status, outcome):
    async with receiver(answering(status, "no_service")) as (url, messages):
        found = await SlackSender(url).send(notice())
    assert found == Outcome(outcome, f"Slack answered {status}: no_service")
    assert len(messages) == 1


async def test_a_receiver_that_falls_silent_or_hangs_up_leaves_doubt_and_is_not_asked_again():
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(2)
        return web.Response()

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    for answer in (hang, cut):
        async with receiver(answer) as (url, messages):
            found = await SlackSender(url, timeout_s=0.3).send(notice())
        assert found.status == "uncertain"
        assert len(messages) == 1
        assert "secret" not in str(found.error)


async def test_a_receiver_that_is_not_there_is_tried_again():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found = await SlackSender(f"http://127.0.0.1:{bound.getsockname()[1]}{PATH}").send(notice())
    assert found == Outcome("retry", "Slack cannot be reached: ClientConnectorError")


async def test_an_address_that_is_none_fails_without_telling_it():
    found = await SlackSender("http://[secret").send(notice())
    assert found == Outcome("failed", "The webhook's address is not valid.")


async def test_the_environments_proxy_is_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with receiver(answering(200)) as (url, _):
        assert await SlackSender(url).send(notice()) == Outcome("sent")
