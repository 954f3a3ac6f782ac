"""Answer every hook, with every name that `shopbot.plugin` has.

    verify:
      - {use: every_hook, secret: "${SECRET}"}
    resolvers:
      - {use: every_hook, secret: "${SECRET}", attribute: psid}
    carts:
      - {use: every_hook, secret: "${SECRET}"}
    senders:
      - {use: every_hook, secret: "${SECRET}"}
    pollers:
      - {use: every_hook, secret: "${SECRET}", orders_file: orders.jsonl, every: 60s}
    checkouts:
      - {use: every_hook, secret: "${SECRET}", most_pieces: 9}
    plugins:
      - {use: every_hook, secret: "${SECRET}", patience: 2s, pause: 0s}

For tests of types: it is checked as an integrator's own code is, and does what its hooks must. `secret` signs requests.
`attribute` names the shopper. `orders_file` has an order in each line. More than `most_pieces` are out of stock.
`patience` and `pause` are durations.
"""

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

from shopbot.plugin import (
    Attribute,
    CartResult,
    ChannelDown,
    Checkout,
    CheckoutLine,
    CheckoutRequest,
    Context,
    Customer,
    Delivery,
    Duration,
    Event,
    Examination,
    Field,
    Finding,
    Fulfillment,
    InboundRequest,
    InDoubt,
    JournalEntry,
    Level,
    LineItem,
    Logger,
    MessagePreview,
    Money,
    Order,
    Origin,
    OutboundMessage,
    Outcome,
    OutOfStock,
    PersonToErase,
    PluginConfig,
    PolledOrder,
    PositiveDuration,
    QuickReply,
    Reason,
    Receipt,
    Refused,
    Rejected,
    Resolution,
    Retry,
    Run,
    SecretStr,
    SharedKeys,
    Shop,
    ShortLine,
    Source,
    Status,
    Store,
    TemplateDefinition,
    TemplateState,
    TemplateStatus,
    Trust,
    UnreadableOrderError,
    UtilityTemplate,
    Verified,
    compare_clock,
    hookimpl,
    is_psid,
    mask,
    printable,
)


class Config(PluginConfig):
    """What `use: every_hook` accepts."""

    secret: SecretStr = Field(min_length=8, description="Signs requests.")
    attribute: str = Field("psid", description="The attribute that names the shopper.")
    orders_file: Path | None = Field(None, description="A file with an order in each line.")
    most_pieces: int = Field(9, ge=1, description="More pieces of an article are out of stock.")
    patience: PositiveDuration = Field(timedelta(seconds=2), description="How long to wait: 2s.")
    pause: Duration = Field(timedelta(0), description="How long to do nothing first: 0s.")


class Plugin:
    """Keeps what it sent and saw, for the tests to look at."""

    channel = "every_hook"

    _shop: Shop
    _store: Store
    _keys: SharedKeys
    _log: Logger

    def __init__(self, config: Config) -> None:
        self._config = config
        self.sent: list[OutboundMessage] = []
        self.seen: list[str] = []

    @hookimpl
    async def start(self, context: Context) -> None:
        """Take what the host lends."""
        self._shop, self._store, self._keys, self._log = context.shop, context.store, context.keys, context.log
        self._log.debug("started", shop=self._shop.domain, lookup_seconds=context.ttl_seconds["checkout_token_lookup"])

    @hookimpl
    async def stop(self) -> None:
        """Give nothing back."""
        self._log.info("stopped", timezone=str(self._shop.timezone))

    @hookimpl
    def verify_request(self, request: InboundRequest) -> Verified | None:
        """Compare a signature."""
        if request.route is not Origin.SHOPIFY:
            return None
        key = self._config.secret.get_secret_value().encode()
        expected = hmac.digest(key, request.body, "sha256").hex().encode()
        if not hmac.compare_digest(expected, request.headers.get("x-signature", "").encode("utf-8", "replace")):
            raise Rejected(403, "the signature does not fit")
        return Verified(Origin.SHOPIFY, secret_index=0)

    @hookimpl
    def sign_request(self, request: InboundRequest) -> Sequence[Mapping[str, str]] | None:
        """Sign as the platform would."""
        if request.route is not Origin.SHOPIFY:
            return None
        key = self._config.secret.get_secret_value().encode()
        return [{"X-Signature": hmac.digest(key, request.body, "sha256").hex()}]

    @hookimpl
    async def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:
        """Look at the clock, and at what the rules listen to."""
        clock = compare_clock("the test", formatdate(usegmt=True), datetime.now(UTC))
        if clock is not None and clock.level is not Level.OK:
            yield clock
        yield Finding.ok(f"{len(examination.topics)} platforms are listened to")

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        """Read an attribute."""
        given: Sequence[Attribute] = (*order.note_attributes, *order.attributes)
        for one in given:
            if one.name == self._config.attribute and is_psid(one.value):
                return Resolution(psid=one.value, trust=Trust.KNOWN_SHOPPER)
        return None

    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        """Delete the bot's cart."""
        key = self._keys.cart(psid)
        cart: bytes | None = await self._store.get(key)
        if cart is None:
            return CartResult.ALREADY_EMPTY
        changed_at = datetime.fromisoformat(json.loads(cart)["updated_at"])
        if order.created_at is not None and changed_at > order.created_at:
            self._log.warning("cart_kept", psid=mask(psid), customer_id=_number(order.customer))
            return CartResult.KEPT
        if not await self._store.delete(key):
            raise Retry("somebody else was faster", after_seconds=1.5)
        return CartResult.CLEARED

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> Receipt | None:
        """Keep the message."""
        match message.text:
            case "refuse":
                raise Refused("as asked", code=Reason.MESSAGE_SEND_FAILED)
            case "wait":
                raise Retry("as asked", after_seconds=60, pauses_channel=True)
            case "doubt":
                raise InDoubt("as asked")
            case "down":
                raise ChannelDown("as asked")
            case _:
                self.sent.append(message)
        return Receipt(message_id=f"m-{message.claim}", usage_percent=12.5)

    @hookimpl
    def preview_message(self, message: OutboundMessage) -> MessagePreview | None:
        """Show the text."""
        return MessagePreview(to="a list", body=printable(message.text))

    @hookimpl
    async def manage_template(self, template: TemplateDefinition, submit: bool) -> TemplateState | None:  # noqa: FBT001
        """Approve everything that was submitted."""
        status = TemplateStatus.APPROVED if submit else TemplateStatus.MISSING
        return TemplateState(status=status, reason=template.language)

    @hookimpl
    async def poll_orders(self, since: datetime) -> AsyncGenerator[PolledOrder, None]:
        """Read the file."""
        if self._config.orders_file is None:
            return
        await asyncio.sleep(self._config.pause.total_seconds())
        text = await asyncio.to_thread(self._config.orders_file.read_text, encoding="utf-8")
        latest: dict[int, PolledOrder] = {}
        for line in text.splitlines():
            try:
                order = PolledOrder.from_payload(json.loads(line))
            except UnreadableOrderError as error:
                self._log.error("order_unreadable", reason=str(error))
            else:
                latest[order.order_id] = order
        for order in sorted(latest.values(), key=lambda one: one.updated_at):
            if order.updated_at >= since:
                yield order

    @hookimpl
    async def create_checkout(self, request: CheckoutRequest) -> Checkout | None:
        """Write a link."""
        short = [self._short(line) for line in request.lines if line.quantity > self._config.most_pieces]
        if short:
            raise OutOfStock(short)
        attributes = "&".join(f"{quote(name, safe='')}={quote(value)}" for name, value in request.attributes.items())
        token = secrets.token_urlsafe(24)
        return Checkout(url=f"https://{self._shop.domain}/pay?{attributes}", checkout_token=token)

    @hookimpl
    async def erase_person(self, person: PersonToErase) -> None:
        """Forget what was sent to them."""
        self.sent = [message for message in self.sent if message.psid not in person.psids and not person.everyone]

    @hookimpl
    async def run_step(self, event: Event, run: Run) -> Outcome:
        """Say what kind of event it is."""
        if run.order is None:
            return Outcome.skipped(Reason.NO_ORDER)
        if any(_is_problem(entry) for entry in run.journal):
            return Outcome.deferred(Reason.PLUGIN_FAILED, retry_after_seconds=5)
        parcels = [parcel.name for parcel in run.order.fulfillments if _is_on_its_way(parcel)]
        return Outcome.done(f"{event.source is Source.WEBHOOK}, {_weight(run.order.line_items)}, {parcels}")

    @hookimpl
    def template_filters(self) -> Mapping[str, Callable[..., object]]:
        """Bring one filter."""
        return {"rounded": _rounded}

    @hookimpl
    async def event_finished(self, event: Event, run: Run) -> None:
        """Remember the event."""
        async with asyncio.timeout(self._config.patience.total_seconds()):
            await asyncio.sleep(self._config.pause.total_seconds())
        self.seen.append(f"{event.id} {run.status is Status.DONE}")

    def _short(self, line: CheckoutLine) -> ShortLine:
        return ShortLine(variant_id=line.variant_id, requested=line.quantity, available=self._config.most_pieces)


def reminder(psid: str) -> OutboundMessage:
    """Make a message with everything that one can have."""
    return OutboundMessage(
        psid=psid,
        text="Still there?",
        delivery=Delivery.UTILITY,
        purpose="reminder",
        claim="shopbot:1",
        template=UtilityTemplate(name="reminder", language="en", parameters=("1",)),
        order_id=1,
        quick_replies=(QuickReply(title="Yes", payload="YES"),),
    )


def _number(customer: Customer | None) -> int | None:
    return None if customer is None else customer.id


def _is_problem(entry: JournalEntry) -> bool:
    return entry.status in {Status.FAILED, Status.HELD}


def _is_on_its_way(parcel: Fulfillment) -> bool:
    return parcel.tracking_url is not None


def _weight(lines: Sequence[LineItem]) -> int:
    return sum(line.quantity for line in lines)


def _rounded(amount: Money | None) -> str:
    return "" if amount is None else f"{round(amount.amount)} {amount.currency}"
