"""`POST /checkouts`: a link under which one shopper can pay, and by which the order is theirs."""

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.model.failures import OutOfStock, Refused
from shopbot.model.shopper_cart import Cart, CartLimitError, UnreadableCartError
from shopbot.web.api import ApiError, ShopApi, answer, failure, read_body
from shopbot.web.api_models import CheckoutIn, CheckoutOut, ErrorOut, ShortLineOut, checkout_lines
from shopbot.web.checkout_links import NoCheckoutError

_BAD_GATEWAY = 502
_UNAVAILABLE = 503


async def create_checkout(shop: ShopApi, request: Request) -> HTTPResponse:
    """Make a link for the given lines, or for what is in the shopper's cart. The cart stays as it is."""
    wish = read_body(request, CheckoutIn)
    if shop.links is None:
        raise failure(404, "this shop makes no checkout links: `checkouts:` in shopbot.yaml is empty")
    lines = checkout_lines(await _cart(shop, wish))
    if not lines:
        raise failure(422, "the cart is empty")
    try:
        checkout = await shop.links.make(wish.psid, lines)
    except OutOfStock as refusal:
        short = [ShortLineOut(**line.model_dump()) for line in refusal.lines]
        raise ApiError(422, ErrorOut(error=refusal.reason, code=refusal.code, lines=short)) from refusal
    except Refused as refusal:
        raise ApiError(422, ErrorOut(error=refusal.reason, code=refusal.code)) from refusal
    except NoCheckoutError as error:
        status = _UNAVAILABLE if error.passing else _BAD_GATEWAY
        raise ApiError(status, ErrorOut(error=str(error)), retry_after_seconds=error.retry_after_seconds) from error
    return answer(200, CheckoutOut(checkout_url=checkout.url, checkout_token=checkout.checkout_token))


async def _cart(shop: ShopApi, wish: CheckoutIn) -> Cart:
    cart = wish.cart()
    try:
        if cart is None:
            cart = (await shop.carts.read(wish.psid)).cart
        shop.limits.check(cart)
    except UnreadableCartError as error:
        raise failure(409, str(error)) from error
    except CartLimitError as error:
        raise failure(422, str(error)) from error
    return cart
