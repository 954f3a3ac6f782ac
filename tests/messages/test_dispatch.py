"""A message is claimed and handed to the senders in their order, and what they say is recorded, whatever goes wrong."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shopbot.hook_call import PluginInstance
from shopbot.hooks import Hooks
from shopbot.host.blueprint import load_blueprint
from shopbot.messages.dispatch import Dispatcher
from shopbot.messages.doubt import Doubt, DoubtPolicy
from shopbot.messages.gate import Gate
from shopbot.messages.message import About, SendRequest
from shopbot.messages.mode import WindowPolicy
from shopbot.messages.renderer import Renderer
from shopbot.metrics import Metrics, ShopMetrics
from shopbot.model.event import Event, Source
from shopbot.model.outcome import Outcome, Status
from shopbot.model.shared_keys import SharedKeys
from shopbot.plugin import ChannelDown, InDoubt, OutboundMessage, Reason, Receipt, Refused, Retry, hookimpl
from shopbot.rules.news import read_json, read_news
from shopbot.store.channels import PROBE_SECONDS, Channels, ChannelState
from shopbot.store.claims import Claim, Claims, ClaimState, Ticket
from shopbot.store.conversations import Conversations
from shopbot.store.echoes import Echoes
from shopbot.store.references import References
from shopbot.testing.host import SECRET
from shopbot.testing.orders import order_bytes, paid_order
from support.attacked_shop import TEMPLATE, config, message
from support.store_parts import KEYS, NOW
from support.stores import OpenStore, running_store

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
RULE, SUBJECT = "order_confirmation", f"order:{ORDER_ID}"
DAY_SECONDS = 86_400.0
DEADLINE = timedelta(minutes=2)
SENT = Receipt(message_id="m_1")
WINDOW_CLOSED = Refused("the window is closed", code=Reason.OUTSIDE_WINDOW)
ANSWER = {"order_confirmation": {"tag": "order_answer", "text": "Here you are", "utility_template": "none"}}

Answer = Receipt | Exception | None


class Told:
    """A sender that answers as it is told, one answer for each message; without one left it takes them all."""

    def __init__(self, *answers: Answer, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self.received: list[OutboundMessage] = []
        self.meanwhile = meanwhile
        """What happens while it works on a message."""
        self._answers = list(answers)

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> Receipt | None:
        self.received.append(message)
        if self.meanwhile is not None:
            await self.meanwhile()
        answer = self._answers.pop(0) if self._answers else SENT
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Desk:
    """A dispatcher and what its shop's store holds."""

    dispatcher: Dispatcher
    store: OpenStore
    claims: Claims
    channels: Channels
    conversations: Conversations
    references: References
    echoes: Echoes
    metrics: Metrics
    now: datetime = NOW

    async def claim(self) -> Claim | None:
        return await self.claims.look(RULE, SUBJECT)

    async def in_line(self) -> list[str]:
        """Give the events in the shopper's line, the first one first."""
        entries: Any = await self.store.client.zrange(KEYS.line(PSID), 0, -1)
        return [entry.decode() for entry in entries]

    def calls(self) -> dict[tuple[str, str], float]:
        """Count the calls of senders, by sender and result."""
        [sends] = self.metrics.sends.collect()
        return {
            (sample.labels["sender"], sample.labels["result"]): sample.value
            for sample in sends.samples
            if sample.name.endswith("_count")
        }


@asynccontextmanager
async def a_desk(
    tmp_path: Path, *senders: Told, messages: dict[str, Any] | None = None, knowable: bool = False
) -> AsyncIterator[Desk]:
    """Run a dispatcher on an embedded store.

    knowable: whether the shop sees what shoppers do in Messenger.
    """
    path = tmp_path / "shopbot.yaml"
    path.write_text(config(messages=messages or message()), encoding="utf-8")
    names = ("SHOPIFY_WEBHOOK_SECRET", "MESSENGER_PAGE_TOKEN", "MESSENGER_URL")
    blueprint = load_blueprint(path, dict.fromkeys(names, "https://x") | {"SHOPIFY_WEBHOOK_SECRET": SECRET})
    hooks = Hooks([PluginInstance("senders", place, f"told{place}", sender) for place, sender in enumerate(senders)])

    def clock() -> datetime:
        return desk.now

    async with running_store("embedded", tmp_path) as store:
        claims, echoes = Claims(store.client, KEYS, line_ttl_seconds=DAY_SECONDS), Echoes(store.client, KEYS)
        channels, conversations = Channels(store.client, KEYS), Conversations(store.client, KEYS)
        references = References(store.client, KEYS, SharedKeys(""), ttl_seconds=DAY_SECONDS)
        metrics = Metrics()
        dispatcher = Dispatcher(
            renderer=Renderer(blueprint.messages, blueprint.sandbox, blueprint.shop, blueprint.calendar),
            senders=[(hook, Gate(hook.instance.channel, channels, clock)) for hook in hooks.senders],
            claims=claims,
            doubt=Doubt(claims=claims, echoes=echoes, policy=DoubtPolicy(DEADLINE, resend=True), clock=clock),
            conversations=conversations,
            references=references,
            clock=clock,
            window=WindowPolicy(),
            windows_knowable=lambda: knowable,
            metrics=ShopMetrics(metrics, "acme.myshopify.com"),
        )
        desk = Desk(dispatcher, store, claims, channels, conversations, references, echoes, metrics)
        yield desk


def a_request(
    event_id: str = "webhook:1",
    *,
    topic: str = "orders/paid",
    subject: str = SUBJECT,
    minutes: float = 0.0,
    confirms_order: bool = True,
    asked: bool = False,
    **fields: Any,  # noqa: ANN401 - any JSON value
) -> SendRequest:
    """Ask for the confirmation of the one order, with some of its *fields* changed.

    minutes: how long after the others the event came.
    """
    body = order_bytes(paid_order(order_id=ORDER_ID, psid=PSID) | fields)
    received_at = NOW + timedelta(minutes=minutes)
    event = Event(id=event_id, topic=topic, source=Source.WEBHOOK, received_at=received_at, body=body)
    return SendRequest(
        message="order_confirmation",
        psid=PSID,
        about=About(event=event, order=read_news("orders/paid", read_json(body)).order),
        rule=RULE,
        subject=subject,
        confirms_order=confirms_order,
        claim_ttl_seconds=DAY_SECONDS,
        asked=asked,
    )


def a_ticket(event_id: str, *, subject: str = SUBJECT, minutes: float = 0.0) -> Ticket:
    received_at = NOW + timedelta(minutes=minutes)
    return Ticket(RULE, subject, f"token of {event_id}", event_id, PSID, received_at, in_line=False)


async def take(desk: Desk, ticket: Ticket) -> None:
    assert (await desk.claims.take(ticket, desk.now, ttl_seconds=DAY_SECONDS)).state is ClaimState.NEW


def short(outcome: Outcome) -> tuple[Status, Reason | None, str]:
    return outcome.status, outcome.reason, outcome.plugin


class TestWhatSendersSay:
    async def test_a_message_that_is_taken_is_recorded_and_its_order_confirmed(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            outcome = await desk.dispatcher.send(a_request())
            claim, reference = await desk.claim(), await desk.references.find(PSID, ORDER_ID)

            assert short(outcome) == (Status.DONE, None, "senders[0]:told0")
            assert outcome.detail == (
                "m_1, UPDATE: no Messenger webhook is configured that would tell of the shopper's activity"
            )
            assert claim is not None
            assert (claim.state, claim.message_id, claim.event_id) == (ClaimState.SENT, "m_1", "webhook:1")
            assert sender.received[0].claim == f"shopbot|{RULE}:{SUBJECT}|{claim.token}"
            assert reference is not None
            assert reference.confirmed_at == NOW
            assert await desk.in_line() == []
            assert await desk.store.client.exists(KEYS.unsent(PSID)) == 0
            assert desk.calls() == {("senders[0]:told0", "sent"): 1}

    async def test_the_time_that_a_sender_takes_is_measured(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            before = asyncio.get_running_loop().time()
            await desk.dispatcher.send(a_request())
            [sends] = desk.metrics.sends.collect()
            [seconds] = [sample.value for sample in sends.samples if sample.name.endswith("_sum")]

        assert 0 <= seconds < before  # the loop's clock counts from when the machine was started

    async def test_a_message_that_confirms_nothing_leaves_the_order_as_it_is(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            assert (await desk.dispatcher.send(a_request(confirms_order=False))).status is Status.DONE
            assert await desk.references.find(PSID, ORDER_ID) is None

    async def test_an_event_without_an_order_confirms_none(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(), messages=ANSWER) as desk:
            request = a_request()
            outcome = await desk.dispatcher.send(replace(request, about=replace(request.about, order=None)))

        assert outcome.status is Status.DONE

    async def test_two_sends_never_share_a_token(self, tmp_path: Path) -> None:
        """Whoever could guess one could forge an echo."""
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            for number in range(3):
                await desk.dispatcher.send(a_request(f"webhook:{number}", subject=f"order:{number}"))

        tokens = {received.claim.rpartition("|")[2] for received in sender.received}
        assert len(tokens) == 3
        assert min(len(token) for token in tokens) >= 24

    async def test_what_one_sender_passes_the_next_one_sends(self, tmp_path: Path) -> None:
        first, second, third = Told(None), Told(), Told()
        async with a_desk(tmp_path, first, second, third) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.DONE, None, "senders[1]:told1")
            assert (len(first.received), len(second.received), len(third.received)) == (1, 1, 0)
            assert desk.calls() == {("senders[0]:told0", "passed"): 1, ("senders[1]:told1", "sent"): 1}

    async def test_what_no_sender_takes_is_given_up_and_can_be_sent_again(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(None), Told(None)) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.FAILED, Reason.NO_SENDER, "senders[1]:told1")
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_a_refusal_ends_it_and_nobody_waits_behind_it(self, tmp_path: Path) -> None:
        second = Told()
        async with a_desk(tmp_path, Told(Refused("blocked")), second) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.FAILED, Reason.MESSAGE_SEND_FAILED, "senders[0]:told0")
            assert outcome.detail == "blocked"
            assert second.received == []
            assert await desk.claim() is None
            assert await desk.in_line() == []
            assert desk.calls() == {("senders[0]:told0", "refused"): 1}

    async def test_a_failure_that_may_pass_keeps_the_place_in_the_line_and_not_the_claim(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(Retry("busy", after_seconds=7.0), None)) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.DEFERRED, Reason.MESSAGE_SEND_FAILED, "senders[0]:told0")
            assert (outcome.detail, outcome.retry_after_seconds) == ("busy", 7.0)
            assert await desk.claim() is None
            assert await desk.in_line() == ["webhook:1"]
            assert desk.calls() == {("senders[0]:told0", "retry"): 1}

    @pytest.mark.parametrize(
        ("failure", "reason", "state", "result"),
        [
            (ChannelDown("the token is revoked"), Reason.CHANNEL_DOWN, ChannelState.DOWN, "channel_down"),
            (Retry("too many calls", pauses_channel=True), Reason.CHANNEL_PAUSED, ChannelState.PAUSED, "retry"),
        ],
    )
    async def test_a_failure_of_the_channel_closes_it_and_frees_the_message(
        self, tmp_path: Path, failure: Exception, reason: Reason, state: ChannelState, result: str
    ) -> None:
        async with a_desk(tmp_path, Told(failure)) as desk:
            outcome = await desk.dispatcher.send(a_request())
            closure = await desk.channels.closure("told0", desk.now)

            assert short(outcome) == (Status.HELD, reason, "senders[0]:told0")
            assert outcome.detail == str(failure)
            assert closure is not None
            assert closure.state is state
            assert await desk.claim() is None
            assert await desk.in_line() == ["webhook:1"]
            assert desk.calls() == {("senders[0]:told0", result): 1}

    async def test_a_closed_channel_is_asked_before_the_message_is_claimed(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await desk.channels.down("told0", "revoked", desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.HELD, Reason.CHANNEL_DOWN, "")
            assert await desk.claim() is None
            assert sender.received == []

    async def test_a_later_senders_closed_channel_frees_the_message(self, tmp_path: Path) -> None:
        second = Told()
        async with a_desk(tmp_path, Told(None), second) as desk:
            await desk.channels.down("told1", "revoked", desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.HELD, Reason.CHANNEL_DOWN)
            assert await desk.claim() is None
            assert second.received == []

    async def test_each_sender_goes_through_its_own_gate(self, tmp_path: Path) -> None:
        """The probe that got through opens the channel of the one that sent, and no other."""
        async with a_desk(tmp_path, Told(None), Told()) as desk:
            for name in ("told0", "told1"):
                await desk.channels.down(name, "revoked", desk.now)
            desk.now += timedelta(seconds=PROBE_SECONDS)

            assert (await desk.dispatcher.send(a_request())).status is Status.DONE

            first = await desk.channels.closure("told0", desk.now)
            assert first is not None
            assert await desk.channels.closure("told1", desk.now) is None

    async def test_a_message_that_is_not_sent_after_all_leaves_the_probe_to_the_next(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await take(desk, a_ticket("webhook:other"))
            await desk.channels.down("told0", "revoked", desk.now)
            desk.now += timedelta(seconds=PROBE_SECONDS)
            outcome = await desk.dispatcher.send(a_request())
            closure = await desk.channels.closure("told0", desk.now)

            assert outcome.reason is Reason.IN_PROGRESS
            assert closure is not None
            assert closure.may_be_tried(desk.now)
            assert sender.received == []


class TestOutsideTheWindow:
    async def test_what_the_platform_refuses_there_goes_once_more_as_the_template(self, tmp_path: Path) -> None:
        sender = Told(WINDOW_CLOSED)
        async with a_desk(tmp_path, sender, messages=message(utility_template=TEMPLATE), knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert [received.delivery for received in sender.received] == ["UPDATE", "UTILITY"]
            assert outcome.detail == "m_1, UTILITY: the window is closed"
            assert desk.calls() == {("senders[0]:told0", "refused"): 1, ("senders[0]:told0", "sent"): 1}

    async def test_a_template_that_is_refused_is_not_tried_again(self, tmp_path: Path) -> None:
        sender = Told(WINDOW_CLOSED)
        async with a_desk(tmp_path, sender, messages=message(utility_template=TEMPLATE)) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert [received.delivery for received in sender.received] == ["UTILITY"]
            assert short(outcome) == (Status.FAILED, Reason.OUTSIDE_WINDOW, "senders[0]:told0")

    async def test_another_refusal_is_no_reason_for_the_template(self, tmp_path: Path) -> None:
        sender = Told(Refused("blocked"))
        async with a_desk(tmp_path, sender, messages=message(utility_template=TEMPLATE), knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            outcome = await desk.dispatcher.send(a_request())

            assert outcome.reason is Reason.MESSAGE_SEND_FAILED
            assert len(sender.received) == 1

    async def test_without_a_template_it_waits_for_the_shopper(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(WINDOW_CLOSED), messages=message(utility_template="none")) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.FAILED, Reason.OUTSIDE_WINDOW, "senders[0]:told0")
            assert outcome.detail == "the window is closed, and no approved `utility_template:` can be used"
            assert await desk.store.client.exists(KEYS.unsent(PSID)) == 1
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_what_the_shop_drops_is_dropped(self, tmp_path: Path) -> None:
        drops = message(utility_template="none", on_limit="drop")
        async with a_desk(tmp_path, Told(WINDOW_CLOSED), messages=drops) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert short(outcome) == (Status.SKIPPED, Reason.OUTSIDE_WINDOW, "senders[0]:told0")

    @pytest.mark.parametrize(("on_limit", "waits"), [("hold", 1), ("drop", 0)])
    async def test_a_window_that_is_known_to_be_closed_costs_no_call(
        self, tmp_path: Path, on_limit: str, waits: int
    ) -> None:
        sender = Told()
        held = message(utility_template="none", on_limit=on_limit)
        async with a_desk(tmp_path, sender, messages=held, knowable=True) as desk:
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.reason, outcome.plugin) == (Reason.OUTSIDE_WINDOW, "")
            assert outcome.detail.startswith("no activity of the shopper is known, and")
            assert sender.received == []
            assert await desk.in_line() == []
            assert await desk.store.client.exists(KEYS.unsent(PSID)) == waits

    async def test_a_shopper_who_writes_between_two_looks_gets_the_message(self, tmp_path: Path) -> None:
        """Nothing else would bring it back: they have written already."""
        sender = Told()
        async with a_desk(tmp_path, sender, messages=message(utility_template="none"), knowable=True) as desk:
            wait = desk.conversations.wait

            async def written_meanwhile(psid: str, event_id: str, now: datetime) -> None:
                await desk.conversations.active(psid, now)
                await wait(psid, event_id, now)

            desk.conversations.wait = written_meanwhile  # type: ignore[method-assign]
            outcome = await desk.dispatcher.send(a_request())

        assert outcome.status is Status.DONE
        assert [received.delivery for received in sender.received] == ["UPDATE"]


class TestWhoeverHasTheMessage:
    async def test_what_this_event_has_sent_is_only_booked_again(self, tmp_path: Path) -> None:
        """The process ended between the record of the send and the rest."""
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            ticket = a_ticket("webhook:1")
            await take(desk, ticket)
            await desk.claims.sent(ticket, "m_0", NOW)
            desk.now += timedelta(minutes=1)

            outcome = await desk.dispatcher.send(a_request())
            reference = await desk.references.find(PSID, ORDER_ID)

            assert (outcome.status, outcome.detail) == (Status.DONE, "m_0, as recorded before")
            assert reference is not None
            assert reference.confirmed_at == NOW
            assert await desk.in_line() == []
            assert sender.received == []

    @pytest.mark.parametrize(("sent", "reason"), [(True, Reason.ALREADY_CONFIRMED), (False, Reason.IN_PROGRESS)])
    async def test_what_another_event_has_is_left_to_it(self, tmp_path: Path, reason: Reason, *, sent: bool) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            ticket = a_ticket("webhook:other")
            await take(desk, ticket)
            if sent:
                await desk.claims.sent(ticket, "m_0", NOW)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.SKIPPED, reason)
            assert "webhook:other" in outcome.detail
            assert await desk.in_line() == []
            assert await desk.references.find(PSID, ORDER_ID) is None
            assert sender.received == []

    async def test_another_events_message_in_doubt_is_left_to_it(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            ticket = a_ticket("webhook:other")
            await take(desk, ticket)
            await desk.claims.doubt(ticket, NOW)
            desk.now += DEADLINE

            assert (await desk.dispatcher.send(a_request())).reason is Reason.IN_PROGRESS
            assert sender.received == []

    async def test_its_own_unfinished_send_is_in_doubt_and_not_repeated(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await take(desk, a_ticket("webhook:1"))
            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert (outcome.status, outcome.reason) == (Status.HELD, Reason.IN_DOUBT)
            assert claim is not None
            assert claim.state is ClaimState.IN_DOUBT
            assert sender.received == []

    async def test_on_evidence_that_it_was_lost_it_is_claimed_anew_and_sent(self, tmp_path: Path) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await desk.echoes.listening(NOW - timedelta(hours=1))
            lost, echoed = a_ticket("webhook:1"), a_ticket("webhook:2", subject="order:2")
            await take(desk, lost)
            await desk.claims.doubt(lost, desk.now)
            desk.now += timedelta(seconds=1)
            await take(desk, echoed)
            await desk.claims.sent(echoed, "m_2", desk.now)
            await desk.echoes.arrived(f"{RULE}:order:2", echoed.token, "m_2", desk.now)
            desk.now += DEADLINE

            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert outcome.status is Status.DONE
            assert claim is not None
            assert claim.state is ClaimState.SENT
            assert claim.token != lost.token
            assert len(sender.received) == 1


class TestTheShoppersLine:
    @pytest.mark.parametrize(("waited_seconds", "pause_seconds"), [(0.0, 0.5), (20.0, 5.0), (3600.0, 15.0)])
    async def test_behind_an_earlier_event_it_looks_again_the_later_the_longer_it_has_waited(
        self, tmp_path: Path, waited_seconds: float, pause_seconds: float
    ) -> None:
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            await desk.claims.join(PSID, "webhook:0", NOW - timedelta(minutes=1))
            desk.now += timedelta(seconds=waited_seconds)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.DEFERRED, Reason.WAITING_FOR_EARLIER)
            assert outcome.detail == "behind webhook:0"
            assert outcome.retry_after_seconds == pause_seconds
            assert await desk.in_line() == ["webhook:0", "webhook:1"]
            assert sender.received == []

    async def test_a_place_is_taken_by_arrival_before_anything_holds_the_message_up(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told()) as desk:
            await desk.channels.down("told0", "revoked", desk.now)
            await desk.dispatcher.send(a_request("webhook:2", minutes=2, subject="order:2"))
            await desk.dispatcher.send(a_request("webhook:1", minutes=1))

            assert await desk.in_line() == ["webhook:1", "webhook:2"]

    async def test_an_answer_takes_no_place_and_waits_for_nobody(self, tmp_path: Path) -> None:
        sender = Told(Retry("busy"), None)
        async with a_desk(tmp_path, sender, messages=ANSWER) as desk:
            await desk.claims.join(PSID, "webhook:0", NOW - timedelta(minutes=1))
            request = a_request("messenger:1", topic="messenger/message", subject="event:messenger:1")
            outcome = await desk.dispatcher.send(request)

            assert outcome.reason is Reason.MESSAGE_SEND_FAILED
            assert sender.received[0].delivery == "RESPONSE"
            assert await desk.in_line() == ["webhook:0"]


class TestTheLimit:
    @pytest.mark.parametrize(("passed_seconds", "wait_seconds"), [(400.0, DAY_SECONDS - 400.0), (86_399.5, 1.0)])
    async def test_a_held_message_waits_for_the_moment_and_at_least_a_second(
        self, tmp_path: Path, passed_seconds: float, wait_seconds: float
    ) -> None:
        async with a_desk(tmp_path, Told(), messages=message(limit="1/day")) as desk:
            await desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
            free_at = desk.now + timedelta(days=1)
            desk.now += timedelta(seconds=passed_seconds)
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.DEFERRED, Reason.LIMIT_REACHED)
            assert outcome.detail == f"held until {free_at.isoformat()}"
            assert outcome.retry_after_seconds == wait_seconds

    async def test_what_the_shop_drops_over_the_limit_does_not_wait(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(), messages=message(limit="1/day", on_limit="drop")) as desk:
            await desk.dispatcher.send(a_request("webhook:0", subject="order:0"))
            outcome = await desk.dispatcher.send(a_request())

            assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.LIMIT_REACHED)
            assert await desk.claim() is None
            assert await desk.in_line() == []

    async def test_answers_are_not_limited(self, tmp_path: Path) -> None:
        answers = {"order_confirmation": ANSWER["order_confirmation"] | {"limit": "1/day"}}
        async with a_desk(tmp_path, Told(), messages=answers) as desk:
            ends = [
                (
                    await desk.dispatcher.send(
                        a_request(f"messenger:{n}", topic="messenger/message", subject=f"event:{n}")
                    )
                )
                for n in range(3)
            ]

        assert [end.status for end in ends] == [Status.DONE] * 3

    async def test_inside_the_window_nothing_is_limited(self, tmp_path: Path) -> None:
        async with a_desk(tmp_path, Told(), messages=message(limit="1/day"), knowable=True) as desk:
            await desk.conversations.active(PSID, desk.now)
            ends = [
                (await desk.dispatcher.send(a_request(f"webhook:{n}", subject=f"order:{n}"))).status for n in range(3)
            ]

        assert ends == [Status.DONE] * 3


class TestDoubt:
    @pytest.mark.parametrize("failure", [InDoubt("no answer came"), RuntimeError("a bug")])
    async def test_a_sender_that_broke_off_may_have_sent(self, tmp_path: Path, failure: Exception) -> None:
        second = Told()
        async with a_desk(tmp_path, Told(failure), second) as desk:
            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert short(outcome) == (Status.HELD, Reason.IN_DOUBT, "senders[0]:told0")
            assert str(failure) in outcome.detail
            assert outcome.retry_after_seconds == DEADLINE.total_seconds()
            assert claim is not None
            assert claim.state is ClaimState.IN_DOUBT
            assert second.received == []
            result = "in_doubt" if isinstance(failure, InDoubt) else "failed"
            assert desk.calls() == {("senders[0]:told0", result): 1}

    async def test_an_echo_that_was_faster_than_the_failure_settles_it(self, tmp_path: Path) -> None:
        sender = Told(InDoubt("no answer came"))
        async with a_desk(tmp_path, sender) as desk:

            async def echo() -> None:
                claim = await desk.claim()
                assert claim is not None
                await desk.echoes.arrived(f"{RULE}:{SUBJECT}", claim.token, "m_echoed", desk.now)

            sender.meanwhile = echo
            outcome = await desk.dispatcher.send(a_request())
            reference = await desk.references.find(PSID, ORDER_ID)

            assert short(outcome) == (Status.DONE, None, "senders[0]:told0")
            assert outcome.detail == "m_echoed, by its echo"
            assert reference is not None
            assert reference.confirmed_at == NOW
            assert await desk.in_line() == []

    async def test_a_message_that_another_process_has_sent_meanwhile_is_not_this_ones(self, tmp_path: Path) -> None:
        """This one was held up for so long that its claim was settled and taken by others."""
        sender = Told(InDoubt("no answer came"))
        async with a_desk(tmp_path, sender) as desk:

            async def others() -> None:
                await desk.store.client.delete(KEYS.claim(RULE, SUBJECT))
                theirs = a_ticket("webhook:other")
                await take(desk, theirs)
                await desk.claims.sent(theirs, "m_other", desk.now)

            sender.meanwhile = others
            outcome = await desk.dispatcher.send(a_request())

            assert outcome.reason is Reason.IN_DOUBT
            assert await desk.references.find(PSID, ORDER_ID) is None

    async def test_a_store_that_lost_the_claim_meanwhile_does_not_end_the_doubt(self, tmp_path: Path) -> None:
        sender = Told(InDoubt("no answer came"))
        async with a_desk(tmp_path, sender) as desk:
            sender.meanwhile = desk.store.client.flushall
            outcome = await desk.dispatcher.send(a_request())

        assert short(outcome) == (Status.HELD, Reason.IN_DOUBT, "senders[0]:told0")

    @pytest.mark.parametrize(("frozen_seconds", "calls"), [(10.0, 1), (10.5, 0)])
    async def test_a_process_that_was_frozen_between_claim_and_call_does_not_call(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen_seconds: float, calls: int
    ) -> None:
        """Others may have settled the claim, and the message may be out by now."""
        moments = iter([100.0, 100.0 + frozen_seconds])
        monkeypatch.setattr("shopbot.messages.dispatch.time", SimpleNamespace(monotonic=lambda: next(moments)))
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            outcome = await desk.dispatcher.send(a_request())
            claim = await desk.claim()

            assert len(sender.received) == calls
            assert outcome.plugin == "senders[0]:told0"
            assert claim is not None
            assert claim.state is (ClaimState.SENT if calls else ClaimState.IN_DOUBT)
            assert outcome.reason is (None if calls else Reason.IN_DOUBT)


class TestAStoreThatIsAway:
    async def test_a_verdict_is_written_when_it_is_back(self, tmp_path: Path) -> None:
        """A lost verdict would leave a message in doubt that the shopper has."""
        sender = Told()
        async with a_desk(tmp_path, sender) as desk:
            sender.meanwhile = desk.store.go_away

            async def back() -> None:
                while not sender.received:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                await desk.store.come_back()

            outcome, _ = await asyncio.gather(desk.dispatcher.send(a_request()), back())
            claim = await desk.claim()

            assert outcome.status is Status.DONE
            assert claim is not None
            assert claim.state is ClaimState.SENT
            assert len(sender.received) == 1

    async def test_it_is_tried_for_a_quarter_of_a_minute_and_then_the_fault_comes_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The event stays with its worker; delivered again, its message is in doubt."""
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        async def away(*_: object) -> bool:
            raise ConnectionError("the store is away")

        async with a_desk(tmp_path, Told()) as desk:
            monkeypatch.setattr(desk.claims, "sent", away)
            monkeypatch.setattr(
                "shopbot.messages.dispatch.asyncio",
                SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop),
            )
            with pytest.raises(ConnectionError):
                await desk.dispatcher.send(a_request())

            again = await desk.dispatcher.send(a_request())

        assert 15.0 < sum(pauses) < 16.0
        assert pauses[0] < 0.1  # most often it is back at once
        assert all(1.9 < later / earlier < 2.6 for earlier, later in itertools.pairwise(pauses))
        assert again.reason is Reason.IN_DOUBT


async def test_a_template_that_fails_claims_nothing(tmp_path: Path) -> None:
    sender = Told()
    async with a_desk(tmp_path, sender, messages=message(text="{{ 1 // (order.name | length - 3) }}")) as desk:
        outcome = await desk.dispatcher.send(a_request(name="#12"))

        assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.TEMPLATE_FAILED)
        assert outcome.detail
        assert await desk.claim() is None
        assert await desk.in_line() == []
        assert sender.received == []


@pytest.mark.parametrize(
    ("topic", "asked", "sent"),
    [
        pytest.param("messenger/message", True, True, id="what they asked for"),
        pytest.param("messenger/message", False, False, id="an answer to whatever they write"),
        pytest.param("orders/paid", True, False, id="news"),
    ],
)
async def test_who_wants_no_messages_gets_what_they_ask_for_and_nothing_else(
    tmp_path: Path,
    topic: str,
    *,
    asked: bool,
    sent: bool,
) -> None:
    sender = Told()
    async with a_desk(tmp_path, sender, messages=ANSWER) as desk:
        await desk.conversations.opt_out(PSID, desk.now)
        outcome = await desk.dispatcher.send(a_request(topic=topic, asked=asked))

        assert outcome.reason is (None if sent else Reason.OPTED_OUT)
        assert len(sender.received) == sent
        assert await desk.in_line() == []


async def test_a_message_that_is_to_be_sent_later_has_its_place_now(tmp_path: Path) -> None:
    async with a_desk(tmp_path, Told()) as desk:
        for number in (2, 1):
            await desk.dispatcher.line_up(PSID, a_request(f"webhook:{number}", minutes=number).event)

        assert await desk.in_line() == ["webhook:1", "webhook:2"]
