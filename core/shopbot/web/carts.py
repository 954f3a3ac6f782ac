"""`/carts/{psid}`: the cart that the bot fills for a shopper."""

from collections.abc import Callable

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.model.payload import read_integer
from shopbot.model.shopper_cart import Cart, CartLimitError, UnreadableCartError
from shopbot.store.carts import CartBusyError, CartChangedError, StoredCart
from shopbot.web.api import ApiError, ShopApi, answer, failure, read_body, read_psid
from shopbot.web.api_models import LARGEST_ID, CartIn, ErrorOut, ItemIn, QuantityIn


async def get_cart(shop: ShopApi, request: Request) -> HTTPResponse:
    """Give the cart; an empty one where there is none."""
    try:
        return _answer(await shop.carts.read(read_psid(request)))
    except UnreadableCartError as error:
        raise _unreadable() from error


async def put_cart(shop: ShopApi, request: Request) -> HTTPResponse:
    """Replace the whole cart."""
    psid, cart = read_psid(request), read_body(request, CartIn).cart()
    return await _change(shop, request, psid, lambda _: cart, whole=True)


async def delete_cart(shop: ShopApi, request: Request) -> HTTPResponse:
    """Delete the cart; there may be none."""
    try:
        await shop.carts.delete(read_psid(request), tags=_tags(request))
    except CartChangedError as error:
        raise failure(412, str(error)) from error
    return answer(204, None)


async def add_item(shop: ShopApi, request: Request) -> HTTPResponse:
    """Put so many more pieces of an article into the cart."""
    psid, item = read_psid(request), read_body(request, ItemIn)
    return await _change(shop, request, psid, lambda cart: cart.adding(item.variant_id, item.quantity, item.title))


async def set_item(shop: ShopApi, request: Request) -> HTTPResponse:
    """Say how many pieces of an article there shall be in the cart."""
    psid, variant_id, quantity = read_psid(request), _variant(request), read_body(request, QuantityIn).quantity

    def edit(cart: Cart) -> Cart:
        if cart.item(variant_id) is None:
            raise failure(404, f"variant {variant_id} is not in the cart")
        return cart.setting(variant_id, quantity)

    return await _change(shop, request, psid, edit)


async def remove_item(shop: ShopApi, request: Request) -> HTTPResponse:
    """Take an article out of the cart; it need not be in it."""
    psid, variant_id = read_psid(request), _variant(request)
    return await _change(shop, request, psid, lambda cart: cart.setting(variant_id, 0), limited=False)


async def _change(
    shop: ShopApi,
    request: Request,
    psid: str,
    edit: Callable[[Cart], Cart],
    *,
    whole: bool = False,
    limited: bool = True,
) -> HTTPResponse:
    def within_limits(cart: Cart) -> Cart:
        edited = edit(cart)
        shop.limits.check(edited)
        return edited

    checked = within_limits if limited else edit
    try:
        return _answer(await shop.carts.change(psid, checked, tags=_tags(request), whole=whole))
    except CartLimitError as error:
        raise failure(422, str(error)) from error
    except CartChangedError as error:
        raise failure(412, str(error)) from error
    except UnreadableCartError as error:
        raise _unreadable() from error
    except CartBusyError as error:
        raise ApiError(503, ErrorOut(error=str(error)), retry_after_seconds=1) from error


def _answer(stored: StoredCart) -> HTTPResponse:
    return answer(200, stored.cart.to_json(), {"ETag": f'"{stored.tag}"'})


def _unreadable() -> ApiError:
    return failure(409, "another program keeps something else under the cart's key; PUT or DELETE replaces it")


def _tags(request: Request) -> frozenset[str] | None:
    """Read `If-Match`: the states of the cart that the change is meant for; None for any.

    https://www.rfc-editor.org/rfc/rfc9110#field.if-match
    """
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    # What is not in quotes is no tag, and a weak one (`W/"…"`) is none of ours.
    parts = (part.strip() for part in header.split(","))
    return frozenset(part[1:-1] for part in parts if len(part) > 1 and part[0] == part[-1] == '"')


def _variant(request: Request) -> int:
    found = read_integer(request.match_info["variant_id"])
    if found is None or not 1 <= found <= LARGEST_ID:
        raise failure(400, "the path names no article: a variant's id is a number")
    return found
