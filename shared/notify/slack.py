"""Notices in Slack, through an incoming webhook: one channel, in which people are mentioned."""

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from shared.notify.notice import Notice, Outcome

TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 5.0
_TAKEN = 200
_NOT_NOW = {408, 429, 500, 503}
_ANSWER_LOST = {502, 504}  # said by something in between: what Slack said, nobody knows
_UNREACHABLE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class SlackSender:
    """Posts each notice as one message."""

    def __init__(self, webhook_url: str, console_url: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._url = webhook_url
        self._console_url = console_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)

    async def send(self, notice: Notice) -> Outcome:
        """One message. Errors never name the webhook's address: whoever knows it can post."""
        async with aiohttp.ClientSession(timeout=self._timeout, trust_env=False) as session:
            # Its retries would post a message again whose answer was lost.
            client = AsyncWebhookClient(self._url, session=session, retry_handlers=[])
            client.proxy = None
            try:
                answer = await client.send(text=self.compose(notice), unfurl_links=False)
            except _UNREACHABLE as error:
                return Outcome("retry", f"Slack cannot be reached: {type(error).__name__}")
            except (aiohttp.InvalidURL, ValueError):
                return Outcome("failed", "The webhook's address is not valid.")
            except (aiohttp.ClientError, OSError) as error:
                return Outcome("uncertain", f"Slack did not say whether it took the message: {type(error).__name__}")
        if answer.status_code == _TAKEN:
            return Outcome("sent")
        said = f"Slack answered {answer.status_code}: {answer.body[:100]}"
        if answer.status_code in _ANSWER_LOST:
            return Outcome("uncertain", said)
        return Outcome("retry" if answer.status_code in _NOT_NOW else "failed", said)

    def compose(self, notice: Notice) -> str:
        """The message in Slack's markup. What others wrote is escaped: it cannot mention anybody, nor hide a link."""
        mention = f"<@{notice.slack_member_id}> " if notice.slack_member_id else ""
        link = notice.link(self._console_url)
        lines = [f"{mention}*{_escaped(notice.subject_line)}*", _escaped(notice.body)]
        return "\n".join([*lines, f"<{link}|Open it>"] if link else lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
