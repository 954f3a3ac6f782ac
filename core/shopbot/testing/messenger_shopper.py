"""What a shopper can do in Messenger; each act reaches the bot as a signed webhook.

Sources: the events on https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks,
what opens the 24-hour window on
https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from shopbot.testing.clock import Clock
from shopbot.testing.messenger_callbacks import Delivery, WebhookSender
from shopbot.testing.messenger_state import People


class ShopperActions:
    """The shopper's side of the simulator.

    Each method returns when the bot has answered the webhook, or has failed to after all attempts. Without a
    webhook URL an act only opens the window.
    """

    def __init__(self, *, page_id: str, clock: Clock, people: People, webhooks: WebhookSender) -> None:
        self.page_id = page_id
        self.clock = clock
        self.people = people
        self.webhooks = webhooks
        self._mid_prefix = secrets.token_urlsafe(12)
        self._mid_numbers = itertools.count(1)

    async def say(self, psid: str, text: str, *, reply_to: str | None = None) -> Delivery:
        """Write *text*; *reply_to* is the id of the message it answers. Opens the window."""
        return await self._act(psid, self._text(psid, text, reply_to))

    async def say_all(self, messages: Iterable[tuple[str, str]]) -> Delivery:
        """Let several shoppers write, all in one POST, as Meta does after an outage: (psid, text) each."""
        events = []
        for psid, text in messages:
            self.people.acted(psid)
            events.append(self._text(psid, text, None))
        return await self.webhooks.deliver(events)

    async def tap(self, psid: str, payload: str, title: str = "") -> Delivery:
        """Tap a quick reply with *payload*; *title* is what stood on it. Opens the window."""
        message = {"mid": self.new_mid(), "text": title or payload, "quick_reply": {"payload": payload}}
        return await self._act(psid, self._event(psid, {"message": message}))

    async def postback(
        self, psid: str, payload: str, title: str = "Get Started", *, ref: str | None = None
    ) -> Delivery:
        """Tap a button; *ref* comes with the first Get Started after an m.me link. Opens the window."""
        postback: dict[str, Any] = {"mid": self.new_mid(), "title": title, "payload": payload}
        if ref is not None:
            postback["referral"] = _referral(ref)
        return await self._act(psid, self._event(psid, {"postback": postback}))

    async def referral(self, psid: str, ref: str) -> Delivery:
        """Follow an m.me link with *ref* into an existing thread. Opens the window."""
        return await self._act(psid, self._event(psid, {"referral": _referral(ref)}))

    async def optin(self, psid: str | None = None, *, ref: str = "", user_ref: str | None = None) -> Delivery:
        """Opt in through a plugin on the shop's page; does not open the window by itself.

        psid: with Send to Messenger. user_ref: with the Checkbox plugin, which tells no PSID.
        """
        optin = {"ref": ref} if user_ref is None else {"ref": ref, "user_ref": user_ref}
        event = self._event(psid or "", {"optin": optin})
        if psid is None:
            del event["sender"]
        return await self.webhooks.deliver([event])

    async def sticker(self, psid: str, sticker_id: int = 369239263222822) -> Delivery:
        """Send a sticker (the thumb), of type `sticker` as since 2026-08-30. Opens the window."""
        payload = {"url": f"https://scontent.example/{sticker_id}.png", "sticker_id": sticker_id}
        return await self._attach(psid, {"type": "sticker", "payload": payload})

    async def attachment(self, psid: str, kind: str, url: str) -> Delivery:
        """Send an attachment: *kind* is image, audio, video, file or another of Meta's. Opens the window."""
        return await self._attach(psid, {"type": kind, "payload": {"url": url}})

    async def react(self, psid: str, mid: str, emoji: str = "❤") -> Delivery:
        """React to the message *mid*. Opens the window."""
        reaction = {"mid": mid, "action": "react", "emoji": emoji, "reaction": "love"}
        return await self._act(psid, self._event(psid, {"reaction": reaction}))

    async def read(self, psid: str, watermark: int | None = None) -> Delivery:
        """Read everything up to *watermark* (milliseconds since 1970; None: now)."""
        event = self._event(psid, {"read": {"watermark": watermark or self._now()}})
        return await self.webhooks.deliver([event])

    async def delivery(self, psid: str, mids: Sequence[str] | None = None, watermark: int | None = None) -> Delivery:
        """Report that messages reached the phone; *mids* None leaves them out, as Meta may."""
        report: dict[str, Any] = {"watermark": watermark or self._now()}
        if mids is not None:
            report["mids"] = list(mids)
        return await self.webhooks.deliver([self._event(psid, {"delivery": report})])

    async def standby(self, psid: str, text: str) -> Delivery:
        """Write *text* while another app owns the thread: it comes under `standby`. Opens the window."""
        self.people.acted(psid)
        return await self.webhooks.deliver([self._text(psid, text, None)], channel="standby")

    async def redeliver(self, mid: str) -> Delivery:
        """Post the event with message id *mid* once more, as Meta does when it missed the answer.

        Raises KeyError for a mid that was not delivered lately.
        """
        return await self.webhooks.deliver([self.webhooks.recent_event(mid)])

    def new_mid(self) -> str:
        """Make a message id that no other simulator makes."""
        return f"m_{self._mid_prefix}{next(self._mid_numbers):x}"

    async def _act(self, psid: str, event: dict[str, Any]) -> Delivery:
        self.people.acted(psid)
        return await self.webhooks.deliver([event])

    async def _attach(self, psid: str, attachment: dict[str, Any]) -> Delivery:
        message = {"mid": self.new_mid(), "attachments": [attachment]}
        return await self._act(psid, self._event(psid, {"message": message}))

    def _text(self, psid: str, text: str, reply_to: str | None) -> dict[str, Any]:
        message: dict[str, Any] = {"mid": self.new_mid(), "text": text}
        if reply_to is not None:
            message["reply_to"] = {"mid": reply_to}
        return self._event(psid, {"message": message})

    def _event(self, psid: str, content: dict[str, Any]) -> dict[str, Any]:
        return {
            "sender": {"id": psid},
            "recipient": {"id": self.page_id},
            "timestamp": self._now(),
            **content,
        }

    def _now(self) -> int:
        return int(self.clock() * 1000)


def _referral(ref: str) -> dict[str, str]:
    return {"ref": ref, "source": "SHORTLINK", "type": "OPEN_THREAD"}
