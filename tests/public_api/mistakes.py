"""What type checkers find in a plugin: each line here is a mistake, and one that is not found is an error."""

from datetime import datetime

from shopbot.plugin import (
    CartResult,
    Context,
    InboundRequest,
    Order,
    Origin,
    Outcome,
    Receipt,
    Resolution,
    Retry,
    Trust,
    hookimpl,
)
from shopbot.testing.contracts import ResolverContract
from shopbot.testing.fixtures import HostFixture
from shopbot.testing.orders import paid_order


class Plugin:
    """Gets everything a little wrong."""

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        """Mistake a customer for a PSID."""
        return order.customer  # type: ignore[return-value] # pyright: ignore[reportReturnType]

    @hookimpl
    async def clear_cart(self, psid: str, order: Order) -> CartResult:
        """Forget that the order may not say when it was made."""
        if datetime.now().astimezone() > order.created_at:  # type: ignore[operator] # pyright: ignore[reportOperatorIssue]
            return CartResult.CLEAR  # type: ignore[attr-defined, no-any-return] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        return CartResult.KEPT

    @hookimpl
    async def start(self, context: Context) -> None:
        """Write what cannot be written."""
        await context.store.set("key", 5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        context.shop.name = "Other"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
        context.ttl_seconds["journal"] = 1.0  # type: ignore[index] # pyright: ignore[reportIndexIssue]


def answers(request: InboundRequest) -> None:
    """Make what no hook may answer."""
    Resolution(psid=7, trust=Trust.ANY)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Resolution(psid="7")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Receipt(id="m")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Retry("later", 5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Outcome.skipped("no order")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Origin("shopify").name = "x"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    request.headers["x"] = "y"  # type: ignore[index] # pyright: ignore[reportIndexIssue]


class TestPlugin(ResolverContract):
    """Has the wrong kind of order."""

    order = Order(id=1)  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]

    async def test_it(self, shopbot_host: HostFixture) -> None:
        """Use the fixture as what it is not."""
        async with shopbot_host(plugin="mine") as shop:  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            await shop.post(paid_order())  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]
