"""The contract of senders: a message goes out once, and its receipt says so."""

# ruff: noqa: S101, D102 - tests for integrators to inherit: made of assert, and their names are sentences
from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import ClassVar

import pytest

from shopbot.config.fields import secret_texts
from shopbot.discovery import implements
from shopbot.plugin import Delivery, OutboundMessage, QuickReply, Receipt, UtilityTemplate
from shopbot.testing.contract_base import PSID, PluginContract, Running

TEXTS = (
    "Order confirmed! 🎉\nOrder #1234",
    "Zażółć gęślą jaźń · 注文が確定しました · تم تأكيد الطلب",
    "{{ not a template }} <b>&amp;</b> [red]markup[/red] \\u0041",
    "👩‍👩‍👧‍👦" * 50,
    "x" * 1_900,
)


class SenderContract(PluginContract):
    """What every plugin under `senders:` must pass."""

    section = "senders"
    hook = "send_message"
    deliveries: ClassVar[Sequence[Delivery]] = tuple(Delivery)
    """The kinds of delivery that it takes."""

    def delivered(self) -> Sequence[OutboundMessage] | None:
        """Say what the channel delivered so far, with at least `psid`, `text` and `claim`; None: nobody can tell."""
        return None

    async def send(self, running: Running, message: OutboundMessage) -> Receipt | None:
        """Ask the plugin to send."""
        return await running.hooks.senders[0](message)

    @pytest.mark.parametrize("delivery", list(Delivery))
    async def test_a_message_is_sent_and_has_a_receipt(self, delivery: Delivery) -> None:
        if delivery not in self.deliveries:
            pytest.skip(f"takes no {delivery}")
        async with self.running() as running:
            receipt = await self.send(running, a_message(delivery=delivery))
            delivered = self.delivered()

        assert receipt is not None
        assert receipt.message_id
        if delivered is not None:
            assert [(message.psid, message.claim) for message in delivered] == [(PSID, a_message().claim)]

    async def test_many_at_once_are_each_sent_once(self) -> None:
        messages = [a_message(claim=f"shopbot:claim-{n}") for n in range(20)]
        async with self.running() as running:
            receipts = await asyncio.gather(*(self.send(running, message) for message in messages))
            delivered = self.delivered()

        assert len({receipt.message_id for receipt in receipts if receipt is not None}) == len(messages)
        if delivered is not None:
            assert sorted(message.claim for message in delivered) == sorted(message.claim for message in messages)

    @pytest.mark.parametrize("delivery", list(Delivery))
    async def test_quick_replies_do_not_keep_a_message_back(self, delivery: Delivery) -> None:
        if delivery not in self.deliveries:
            pytest.skip(f"takes no {delivery}")
        replies = (QuickReply(title="Where's my order?", payload="ORDER_STATUS"), QuickReply(title="🎉", payload="x"))
        async with self.running() as running:
            receipt = await self.send(running, a_message(delivery=delivery, quick_replies=replies))

        assert receipt is not None

    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    async def test_a_text_arrives_as_it_is(self, text: str) -> None:
        async with self.running() as running:
            receipt = await self.send(running, a_message(text=text))
            delivered = self.delivered()

        assert receipt is not None
        if delivered is not None:
            assert [message.text for message in delivered] == [text]

    @pytest.mark.parametrize("delivery", list(Delivery))
    def test_a_preview_shows_the_message_and_no_secret_before_anything_is_started(self, delivery: Delivery) -> None:
        if delivery not in self.deliveries:
            pytest.skip(f"takes no {delivery}")
        if not implements(type(self.make()), "preview_message"):
            pytest.skip("shows no previews")
        (previewer,) = self.facade().previewers
        preview = previewer.compute(a_message(delivery=delivery))

        assert preview is not None
        assert preview.to
        shown = json.dumps(preview.model_dump(mode="json"), ensure_ascii=False)
        assert "#1234" in shown  # of the text, and among the template's values
        for secret in secret_texts(type(self.config()), dict(self.settings)):
            assert secret not in shown

    async def test_a_preview_sends_nothing(self) -> None:
        async with self.running() as running:
            for previewer in running.hooks.previewers:
                previewer.compute(a_message())
            delivered = self.delivered()

        assert not delivered


def a_message(**changes: object) -> OutboundMessage:
    """Make a message that is ready to send, with a utility template."""
    fields: dict[str, object] = {
        "psid": PSID,
        "text": "Order confirmed! 🎉\nOrder #1234",
        "delivery": Delivery.UPDATE,
        "purpose": "order_update",
        "claim": "shopbot:4Xn1oQ",
        "template": UtilityTemplate(name="order_confirmation", language="en_US", parameters=("#1234", "Feb 10")),
        "order_id": 830_517_264_905_318_211,
    }
    return OutboundMessage.model_validate(fields | changes)
