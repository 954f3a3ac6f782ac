"""The messenger plugin, running against the Messenger simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from shopbot.plugin import OutboundMessage
from shopbot.testing.contracts import Running, SenderContract, a_message
from shopbot.testing.messenger import MessengerSimulator
from shopbot_plugins import messenger

TOKEN = "test-page-token"


class MessengerContract(SenderContract):
    module = messenger
    settings: ClassVar = {"page_id": "102290129340398", "access_token": TOKEN, "app_secret": "test-app-secret"}

    simulator: MessengerSimulator
    given: MessengerSimulator | None = None
    """The simulator to use; None makes one for each run."""

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Mapping[str, Any]]:
        self.simulator = self.given or MessengerSimulator()
        if self.simulator.templates.find("order_confirmation", "en_US") is None:
            self.simulator.templates.add("order_confirmation", "Order {{1}} arrives on {{2}}, as promised.")
        async with self.simulator.serve() as address:
            yield {"api_url": f"{address}/v25.0"}

    def delivered(self) -> Sequence[OutboundMessage]:
        return [a_message(psid=one.psid, text=one.text, claim=one.metadata) for one in self.simulator.sent]


@asynccontextmanager
async def running_sender(
    simulator: MessengerSimulator | None = None, **settings: object
) -> AsyncIterator[tuple[MessengerSimulator, Running]]:
    """Run the sender and the simulator until the block ends; the log is searched for secrets then."""
    contract = MessengerContract()
    contract.given = simulator
    async with contract.running(**settings) as running:
        yield contract.simulator, running
