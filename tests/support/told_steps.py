"""The steps on an embedded store, with plugins that say what they are told, and attempts at news of one order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot.hook_call import PluginInstance
from shopbot.hooks import Hooks
from shopbot.model.cart import CartResult
from shopbot.model.event import Event, Source
from shopbot.model.order import Order
from shopbot.model.outcome import JournalEntry, Outcome, Status
from shopbot.model.psid import Resolution, Trust
from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.model.run import Run
from shopbot.model.shared_keys import SharedKeys
from shopbot.plugin import Reason, hookimpl
from shopbot.rules.attempt import Attempt
from shopbot.rules.news import read_news
from shopbot.rules.rule import Rule, Step
from shopbot.rules.signed_tokens import SignedTokens
from shopbot.rules.steps import StepFunction, Steps
from shopbot.rules.talk import Talk
from shopbot.rules.track_order import UpdateOrderReference
from shopbot.rules.vouching import Vouching
from shopbot.store.checkouts import Checkouts, CheckoutTtl
from shopbot.store.shoppers import Shoppers
from shopbot.testing.orders import order_bytes, paid_order
from support.dispatch_desk import DAY_SECONDS, ORDER_ID, PSID, Desk, Told, a_desk
from support.store_parts import KEYS, NOW

RESOLVE = Step("1:resolve_psid", "resolve_psid")
CLEAR = Step("2:clear_cart", "clear_cart")
SAVE = Step("3:save_order_reference", "save_order_reference")
SEND = Step("4:send_message", "send_message", "order_confirmation")
RULE = Rule("order_confirmation", frozenset({"orders/paid"}), (RESOLVE, CLEAR, SAVE, SEND), once_per="order")
ORDER_TTL_SECONDS, EVENT_TTL_SECONDS = 5000.0, 1000.0
TRUSTED, TYPED = Resolution(psid=PSID, trust=Trust.ANY), Resolution(psid=PSID, trust=Trust.KNOWN_SHOPPER)


class Asked:
    """A plugin that always says the same, and counts how often it is asked."""

    def __init__(self, answer: object) -> None:
        self.asked = 0
        self._answer = answer

    def _say(self) -> Any:  # noqa: ANN401 - what the hook promises
        self.asked += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Finds(Asked):
    """A resolver that always says the same."""

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        found: Resolution | None = self._say()
        return found


class Clears(Asked):
    """A cart backend that always says the same."""

    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        assert (psid, order.id) == (PSID, ORDER_ID)
        result: CartResult = self._say()
        return result


class Stamps(Asked):
    """A step of a shop's own that always says the same."""

    def __init__(self, answer: object) -> None:
        super().__init__(answer)
        self.seen: list[Run] = []

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        self.seen.append(run)
        outcome: Outcome = self._say()
        return outcome


@dataclass
class Parts:
    """The steps, and what stands behind them."""

    steps: Steps
    desk: Desk
    shoppers: Shoppers
    sender: Told

    async def run(self, attempt: Attempt, step: Step, rule: Rule = RULE) -> Sequence[Outcome]:
        return await self.steps.run(attempt, rule, step)


def _says(name: str) -> StepFunction:
    async def step(_attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        return [Outcome.done(name)]

    return step


@asynccontextmanager
async def parts(
    tmp_path: Path, *plugins: Asked, sender: Told | None = None, messages: dict[str, Any] | None = None
) -> AsyncIterator[Parts]:
    """Put the steps together on an embedded store.

    sender: None is one that takes every message.
    """
    sections: dict[type[Asked], list[Asked]] = {Finds: [], Clears: [], Stamps: []}
    for plugin in plugins:
        sections[type(plugin)].append(plugin)
    hooks = Hooks(
        [
            PluginInstance(section, place, f"{name}{place}", plugin)
            for (section, name), several in zip(
                (("resolvers", "finds"), ("carts", "clears"), ("plugins", "stamps")), sections.values(), strict=True
            )
            for place, plugin in enumerate(several)
        ]
    )
    sender = sender or Told()
    async with a_desk(tmp_path, sender, messages=messages) as desk:
        client, shared = desk.store.client, SharedKeys()
        shoppers = Shoppers(client, KEYS, shared, remember_seconds=DAY_SECONDS)
        ttl = CheckoutTtl(latest=DAY_SECONDS, lookup=DAY_SECONDS, cart_id=DAY_SECONDS, order=DAY_SECONDS)
        codec = PsidTokens([TokenKey("a", b"0123456789abcdef0123456789abcdef")])
        signed = SignedTokens(codec, {"102290129340398"}, Checkouts(client, KEYS, shared, ttl=ttl))
        steps = Steps(
            hooks=hooks,
            shoppers=shoppers,
            vouching=Vouching(shoppers, signed, lambda: NOW),
            references=desk.references,
            dispatcher=desk.dispatcher,
            note_checkout=_says("note_checkout"),
            talk=Talk(desk.references, desk.conversations),
            update_order_reference=UpdateOrderReference(desk.references, shoppers),
            compliance={"privacy.erase_shop": _says("privacy.erase_shop")},
            order_ttl_seconds=ORDER_TTL_SECONDS,
            event_ttl_seconds=EVENT_TTL_SECONDS,
        )
        yield Parts(steps, desk, shoppers, sender)


def an_attempt(
    topic: str = "orders/paid",
    body: Mapping[str, object] | None = None,
    *,
    psid: str | None = None,
    earlier: Sequence[JournalEntry] = (),
) -> Attempt:
    """Begin an attempt at news of the one order; psid: the shopper, where a step has found them."""
    body = paid_order(order_id=ORDER_ID) if body is None else dict(body)
    event = Event(id="webhook:1", topic=topic, source=Source.WEBHOOK, received_at=NOW, body=order_bytes(body))
    news = read_news(topic, body)
    return Attempt(event=event, number=1, earlier=earlier, clock=lambda: NOW, news=news, psid=psid)


def said(outcomes: Sequence[Outcome]) -> list[tuple[Status, Reason | None, str, str]]:
    return [(outcome.status, outcome.reason, outcome.detail, outcome.plugin) for outcome in outcomes]
