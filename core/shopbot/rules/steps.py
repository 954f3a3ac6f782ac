"""The steps that the framework knows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from shopbot.hooks import Hook, Hooks, PluginFailedError
from shopbot.messages.dispatch import Dispatcher
from shopbot.messages.message import About, SendRequest
from shopbot.model.cart import CartResult
from shopbot.model.failures import Retry
from shopbot.model.order import Order
from shopbot.model.outcome import Outcome, Status
from shopbot.model.psid import Resolution, mask
from shopbot.model.reason import Reason
from shopbot.rules.attempt import Attempt
from shopbot.rules.rule import Rule, Step
from shopbot.rules.signed_tokens import NotTrustedError
from shopbot.rules.talk import Talk
from shopbot.rules.vouching import Vouching
from shopbot.store.references import References
from shopbot.store.shoppers import Shoppers

StepFunction = Callable[[Attempt, Rule, Step], Awaitable[Sequence[Outcome]]]
"""Runs a step; one outcome per plugin that had a part in it, the step's own result last."""

STEP_NAMES = (
    "resolve_psid",
    "clear_cart",
    "save_order_reference",
    "send_message",
    "note_checkout",
    "find_orders",
    "update_order_reference",
    "opt_out",
    "opt_in",
)


class Steps:
    """The built-in steps of one host, and those that its plugins bring."""

    def __init__(
        self,
        *,
        hooks: Hooks,
        shoppers: Shoppers,
        vouching: Vouching,
        references: References,
        dispatcher: Dispatcher,
        note_checkout: StepFunction,
        talk: Talk,
        update_order_reference: StepFunction,
        compliance: Mapping[str, StepFunction],
        order_ttl_seconds: float,
        event_ttl_seconds: float,
    ) -> None:
        """Bring together what the steps work on.

        compliance: the steps of the rules that are always there, which no other rule can name.
        order_ttl_seconds: how long an order counts as confirmed: the life of its reference.
        event_ttl_seconds: the same for messages that are sent once per event: the life of its journal.
        """
        self._hooks = hooks
        self._shoppers = shoppers
        self._vouching = vouching
        self._references = references
        self._dispatcher = dispatcher
        self._order_ttl_seconds = order_ttl_seconds
        self._event_ttl_seconds = event_ttl_seconds
        self._log = structlog.get_logger("shopbot.rules")
        self._builtin: Mapping[str, StepFunction] = {
            "resolve_psid": self._resolve_psid,
            "clear_cart": self._clear_cart,
            "save_order_reference": self._save_order_reference,
            "send_message": self._send_message,
            "note_checkout": note_checkout,
            "find_orders": talk.find_orders,
            "opt_out": talk.opt_out,
            "opt_in": talk.opt_in,
            "update_order_reference": update_order_reference,
            **compliance,
        }

    async def run(self, attempt: Attempt, rule: Rule, step: Step) -> Sequence[Outcome]:
        """Run one step; faults of plugins come back as outcomes, faults of the store as exceptions."""
        builtin = self._builtin.get(step.name)
        if builtin is not None:
            outcomes = await builtin(attempt, rule, step)
            if step.name == "resolve_psid":
                await self._line_up(attempt, rule)
            return outcomes
        return [await self._plugin_step(attempt, rule, self._hooks.steps[step.name])]

    async def _resolve_psid(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        order = attempt.order
        if order is None:
            return [Outcome.skipped(Reason.NO_ORDER)]
        remembered = await self._shoppers.of_order(order.id)
        if remembered is not None:
            attempt.psid = remembered
            return [Outcome.done(f"{mask(remembered)}, as resolved before")]
        outcomes: list[Outcome] = []
        for resolver in self._hooks.resolvers:
            outcome = await self._ask(attempt, resolver, order)
            outcomes.append(outcome)
            if outcome.status is Status.DONE:
                return outcomes
        if any(outcome.status is Status.DEFERRED for outcome in outcomes):
            # A resolver that could not be asked might have known: ask again before giving the shopper up.
            return outcomes
        attempt.no_psid = next(
            (o for o in outcomes if o.reason is Reason.PSID_NOT_TRUSTED),
            Outcome.skipped(Reason.PSID_NOT_FOUND),
        )
        return [*outcomes, attempt.no_psid]

    async def _line_up(self, attempt: Attempt, rule: Rule) -> None:
        """Take the event's place among the shopper's messages as soon as the shopper is known.

        Between here and the send the process may be held up, and another one may work on the shopper's next order.
        """
        sends = [step for step in rule.steps if step.name == "send_message"]
        if attempt.psid is not None and any(attempt.settled(rule.name, step.place) is None for step in sends):
            await self._dispatcher.line_up(attempt.psid, attempt.event)
            attempt.lined_up = True

    async def _ask(self, attempt: Attempt, resolver: Hook[[Order], Resolution | None], order: Order) -> Outcome:
        try:
            resolution = await resolver(order)
        except Retry as failure:
            return Outcome.deferred(
                Reason.PSID_NOT_FOUND,
                failure.reason,
                plugin=resolver.place,
                retry_after_seconds=failure.after_seconds,
            )
        except PluginFailedError as failure:
            return Outcome.deferred(Reason.PLUGIN_FAILED, failure.what, plugin=resolver.place)
        if resolution is None:
            return Outcome.skipped(Reason.PSID_NOT_FOUND, plugin=resolver.place)
        try:
            psid = await self._vouching.psid(resolution, order)
        except NotTrustedError as objection:
            return Outcome.skipped(Reason.PSID_NOT_TRUSTED, str(objection), plugin=resolver.place)
        # Before any step clears the cart that vouches for the shopper: a retry must come to the same answer.
        await self._shoppers.remember(order.id, psid)
        attempt.psid = psid
        return Outcome.done(mask(psid), plugin=resolver.place)

    async def _clear_cart(self, attempt: Attempt, rule: Rule, step: Step) -> Sequence[Outcome]:
        psid, order = attempt.psid, attempt.order
        if order is None:
            return [Outcome.skipped(Reason.NO_ORDER)]
        if psid is None:
            return [attempt.without_psid()]
        return [
            await self._clear(cart, psid, order)
            for cart in self._hooks.carts
            if attempt.settled(rule.name, step.place, cart.place) is None
        ]

    async def _clear(self, cart: Hook[[str, Order], CartResult], psid: str, order: Order) -> Outcome:
        try:
            result = await cart(psid, order)
        except Retry as failure:
            return Outcome.deferred(
                Reason.CART_CLEAR_FAILED,
                failure.reason,
                plugin=cart.place,
                retry_after_seconds=failure.after_seconds,
            )
        except PluginFailedError as failure:
            return Outcome.deferred(Reason.CART_CLEAR_FAILED, failure.what, plugin=cart.place)
        return Outcome.done(result.value, plugin=cart.place)

    async def _save_order_reference(self, attempt: Attempt, rule: Rule, _step: Step) -> Sequence[Outcome]:
        if attempt.order is None:
            return [Outcome.skipped(Reason.NO_ORDER)]
        attempt.reference = await self._references.save(attempt.order, attempt.psid)
        attempt.reference_saved = True
        if attempt.psid is not None:
            return [Outcome.done()]
        reason = attempt.without_psid().reason
        self._log.warning("order_without_shopper", order_id=attempt.order.id, reason=reason, rule=rule.name)
        return [Outcome.done("kept as unresolved")]

    async def _send_message(self, attempt: Attempt, rule: Rule, step: Step) -> Sequence[Outcome]:
        if attempt.psid is None:
            return [attempt.without_psid()]
        news = attempt.news
        found = "none" if not attempt.orders else "several" if len(attempt.orders) > 1 else "one"
        request = SendRequest(
            message=step.otherwise.get(found, step.argument or ""),
            psid=attempt.psid,
            about=About(
                event=attempt.event,
                order=news.order,
                orders=attempt.orders,
                parcel=news.parcel,
                refund=news.refund,
                language=rule.filters.language(news),
            ),
            rule=rule.name,
            subject=rule.message_subject(attempt.event, news, step),
            confirms_order=attempt.reference_saved,
            reference=attempt.reference,
            called_off=await self._called_off(attempt, rule),
            claim_ttl_seconds=self._order_ttl_seconds if rule.by_business_key else self._event_ttl_seconds,
            asked=rule.filters.asks,
            lined_up=attempt.lined_up,
            keeps_place=attempt.keeps_place,
        )
        return [await self._dispatcher.send(request)]

    async def _called_off(self, attempt: Attempt, rule: Rule) -> bool:
        """Say whether an order that the rule takes because it is not cancelled is known to be cancelled by now.

        Its event may be late, or its message may have waited: for the channel, the limit, a retry.
        """
        if attempt.order is None or rule.filters.cancelled is not False:
            return False
        known = attempt.reference or await self._references.find(attempt.psid, attempt.order.id)
        return known is not None and known.cancelled_at is not None

    async def _plugin_step(self, attempt: Attempt, rule: Rule, plugin: Hook[..., Outcome]) -> Outcome:
        try:
            outcome = await plugin(attempt.event, attempt.view(rule.name))
        except Retry as failure:
            return Outcome.deferred(
                Reason.PLUGIN_FAILED,
                failure.reason,
                plugin=plugin.place,
                retry_after_seconds=failure.after_seconds,
            )
        except PluginFailedError as failure:
            return Outcome.deferred(Reason.PLUGIN_FAILED, failure.what, plugin=plugin.place)
        if outcome.status is Status.HELD:
            # Nothing would ever free it.
            return Outcome.failed(Reason.PLUGIN_FAILED, "run_step answered held", plugin=plugin.place)
        reason = outcome.reason
        if outcome.status is Status.FAILED and reason is None:
            reason = Reason.PLUGIN_FAILED  # a dead letter is found by its reason
        return outcome.model_copy(update={"plugin": plugin.place, "reason": reason})
