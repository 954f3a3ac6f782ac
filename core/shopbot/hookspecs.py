"""The contract between the host and its plugins: one hookspec per kind of work.

The host never calls these through pluggy's own relay, which asks last-registered first and lets one fault stop the
rest. It asks in the order of shopbot.yaml, one plugin at a time, with a time limit per call, and isolates faults:
an exception that a hook does not document is logged under the plugin's name and counts as that plugin's failure.
A plugin may take any subset of a hook's arguments, by name.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime

import pluggy

from shopbot.plugin import (
    CartResult,
    Checkout,
    CheckoutRequest,
    Context,
    Event,
    Examination,
    Finding,
    InboundRequest,
    MessagePreview,
    Order,
    OutboundMessage,
    Outcome,
    PersonToErase,
    PolledOrder,
    Receipt,
    Resolution,
    Run,
    TemplateDefinition,
    TemplateState,
    Verified,
)

hookspec = pluggy.HookspecMarker("shopbot")


class HookSpecs:
    """The hooks. All are `async def`, but not those that only compute.

    Those are `verify_request`, `sign_request`, `preview_message` and `template_filters`.
    `poll_orders` and `diagnose` are asynchronous generators: `async def` with `yield`.
    """

    @hookspec
    def verify_request(self, request: InboundRequest) -> Verified | None:
        """Say whether *request* really comes from the platform that its route is for.

        Asked for each inbound HTTP request, in the order of `verify:`, until one answers. A plain function, called on
        the event loop for every webhook: compute, never wait.

        request: headers, untrusted, and the raw body, which is all that a signature may cover.

        Return `Verified`, or None when requests on this route are not yours to judge. Raise `Rejected(status, reason)`
        to refuse. A request that nobody vouches for is refused, and one whose verifier fails is answered 503, so
        that the platform sends it again.
        """

    @hookspec
    def sign_request(self, request: InboundRequest) -> Sequence[Mapping[str, str]] | None:
        """Sign *request* as the platform would, with each secret.

        The reverse of `verify_request`, which must take every one of the signatures for the platform's own. Asked by
        `shopbot doctor --url` alone, which sends a harmless body through the public address; a verifier need not have
        this hook. A plain function: compute, never wait.

        request: without a signature.

        Return, for each secret in its order, the headers that a signature adds; or None when requests on this route are
        not yours to judge.
        """

    @hookspec
    async def resolve_psid(self, order: Order) -> Resolution | None:
        """Say which Messenger user placed *order*.

        Asked in the order of `resolvers:`. The first answer that the host may trust wins; an answer whose `trust` the
        host cannot establish is noted as PSID_NOT_TRUSTED and the next resolver is asked.

        order: from a verified event; every field but `id` may be missing.

        Return a `Resolution`, or None to let the next resolver try. Raise `Retry` for a fault that may pass. Time limit
        unless `time_limit:` says otherwise: 5 seconds.
        """

    @hookspec
    async def clear_cart(self, psid: str, order: Order) -> CartResult:  # type: ignore[empty-body]
        """Empty the cart that *psid* has paid for with *order*.

        Every backend in `carts:` is asked. Must be safe to repeat. Keep a cart that was changed after
        `order.created_at`: the shopper is already filling the next one.

        Return what became of the cart. Raise `Retry` for a fault that may pass: the backend is asked again later, and
        the confirmation does not wait for it. Time limit: 5 seconds.
        """

    @hookspec
    async def send_message(self, message: OutboundMessage) -> Receipt | None:
        """Send *message* to the shopper, once.

        Asked in the order of `senders:`; the first that does not answer None has sent it. The host has claimed the
        message for this call alone and stays inside the platform's rules with `message.delivery`.

        message: `claim` must travel with the message where the platform can echo it.

        A plugin's attribute `channel: str` names what shares a rate limit and a token (`messenger:<page id>`); without
        one it is the entry's name. Pauses and outages concern all messages of a channel, in all processes.

        Return the `Receipt`, or None when you do not serve this message (nothing was sent). Raise `Retry` (nothing was
        sent, try later), `Refused` (nothing was sent, never will be), `ChannelDown` (nothing can be sent until a person
        acts) or `InDoubt` (it may have been sent). Any other exception, and the time limit of 60 seconds, counts
        as `InDoubt`, so that no message is ever sent twice by guessing.
        """

    @hookspec
    def preview_message(self, message: OutboundMessage) -> MessagePreview | None:
        """Show what `send_message` would hand over for *message*, without sending it.

        Asked by `shopbot preview` alone, in the order of `senders:`, before or without `start`: compute, and do no I/O.
        Make it with the code that sends, so that what people see is what goes out. A sender need not have this hook;
        its messages are then shown without it.

        message: about a made-up shopper, with a made-up claim; everything else is as it would be sent.

        Return the `MessagePreview`, with signs such as "…" in the place of secrets, or None when you would not serve
        this message. Raise `Refused` where `send_message` would.
        """

    @hookspec
    async def manage_template(self, template: TemplateDefinition, submit: bool) -> TemplateState | None:  # noqa: FBT001
        """Say how a utility template stands with the platform, and submit it where the platform has none.

        Asked by `shopbot templates`, for each template whose words stand in shopbot.yaml, and by `shopbot doctor`, for
        all others, too; of each sender that has this hook; a sender need not.

        template: its `body` is empty where only the platform has the words: then any will do that have as many
            placeholders as there are `examples`.
        submit: False only looks. What the platform has already is never changed.

        Return the state, or None when you know nothing of templates. Raise `Retry` for a fault that may pass, `Refused`
        where the platform will not take it, `ChannelDown` where nothing can be done until a person acts. Time limit:
        30 seconds.
        """

    @hookspec
    def poll_orders(self, since: datetime) -> AsyncGenerator[PolledOrder, None]:  # type: ignore[empty-body]
        """Give every order that was changed at or after *since*, the oldest change first.

        Asked for each entry of `pollers:`, every `every:`, by one process at a time. Orders that were given before, to
        this poll or an earlier one, may come again: the host knows them by `order_id` and `updated_at`. The order
        matters: where a poll breaks off, the next one goes on from the last change that it saw.

        since: aware, in UTC; minutes ago as a rule, hours or days after an outage. It lies before the last successful
            poll by the entry's `overlap:`, so that what the platform's search found late is found all the same.

        An `async def` with `yield`: yield a `PolledOrder` each, in the shape of an order webhook. Leave out an order
        only where no rule could ever use it. Raise `Retry` for a fault that may pass, or `ChannelDown` where nothing
        can be read until a person acts (token revoked, scope missing): what was given until then is kept, and the
        next poll begins there. Time limit, from one order to the next: 60 seconds.
        """

    @hookspec
    async def create_checkout(self, request: CheckoutRequest) -> Checkout | None:
        """Make a link under which a shopper can pay for *request*.

        Asked in the order of `checkouts:` while a client of the checkout API waits, until one answers. A plugin that
        fails is passed over for the next; one that refuses is not.

        request: `attributes` must end up in the order, each under its own name: they are how its shopper is found.

        Return the `Checkout`, or None to let the next plugin make it. Raise `Refused` for what the shop will not sell,
        as `OutOfStock` where that is why; `Retry` for a fault that may pass, `ChannelDown` for one that only a person
        can mend. Time limit: 4 seconds.
        """

    @hookspec
    async def run_step(self, event: Event, run: Run) -> Outcome:  # type: ignore[empty-body]
        """Run the step that a rule names after this plugin.

        Called for a step of a rule that is the `use:` name of an entry in `plugins:`. An outcome that is
        done or skipped is kept and the step is not repeated, but after a crash in mid-step it is: be safe to repeat.

        Return the outcome: done, skipped(reason), deferred(reason) for another attempt, or failed(reason). Raise
        `Retry` for a fault that may pass. Time limit: 30 seconds.
        """

    @hookspec
    def template_filters(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Name the Jinja2 filters that messages and `if:` expressions may use.

        Called once, when the configuration is loaded or checked; do no I/O. Names that the framework or an earlier
        plugin has taken are an error.
        """

    @hookspec
    async def event_finished(self, event: Event, run: Run) -> None:
        """Observe that *event* has ended: done, skipped, or given up as a dead letter.

        Called for every plugin that has it, after the outcome is durable; a crash in between loses the call, so build
        nothing on it that must not be lost. The answer is ignored, faults are logged. Time limit: 5 seconds.
        """

    @hookspec
    def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:  # type: ignore[empty-body]
        """Look at what must be right outside of this machine, and say of each thing how it is.

        Asked by `shopbot doctor` alone, of every plugin that has this hook, whatever list it stands in, after `start`;
        all are asked at the same time. Only look: change nothing, and send nothing to a shopper. Say also what is fine:
        that it was looked at is worth knowing.

        examination: what the rules and the host need of the outside.

        An `async def` with `yield`: yield a `Finding` each, without secrets and whole PSIDs. An exception, and the time
        limit, are a problem of their own, and what was found before them stays. Time limit, from one finding to the
        next: 20 seconds.
        """

    @hookspec
    async def erase_person(self, person: PersonToErase) -> None:
        """Erase what the plugin itself keeps about *person*, in files or in keys of its own.

        Asked of every plugin that has it, when Shopify demands it (`customers/redact`, `shop/redact`) or an operator
        does (`shopbot privacy erase`), after the host has erased what it keeps. Must be safe to repeat: after a crash,
        or where another plugin fails, it is asked again.

        person: all ids by which the host knows them; keep none of it, log none of it. With `everyone`, all persons.

        The answer is ignored. Raise `Retry` for a fault that may pass: the erasure is not done until every plugin has
        done its part. Time limit: 30 seconds.
        """

    @hookspec
    async def start(self, context: Context) -> None:
        """Open connections and begin work. The constructor must not: it also runs for `shopbot check`.

        Called once per process before any other asynchronous hook. An exception stops the start, under the plugin's
        name. Time limit: 30 seconds.

        A plugin's attribute `outside = True` says that its work is done elsewhere than in the host and its store: over
        a network, by another program. `shopbot test` does not start such a plugin, and answers in its place.
        """

    @hookspec
    async def stop(self) -> None:
        """Release what `start` took. Called once, after all other hooks have ended. Time limit: 10 seconds."""
