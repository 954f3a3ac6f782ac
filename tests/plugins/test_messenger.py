"""The sender: what it posts to Meta, and what it makes of what comes back."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from shopbot.hooks import Hooks, PluginInstance
from shopbot.plugin import ChannelDown, Delivery, OutboundMessage, QuickReply, Reason, Refused, Retry, UtilityTemplate
from shopbot.testing.contracts import PSID, a_message
from shopbot.testing.messenger import Fault, MessengerSimulator
from shopbot_plugins import messenger
from support.messenger_sender import TOKEN, MessengerContract, running_sender
from support.raw_server import raw_server


class TestMessenger(MessengerContract):
    async def test_after_a_rate_limit_the_next_message_goes_out(self) -> None:
        async with self.running() as running:
            self.simulator.inject(Fault.error(4))
            with pytest.raises(Retry):
                await self.send(running, a_message())
            await self.send(running, a_message())

        assert len(self.simulator.sent) == 1


class TestTheRequest:
    async def posted(self, message: OutboundMessage, **settings: object) -> dict[str, Any]:
        """Give the body of the call that one message leads to."""
        simulator = MessengerSimulator()
        simulator.templates.add("bare", "Thanks for the order.")
        async with running_sender(simulator, **settings) as (_, running):
            await running.hooks.senders[0](message)
        body: dict[str, Any] = json.loads(simulator.requests[0].body)
        return body

    @pytest.mark.parametrize("delivery", [Delivery.RESPONSE, Delivery.UPDATE])
    async def test_inside_the_window_the_text_is_sent(self, delivery: Delivery) -> None:
        body = await self.posted(a_message(delivery=delivery, text="Hi 🎉"), app_secret=None)

        assert body == {
            "recipient": {"id": PSID},
            "messaging_type": delivery.value,
            "message": {"text": "Hi 🎉", "metadata": "shopbot:4Xn1oQ"},
        }

    async def test_outside_it_the_approved_template_is_sent(self) -> None:
        body = await self.posted(a_message(delivery=Delivery.UTILITY), app_secret=None)

        values = [{"type": "text", "text": "#1234"}, {"type": "text", "text": "Feb 10"}]
        assert body == {
            "recipient": {"id": PSID},
            "messaging_type": "UTILITY",
            "message": {
                "template": {
                    "name": "order_confirmation",
                    "language": {"code": "en_US"},
                    "components": [{"type": "body", "parameters": values}],
                },
                "metadata": "shopbot:4Xn1oQ",
            },
        }

    async def test_a_template_without_placeholders_has_no_components(self) -> None:
        template = UtilityTemplate(name="bare", language="en_US")
        body = await self.posted(a_message(delivery=Delivery.UTILITY, template=template))

        assert body["message"]["template"] == {"name": "bare", "language": {"code": "en_US"}}

    @pytest.mark.parametrize(
        ("value", "line"),
        [
            (" a\n\tb   c\u2028d\u00a0e ", "a b c d e"),
            ("x" * 300, "x" * 255 + "…"),
            ("", "-"),
            (" \n", "-"),
            ("👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"),
        ],
        ids=["one line", "short", "empty", "blank", "joined emoji"],
    )
    async def test_the_values_of_placeholders_are_short_lines(self, value: str, line: str) -> None:
        template = UtilityTemplate(name="order_confirmation", language="en_US", parameters=(value, "x"))
        body = await self.posted(a_message(delivery=Delivery.UTILITY, template=template))

        assert body["message"]["template"]["components"][0]["parameters"][0] == {"type": "text", "text": line}

    @pytest.mark.parametrize("delivery", list(Delivery))
    async def test_no_message_ever_carries_a_tag(self, delivery: Delivery) -> None:
        body = await self.posted(a_message(delivery=delivery, purpose="POST_PURCHASE_UPDATE"))

        assert "tag" not in body
        assert body["messaging_type"] != "MESSAGE_TAG"
        assert "POST_PURCHASE_UPDATE" not in str(body)

    async def test_quick_replies_go_with_the_text_as_many_and_as_long_as_meta_takes(self) -> None:
        replies = tuple(QuickReply(title=f"Number {n:02}, which is long", payload=f"N:{n}") for n in range(15))
        body = await self.posted(a_message(quick_replies=replies))

        sent = body["message"]["quick_replies"]
        assert len(sent) == 13
        assert sent[0] == {"content_type": "text", "title": "Number 00, which is ", "payload": "N:0"}

    async def test_a_template_goes_without_quick_replies(self) -> None:
        replies = (QuickReply(title="Yes", payload="YES"),)
        body = await self.posted(a_message(delivery=Delivery.UTILITY, quick_replies=replies))

        assert "quick_replies" not in body["message"]

    async def test_the_app_secret_proves_the_token_in_the_body(self) -> None:
        body = await self.posted(a_message())

        proof = hmac.new(b"test-app-secret", TOKEN.encode(), hashlib.sha256).hexdigest()
        assert body["appsecret_proof"] == proof
        assert TOKEN not in str(body)

    @pytest.mark.parametrize("kind", ["SILENT_PUSH", "NO_PUSH"])
    async def test_the_phone_may_stay_silent(self, kind: str) -> None:
        assert (await self.posted(a_message(), notification_type=kind))["notification_type"] == kind

    async def test_neither_token_nor_psid_is_part_of_the_url(self) -> None:
        async with raw_server(lambda _: b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"message_id":"m"}') as server:
            async with running_sender(api_url=server.url) as (_, running):
                await running.hooks.senders[0](a_message())
            head = server.requests[0].partition(b"\r\n\r\n")[0].decode()

        assert head.splitlines()[0] == "POST /v25.0/102290129340398/messages HTTP/1.1"
        assert f"authorization: bearer {TOKEN}" in head.lower()
        assert PSID not in head

    @pytest.mark.parametrize("delivery", list(Delivery))
    @pytest.mark.parametrize("kind", ["REGULAR", "SILENT_PUSH"])
    async def test_a_preview_is_the_very_call_without_its_secret(self, delivery: Delivery, kind: str) -> None:
        replies = (QuickReply(title="Where's my order?", payload="ORDER_STATUS"),)
        message = a_message(delivery=delivery, quick_replies=replies, text="Grüße 👩‍👩‍👧‍👦")
        async with running_sender(notification_type=kind) as (simulator, running):
            preview = running.hooks.previewers[0].compute(message)
            await running.hooks.senders[0](message)
            request = simulator.requests[0]

        assert preview is not None
        assert preview.to.startswith("POST http://127.0.0.1:")
        assert preview.to.endswith(f"{request.path}")
        posted = json.loads(request.body)
        assert preview.body == {**posted, "appsecret_proof": "…"}
        assert posted["appsecret_proof"] != "…"

    def test_without_an_app_secret_a_preview_has_no_proof(self) -> None:
        previewer = Hooks([PluginInstance("senders", 0, "messenger", MessengerContract().make(app_secret=None))])
        preview = previewer.previewers[0].compute(a_message())

        assert preview is not None
        assert isinstance(preview.body, dict)
        assert set(preview.body) == {"recipient", "messaging_type", "message"}


class TestWhatIsNotSent:
    @pytest.mark.parametrize(
        ("message", "code"),
        [
            (a_message(delivery=Delivery.UTILITY, template=None), Reason.OUTSIDE_WINDOW),
            (a_message(text=""), Reason.MESSAGE_SEND_FAILED),
            (a_message(text=" \n"), Reason.MESSAGE_SEND_FAILED),
            (a_message(text="x" * 2_000), Reason.MESSAGE_SEND_FAILED),
            (
                a_message(quick_replies=(QuickReply(title="Yes", payload="x" * 1001),)),
                Reason.MESSAGE_SEND_FAILED,
            ),
        ],
        ids=["no template", "empty", "blank", "too long", "payload too long"],
    )
    async def test_what_meta_would_refuse_is_refused_without_a_call(
        self, message: OutboundMessage, code: Reason
    ) -> None:
        async with running_sender() as (simulator, running):
            with pytest.raises(Refused) as refusal:
                await running.hooks.senders[0](message)

            with pytest.raises(Refused, match=re.escape(refusal.value.reason)):
                running.hooks.previewers[0].compute(message)

        assert refusal.value.code is code
        assert simulator.requests == []

    async def test_a_shopper_outside_the_window_gets_no_text(self) -> None:
        async with running_sender(MessengerSimulator(window="closed")) as (simulator, running):
            with pytest.raises(Refused) as refusal:
                await running.hooks.senders[0](a_message())

            assert refusal.value.code is Reason.OUTSIDE_WINDOW
            await running.hooks.senders[0](a_message(delivery=Delivery.UTILITY))
            assert [message.messaging_type for message in simulator.sent] == ["UTILITY"]

    async def test_a_revoked_token_stops_the_channel_until_it_is_replaced(self) -> None:
        async with running_sender() as (simulator, running):
            simulator.tokens.revoke()
            with pytest.raises(ChannelDown, match="access_token"):
                await running.hooks.senders[0](a_message())
            simulator.tokens.accept(TOKEN)
            assert await running.hooks.senders[0](a_message())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"page_id": 102290129340398}, "valid string"),
        ({"page_id": "acme"}, "pattern"),
        ({"page_id": ""}, "pattern"),
        ({"access_token": ""}, "not be empty"),
        ({"access_token": "a token\n"}, "without spaces"),
        ({"app_secret": ""}, "empty"),
        ({"api_url": "http://graph.facebook.com/v25.0"}, "https"),
        ({"api_url": "https://graph.facebook.com/v25.0?access_token=x"}, "?"),
        ({"api_url": "graph.facebook.com"}, "absolute URL"),
        ({"timeout": "0s"}, "longer than zero"),
        ({"connections": 0}, "greater than or equal to 1"),
        ({"notification_type": "LOUD"}, "SILENT_PUSH"),
        ({"tag": "POST_PURCHASE_UPDATE"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: Mapping[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError) as failure:
        messenger.Config.model_validate({**MessengerContract.settings, **changes})

    assert complaint in failure.value.errors()[0]["msg"]
    assert TOKEN not in failure.value.errors()[0]["msg"]


def test_a_slash_at_the_end_of_the_address_does_not_matter() -> None:
    config = messenger.Config.model_validate(
        {**MessengerContract.settings, "api_url": "https://graph.facebook.com/v26.0/"}
    )

    assert config.api_url == "https://graph.facebook.com/v26.0"
