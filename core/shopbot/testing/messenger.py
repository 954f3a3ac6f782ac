"""A Messenger Platform of one's own: answers like Meta's Send API, and lets a shopper act.

    async with MessengerSimulator(access_token="page-token").serve() as address:
        ...  # point the bot's `api_url` at f"{address}/v25.0"
        await simulator.wait_for_sent(1)
        assert simulator.sent[0].text.startswith("Order confirmed!")

It keeps Meta's rules (token, 24-hour window, utility templates, dead tags, lengths), plays faults on demand,
and delivers signed webhooks. Source of the rules:
https://developers.facebook.com/docs/messenger-platform/reference/send-api
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from shopbot.testing.clock import Clock
from shopbot.testing.graph_errors import OUTSIDE_WINDOW, GraphRefusal, invalid, unknown_object
from shopbot.testing.messenger_app import AppWebhook
from shopbot.testing.messenger_callbacks import Delivery, EchoMode, WebhookSender
from shopbot.testing.messenger_faults import Fault, FaultScript
from shopbot.testing.messenger_http import build_app
from shopbot.testing.messenger_rules import check_send
from shopbot.testing.messenger_shopper import ShopperActions
from shopbot.testing.messenger_state import (
    HUMAN_AGENT_SECONDS,
    WINDOW_SECONDS,
    Log,
    People,
    ReceivedRequest,
    SentMessage,
    Usage,
    WindowPolicy,
)
from shopbot.testing.messenger_templates import TemplateBook, TemplateStatus
from shopbot.testing.messenger_tokens import Tokens
from shopbot.testing.messenger_utility import render_utility
from shopbot.testing.serving import serving

__all__ = ["AppWebhook", "Delivery", "Fault", "MessengerSimulator", "ReceivedRequest", "SentMessage", "Usage"]

Observer = Callable[[ReceivedRequest, SentMessage | None], None]


class MessengerSimulator(ShopperActions):
    """Meta's side of one Page.

    page_id, access_token, app_secret, app_id: what the bot is configured with. The secret signs webhooks,
        and a call that carries an `appsecret_proof` must carry the right one. `tokens` revokes and accepts.
    require_appsecret_proof: refuse calls without it, as apps with "Require App Secret" do.
    known_psids: who has a conversation with the Page; None: everybody. Whoever writes becomes known.
    window: whether someone who was never seen counts as active in the last 24 hours.
    clock: gives the time in seconds since 1970 UTC; a `ManualClock` makes a day pass.
    latency_seconds: how long each answer takes; the message is delivered before that time.
    webhook_url: the bot's `/webhooks/messenger`; None delivers no webhooks.
    echoes: whether sent messages come back as `message_echoes`; "twice" repeats them with the same mid.
    echo_delay_seconds: how long after the send; real seconds, whatever the clock.
    template_status: what a template that is created over HTTP becomes.
    clock_skew_seconds: by how much Meta's clock is ahead of the real one, in the `Date` header of its answers.
    keep: how many messages and requests are remembered, at about 1.2 kB for both.
    observer: called after every call to `/messages`, with the message if one was delivered.

    window, latency_seconds, webhook_url, echoes, echo_delay_seconds, template_status, observer are also
    attributes, and may be changed while it runs; so may `app_usage` and `page_usage`, the contents of the
    usage headers (None: no header), and `templates`, the Page's utility templates. So may what an operator sets up in
    Meta's dashboards: `tokens.permissions`, `subscribed_fields` (of the Page), `app_webhook` (of the app; None: it has
    none yet), and `oldest_version`, which answers in place of versions that have ended. `on_call` is told the path and
    the query of each call.
    """

    def __init__(
        self,
        *,
        page_id: str = "102290129340398",
        access_token: str = "test-page-token",  # noqa: S107 - accepted by this simulator alone
        app_secret: str = "test-app-secret",  # noqa: S107 - signs this simulator's webhooks alone
        app_id: int = 1_234_567_890_123,
        require_appsecret_proof: bool = False,
        known_psids: Iterable[str] | None = None,
        window: WindowPolicy = "open",
        clock: Clock = time.time,
        latency_seconds: float = 0.0,
        webhook_url: str | None = None,
        echoes: EchoMode = "once",
        echo_delay_seconds: float = 0.0,
        template_status: TemplateStatus = "APPROVED",
        clock_skew_seconds: float = 0.0,
        keep: int = 100_000,
        observer: Observer | None = None,
    ) -> None:
        webhooks = WebhookSender(page_id=page_id, app_secret=app_secret, url=webhook_url, clock=clock)
        super().__init__(page_id=page_id, clock=clock, people=People(clock, known_psids, window), webhooks=webhooks)
        self.app_id = app_id
        self.tokens = Tokens(access_token, app_secret, require_proof=require_appsecret_proof)
        self.latency_seconds = latency_seconds
        self.echoes: EchoMode = echoes
        self.echo_delay_seconds = echo_delay_seconds
        self.template_status: TemplateStatus = template_status
        self.clock_skew_seconds = clock_skew_seconds
        self.observer = observer
        self.app_usage: Usage | None = None
        self.page_usage: Usage | None = None
        self.subscribed_fields: frozenset[str] = frozenset()
        self.app_webhook: AppWebhook | None = None
        self.oldest_version = "v21.0"
        self.on_call: Callable[[str], None] = lambda _address: None
        self.templates = TemplateBook()
        self.faults = FaultScript()
        self.log = Log(keep)
        self._receipts: set[str] = set()

    def reset_app_secret(self, app_secret: str) -> None:
        """Have a new app secret from now on, as when it was reset in the app's settings."""
        self.tokens.reset_app_secret(app_secret)
        self.webhooks.reset_app_secret(app_secret)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Answer until the block ends; gives the address, such as `http://127.0.0.1:54321`.

        port: 0 takes a free one; naming the port of an earlier run plays an outage that is over.

        May be entered again later: what happened is kept until `reset`.
        """
        await self.webhooks.start()
        try:
            async with serving(build_app(self), host, port) as address:
                yield address
        finally:
            await self.webhooks.stop()

    # What happened

    @property
    def sent(self) -> list[SentMessage]:
        """Give what the shoppers saw, oldest first, at most the last *keep*."""
        return list(self.log.sent)

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Give all calls to `/messages`, however they ended, oldest first, at most the last *keep*."""
        return list(self.log.requests)

    @property
    def sent_count(self) -> int:
        """Give how many messages were delivered in all, however many are remembered."""
        return self.log.sent_count

    def sent_to(self, psid: str) -> list[SentMessage]:
        """Give what *psid* saw."""
        return [message for message in self.log.sent if message.psid == psid]

    async def wait_for_sent(self, count: int, timeout_seconds: float = 30.0) -> list[SentMessage]:
        """Wait until *count* messages were delivered in all, and give the remembered ones.

        Raises TimeoutError, which says how many came and how the last call ended.
        """
        await self._wait(lambda: self.log.sent_count, count, timeout_seconds, "messages")
        return self.sent

    async def wait_for_requests(self, count: int, timeout_seconds: float = 30.0) -> list[ReceivedRequest]:
        """Wait until *count* calls to `/messages` ended in any way, and give the remembered ones.

        Raises TimeoutError, as `wait_for_sent` does.
        """
        await self._wait(lambda: self.log.request_count, count, timeout_seconds, "requests")
        return self.requests

    # What to play

    @property
    def webhook_url(self) -> str | None:
        """Where webhooks go; None: nowhere."""
        return self.webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.webhooks.url = url

    @property
    def window(self) -> WindowPolicy:
        """Whether someone who was never seen counts as active in the last 24 hours."""
        return self.people.window

    @window.setter
    def window(self, policy: WindowPolicy) -> None:
        self.people.window = policy

    def inject(self, *faults: Fault) -> None:
        """Play *faults*, in this order, to the next calls to `/messages`."""
        self.faults.add(*faults)

    def block(self, psid: str) -> None:
        """Let *psid* block the Page: sends fail with 551/1545041."""
        self.people.blocked.add(psid)

    def unblock(self, psid: str) -> None:
        """Let *psid* receive messages again."""
        self.people.blocked.discard(psid)

    def reset(self) -> None:
        """Forget what happened, faults, blocks and activity; settings, tokens and templates stay."""
        self.log.clear()
        self.people.clear()
        self.webhooks.clear()
        self.faults.clear()
        self._receipts.clear()

    async def handshake(self, verify_token: str, challenge: str = "1158201444") -> bool:
        """Verify the webhook URL as Meta does when it is configured; True if the challenge came back."""
        response = await self.webhooks.handshake(verify_token, challenge)
        return response.status_code == 200 and response.content == challenge.encode()  # noqa: PLR2004

    # What Meta decides

    def check_page(self, object_id: str) -> None:
        """Raise GraphRefusal for a Page that the token does not reach; `me` is the Page of the token."""
        if object_id not in {"me", self.page_id}:
            raise GraphRefusal(unknown_object(object_id))

    def accept(self, body: dict[str, Any], raw: bytes) -> SentMessage | None:
        """Deliver the message in *body*; None for a sender action.

        raw: the bytes that *body* was read from.

        Raises GraphRefusal if Meta would not take it.
        """
        check_send(body)
        recipient = body["recipient"]
        psid = recipient.get("id")
        if psid is not None:
            self.people.check(psid)
        if "sender_action" in body:
            return None
        message = body["message"]
        sent = SentMessage(
            psid=psid or next(iter(recipient.values())),
            text=self._text_of(body, psid),
            messaging_type=body["messaging_type"],
            template=message.get("template"),
            metadata=message.get("metadata"),
            message_id=self.new_mid(),
            at=self.clock(),
            body=raw,
        )
        self.log.add_sent(sent)
        if psid is not None and self.echoes != "never":
            for _ in range(2 if self.echoes == "twice" else 1):
                self.webhooks.deliver_later(self._echo(sent, message), self.echo_delay_seconds)
        return sent

    def _text_of(self, body: dict[str, Any], psid: str | None) -> str:
        """Give what the shopper reads, after the checks that depend on the kind of message."""
        message = body["message"]
        if body["messaging_type"] == "UTILITY":
            return render_utility(message["template"], self.templates)
        if psid is not None:
            # Checkbox and comment replies come without a PSID; Meta has no window for them.
            seconds = HUMAN_AGENT_SECONDS if body["messaging_type"] == "MESSAGE_TAG" else WINDOW_SECONDS
            if not self.people.is_active(psid, seconds):
                raise GraphRefusal(OUTSIDE_WINDOW)
        payload = message.get("attachment", {}).get("payload", {})
        if payload.get("template_type") == "receipt":
            if payload["order_number"] in self._receipts:
                raise invalid("Param order_number of a receipt must be unique")
            self._receipts.add(payload["order_number"])
        text: str = message.get("text") or payload.get("text", "")
        return text

    def _echo(self, sent: SentMessage, message: dict[str, Any]) -> dict[str, Any]:
        echo: dict[str, Any] = {"mid": sent.message_id, "is_echo": True, "app_id": self.app_id}
        if sent.metadata is not None:
            echo["metadata"] = sent.metadata
        if sent.text:
            echo["text"] = sent.text
        if "attachment" in message:
            echo["attachments"] = [message["attachment"]]
        return {
            "sender": {"id": self.page_id},
            "recipient": {"id": sent.psid},
            "timestamp": int(sent.at * 1000),
            "message": echo,
        }

    async def _wait(self, count: Callable[[], int], wanted: int, seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while count() < wanted:
                    await self.log.next_arrival()
        except TimeoutError:
            last = self.log.requests[-1] if self.log.requests else None
            ended = "no call came" if last is None else f"the last call ended: {last.outcome}, {last.code}"
            raise TimeoutError(f"{count()} of {wanted} {what} after {seconds} s; {ended}") from None
