"""Messages as cards on the terminal."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shopbot.plugin import Delivery, QuickReply, UtilityTemplate
from shopbot.testing.contracts import PSID, SenderContract, a_message
from shopbot.testing.fixtures import HostFixture, OrdersFixture
from shopbot_plugins import console


class TestConsole(SenderContract):
    module = console

    async def test_the_card_shows_the_text_and_to_whom_it_goes(self, capsys: pytest.CaptureFixture[str]) -> None:
        async with self.running() as running:
            await self.send(running, a_message(text="Order confirmed! 🎉\nOrder #1234"))
        card = capsys.readouterr().out

        assert "Order confirmed! 🎉" in card
        assert "Order #1234" in card
        assert "…1234" in card
        assert "UPDATE" in card
        assert "console-1" in card
        assert PSID not in card

    async def test_outside_the_window_the_card_shows_the_template(self, capsys: pytest.CaptureFixture[str]) -> None:
        template = UtilityTemplate(name="order_ok", language="de", parameters=("#1234", "10. Feb."))
        async with self.running() as running:
            await self.send(running, a_message(delivery=Delivery.UTILITY, template=template, text="not this"))
        card = capsys.readouterr().out

        assert "order_ok (de)" in card
        assert "{{2}} 10. Feb." in card
        assert "not this" not in card

    async def test_the_card_shows_quick_replies_below_the_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        replies = (
            QuickReply(title="Where's my order?", payload="ORDER_STATUS"),
            QuickReply(title="\x1b[31mNo", payload="x"),
        )
        async with self.running() as running:
            await self.send(running, a_message(quick_replies=replies))
            await self.send(running, a_message(quick_replies=replies, delivery=Delivery.UTILITY))
        card = capsys.readouterr().out

        assert card.count("[ Where's my order? ]") == 1
        assert "ORDER_STATUS" not in card
        assert "\x1b" not in card

    async def test_the_preview_is_the_card(self, capsys: pytest.CaptureFixture[str]) -> None:
        async with self.running() as running:
            await self.send(running, a_message())
            preview = running.hooks.previewers[0].compute(a_message())

        assert preview is not None
        assert (preview.to, preview.body) == ("standard output", capsys.readouterr().out)

    async def test_a_name_keeps_its_direction_and_cannot_turn_the_line_round(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The Arabic templates put an order's name into U+2068 and U+2069; U+202E shows what follows backwards."""
        async with self.running() as running:
            await self.send(running, a_message(text="الطلب \u2068#1234\u2069 \u202ereversed"))
        card = capsys.readouterr().out

        assert "\u2068#1234\u2069" in card
        assert "\u202e" not in card

    async def test_every_message_is_taken_even_without_a_template(self) -> None:
        async with self.running() as running:
            receipt = await self.send(running, a_message(delivery=Delivery.UTILITY, template=None))

        assert receipt is not None

    async def test_messages_are_numbered(self) -> None:
        async with self.running() as running:
            receipts = [await self.send(running, a_message()) for _ in range(3)]

        assert [receipt and receipt.message_id for receipt in receipts] == ["console-1", "console-2", "console-3"]

    @pytest.mark.parametrize("text", ["\x1b[31mred", "\x1b]0;title\x07", "a\rb", "\x9b2J", "[bold]b[/bold]", "[/]"])
    async def test_a_text_cannot_steer_the_terminal(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Texts hold names that customers chose."""
        async with self.running() as running:
            await self.send(running, a_message(text=text))
        card = capsys.readouterr().out

        assert not {"\x1b", "\r", "\x07", "\x9b"} & set(card)
        assert "bold" in card or "[bold]" not in text

    async def test_the_card_is_as_wide_as_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        async with self.running(width=30) as running:
            await self.send(running, a_message(text="word " * 100))
        card = capsys.readouterr().out

        assert {len(line) for line in card.splitlines()} == {30}

    async def test_a_host_prints_its_confirmations(
        self, shopbot_host: HostFixture, shopbot_orders: OrdersFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with shopbot_host("senders: [{use: console}]") as shop:
            await shop.finished(await shop.post("orders/paid", shopbot_orders(psid=PSID)))

        assert "Order confirmed! 🎉" in capsys.readouterr().out


@pytest.mark.parametrize("width", [0, 19, 501, "wide"])
def test_a_card_has_a_sensible_width(width: object) -> None:
    with pytest.raises(ValidationError):
        console.Config.model_validate({"width": width})
