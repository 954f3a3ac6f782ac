from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pytest

from shopbot.discovery import PluginError
from shopbot.hookspecs import HookSpecs
from shopbot.plugin import (
    CartResult,
    Checkout,
    CheckoutLine,
    CheckoutRequest,
    Event,
    Examination,
    Finding,
    InboundRequest,
    MessagePreview,
    Order,
    Origin,
    OutboundMessage,
    Outcome,
    PersonToErase,
    PolledOrder,
    Receipt,
    Refused,
    Rejected,
    Resolution,
    Run,
    TemplateDefinition,
    TemplateState,
    TemplateStatus,
    Trust,
    Verified,
    hookimpl,
)
from support.hook_plugins import FOUND, MESSAGE, ORDER, PSID, REQUEST, RUN, SINCE, LifeCycle, context_of, entries
from support.store_parts import an_event


def test_hook_verify_request() -> None:
    class Indifferent:
        @hookimpl
        def verify_request(self) -> None:
            return None

    class Vouching:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> Verified:
            return Verified(request.route, secret_index=1)

    class Refusing:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> Verified:
            raise Rejected(401, "the signature is wrong")

    assert entries("verify", Indifferent(), Vouching(), Refusing()).verify(REQUEST) == "verify[1]:vouching, secret 2"
    with pytest.raises(Rejected, match="signature") as refused:
        entries("verify", Refusing(), Vouching()).verify(REQUEST)
    assert refused.value.status == 401
    with pytest.raises(Rejected, match="no verifier is configured for shopify requests") as unasked:
        entries("verify", Indifferent()).verify(REQUEST)
    assert unasked.value.status == 403


def test_hook_sign_request() -> None:
    class Signing:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> None: ...

        @hookimpl
        def sign_request(self, request: InboundRequest) -> Sequence[Mapping[str, str]] | None:
            if request.route is not Origin.SHOPIFY:
                return None
            return [{"X-Signature": f"{secret} {len(request.body)}"} for secret in ("old", "new")]

    class NotAsked:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> None: ...

    signers = entries("verify", NotAsked(), Signing()).signers

    assert [signer.place for signer in signers] == ["verify[1]:signing"]
    assert signers[0].compute(REQUEST) == [{"X-Signature": "old 2"}, {"X-Signature": "new 2"}]
    assert signers[0].compute(REQUEST._replace(route=Origin.MESSENGER)) is None


def test_whether_a_route_is_judged_at_all_is_known_without_a_request() -> None:
    class MessengerOnly:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> Verified | None:
            if request.route is not Origin.MESSENGER:
                return None
            raise Rejected(403, "the signature is missing")

    class Broken:
        @hookimpl
        def verify_request(self, request: InboundRequest) -> Verified | None:
            raise RuntimeError(str(request.route))

    hooks = entries("verify", MessengerOnly())
    assert hooks.judges(Origin.MESSENGER)
    assert not hooks.judges(Origin.SHOPIFY)
    assert entries("verify", Broken()).judges(Origin.MESSENGER)  # it has something to say, if only it could


async def test_hook_resolve_psid() -> None:
    class Knowing:
        @hookimpl
        async def resolve_psid(self, order: Order) -> Resolution | None:
            return FOUND if order.id == ORDER.id else None

    (resolver,) = entries("resolvers", Knowing()).resolvers

    assert await resolver(ORDER) == FOUND
    assert await resolver(Order(id=2)) is None


async def test_hook_clear_cart() -> None:
    class Cart:
        @hookimpl
        async def clear_cart(self, psid: str, order: Order) -> CartResult:
            return CartResult.CLEARED if (psid, order) == (PSID, ORDER) else CartResult.ALREADY_EMPTY

    (cart,) = entries("carts", Cart()).carts

    assert await cart(PSID, ORDER) is CartResult.CLEARED


async def test_hook_send_message() -> None:
    class Sender:
        @hookimpl
        async def send_message(self, message: OutboundMessage) -> Receipt:
            return Receipt(message_id=message.claim)

    (sender,) = entries("senders", Sender()).senders

    assert await sender(MESSAGE) == Receipt(message_id=MESSAGE.claim)


def test_hook_preview_message() -> None:
    class Open:
        @hookimpl
        async def send_message(self, message: OutboundMessage) -> None: ...

        @hookimpl
        def preview_message(self, message: OutboundMessage) -> MessagePreview:
            return MessagePreview(to="POST /messages", body={"text": message.text})

    class Silent:
        @hookimpl
        async def send_message(self, message: OutboundMessage) -> None: ...

    class Refusing(Silent):
        @hookimpl
        def preview_message(self, message: OutboundMessage) -> MessagePreview:
            raise Refused("the text is empty")

    previewers = entries("senders", Silent(), Open(), Refusing()).previewers

    assert [previewer.place for previewer in previewers] == ["senders[1]:open", "senders[2]:refusing"]
    assert previewers[0].compute(MESSAGE) == MessagePreview(to="POST /messages", body={"text": MESSAGE.text})
    with pytest.raises(Refused, match="empty"):
        previewers[1].compute(MESSAGE)


async def test_hook_manage_template() -> None:
    class Knowing:
        @hookimpl
        async def send_message(self, message: OutboundMessage) -> None: ...

        @hookimpl
        async def manage_template(self, template: TemplateDefinition, submit: bool) -> TemplateState:  # noqa: FBT001
            reason = f"{template.name} {submit}"
            return TemplateState(status=TemplateStatus.PENDING, reason=reason)

    class NotAsked:
        @hookimpl
        async def send_message(self, message: OutboundMessage) -> None: ...

    managers = entries("senders", NotAsked(), Knowing()).template_managers
    template = TemplateDefinition(name="shipped", language="en", body="On its way.")

    assert [manager.place for manager in managers] == ["senders[1]:knowing"]
    assert await managers[0](template, True) == TemplateState(  # noqa: FBT003 - hooks are asked by position
        status=TemplateStatus.PENDING, reason="shipped True"
    )


async def test_hook_poll_orders() -> None:
    polled = PolledOrder(order_id=1, updated_at=SINCE, body=b"{}")

    class Poller:
        @hookimpl
        async def poll_orders(self, since: datetime) -> AsyncGenerator[PolledOrder, None]:
            if since == SINCE:
                yield polled

    (poller,) = entries("pollers", Poller()).pollers

    assert [order async for order in poller(SINCE)] == [polled]


async def test_hook_create_checkout() -> None:
    wish = CheckoutRequest(psid=PSID, lines=(CheckoutLine(variant_id=1, quantity=2),), attributes={"psid": "signed"})

    class Links:
        @hookimpl
        async def create_checkout(self, request: CheckoutRequest) -> Checkout | None:
            if len(request.lines) > 1:
                return None
            return Checkout(url="https://acme.example/pay", checkout_token="0123456789abcdef")

    (links,) = entries("checkouts", Links()).checkouts

    assert await links(wish) == Checkout(url="https://acme.example/pay", checkout_token="0123456789abcdef")
    assert await links(wish.model_copy(update={"lines": wish.lines * 2})) is None


async def test_hook_run_step() -> None:
    class Step:
        @hookimpl
        async def run_step(self, event: Event, run: Run) -> Outcome:
            return Outcome.done(f"{event.topic} {run.attempt}")

    steps = entries("plugins", Step()).steps

    assert list(steps) == ["step"]
    assert await steps["step"](an_event(), RUN) == Outcome.done("orders/paid 1")


def test_hook_template_filters() -> None:
    class Shouting:
        @hookimpl
        def template_filters(self) -> Mapping[str, Callable[..., object]]:
            return {"shout": str.upper}

    class Whispering:
        @hookimpl
        def template_filters(self) -> Mapping[str, Callable[..., object]]:
            return {"whisper": str.lower}

    assert entries("plugins", Shouting(), Whispering()).filters() == {"shout": str.upper, "whisper": str.lower}
    with pytest.raises(PluginError, match=r"plugins\[1\]:shouting: another plugin already brings the filter 'shout'"):
        entries("plugins", Shouting(), Shouting()).filters()


async def test_hook_event_finished() -> None:
    seen: list[tuple[str, int]] = []

    class Observer:
        @hookimpl
        async def event_finished(self, event: Event, run: Run) -> None:
            seen.append((event.id, run.attempt))

    for observer in entries("plugins", Observer()).observers:
        await observer(an_event(), RUN)

    assert seen == [("webhook:1", 1)]


async def test_hook_diagnose() -> None:
    class Looking:
        @hookimpl
        async def clear_cart(self, psid: str) -> CartResult:
            return CartResult.CLEARED

        @hookimpl
        async def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:
            yield Finding.ok(f"looked on {examination.today}")
            yield Finding.warning("the token ends", meaning="nothing is sent then", to_do="renew it")

    class NotAsked:
        @hookimpl
        async def clear_cart(self, psid: str) -> CartResult:
            return CartResult.CLEARED

    for section in ("carts", "plugins"):  # whatever list it stands in
        (looking,) = entries(section, NotAsked(), Looking()).examined

        found = [finding async for finding in looking(Examination(today=date(2026, 11, 26)))]

        assert looking.place == f"{section}[1]:looking"
        assert [(one.level.value, one.what) for one in found] == [
            ("ok", "looked on 2026-11-26"),
            ("warning", "the token ends"),
        ]


async def test_hook_erase_person() -> None:
    erased: list[frozenset[int]] = []

    class Register:
        @hookimpl
        async def erase_person(self, person: PersonToErase) -> None:
            erased.append(person.order_ids)

    for plugin in entries("plugins", Register()).erasers:
        await plugin(PersonToErase(order_ids=frozenset({1001})))

    assert erased == [{1001}]


async def test_hook_start() -> None:
    lines: list[str] = []
    hooks = entries("plugins", LifeCycle("a", lines), LifeCycle("b", lines))

    await hooks.start(context_of)

    assert lines == ["start a in acme.myshopify.com", "start b in acme.myshopify.com"]


async def test_hook_stop() -> None:
    lines: list[str] = []
    hooks = entries("plugins", LifeCycle("a", lines), LifeCycle("b", lines))
    await hooks.start(context_of)
    lines.clear()

    await hooks.stop()
    await hooks.stop()

    assert lines == ["stop b", "stop a"]


def test_every_hook_has_a_test_of_its_own() -> None:
    hooks = [name for name in vars(HookSpecs) if not name.startswith("_")]

    assert [name for name in hooks if f"test_hook_{name}" not in globals()] == []


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    async def resolve_psid(self) -> Resolution:
        return Resolution(psid=self.name, trust=Trust.ANY)


async def test_plugins_are_asked_in_the_order_of_the_yaml() -> None:
    hooks = entries("resolvers", *(Named(name) for name in "31524"))

    assert [(await resolver(ORDER)).psid for resolver in hooks.resolvers] == list("31524")  # type: ignore[union-attr]


async def test_the_same_plugin_stands_twice_with_different_settings() -> None:
    hooks = entries("resolvers", Named("1"), Named("2"))

    assert [resolver.place for resolver in hooks.resolvers] == ["resolvers[0]:named", "resolvers[1]:named"]
    assert hooks.places == ["resolvers[0]:named", "resolvers[1]:named"]


async def test_a_plugin_may_be_a_dataclass_and_stand_twice_with_equal_settings() -> None:
    """A dataclass that compares by value has no hash, and two of them are equal."""

    @dataclass
    class Plain:
        psid: str

        @hookimpl
        async def resolve_psid(self, order: Order) -> Resolution:
            return Resolution(psid=self.psid, trust=Trust.ANY)

    hooks = entries("resolvers", Plain("1"), Plain("1"))

    assert [(await resolver(ORDER)) for resolver in hooks.resolvers] == [Resolution(psid="1", trust=Trust.ANY)] * 2


class Backwards:
    @hookimpl
    async def clear_cart(self, order: Order, psid: str) -> CartResult:
        return CartResult.CLEARED if (psid, order) == (PSID, ORDER) else CartResult.KEPT


class OnlyThePsid:
    @hookimpl
    async def clear_cart(self, psid: str) -> CartResult:
        return CartResult.CLEARED if psid == PSID else CartResult.KEPT


class NoArguments:
    @hookimpl
    async def clear_cart(self) -> CartResult:
        return CartResult.CLEARED


@pytest.mark.parametrize("plugin", [Backwards(), OnlyThePsid(), NoArguments()])
async def test_a_plugin_takes_any_subset_of_the_arguments_by_name(plugin: object) -> None:
    (cart,) = entries("carts", plugin).carts

    assert await cart(PSID, ORDER) is CartResult.CLEARED


async def test_hooks_that_a_plugin_inherits_are_its_own() -> None:
    class Child(Named):
        pass

    (resolver,) = entries("resolvers", Child("7")).resolvers

    assert await resolver(ORDER) == Resolution(psid="7", trust=Trust.ANY)
