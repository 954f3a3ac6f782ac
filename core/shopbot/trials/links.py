"""Checkout links of a shop under trial: the signed token that an order carries, and what the store knows of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from shopbot.config.settings import Settings
from shopbot.host.checkout_parts import kept_checkouts, psid_tokens
from shopbot.model.checkout import Checkout
from shopbot.model.shared_keys import SharedKeys


@dataclass(frozen=True, slots=True)
class SignedToken:
    """What a checkout link of shopbot's puts into the order."""

    text: str
    nonce: str


def sign(settings: Settings, page_id: str, psid: str, at: datetime) -> SignedToken:
    """Sign a shopper's checkout link that was made at this time.

    Raises:
        ValueError: the shop has no key to sign with.
    """
    return SignedToken(*psid_tokens(settings).issue(page_id, psid, at + settings.checkout_tokens.valid_for))


async def keep(
    client: Redis, settings: Settings, psid: str, order: Mapping[str, Any], token: SignedToken | None
) -> None:
    """Let the store know the checkout that an order comes from.

    order: with its `checkout_token`.
    token: of the link that the checkout was opened by; None: the bot has only noted whose checkout it is.
    """
    checkouts = kept_checkouts(settings, client, SharedKeys(settings.shop.key_prefix))
    checkout_token = str(order["checkout_token"])
    if token is None:
        await checkouts.seen(psid, [checkout_token], checkout_token, None)
        return
    checkout = Checkout(
        url="https://checkout.example.com",
        checkout_token=checkout_token,
        cart_token=order.get("cart_token"),
    )
    valid_seconds = settings.checkout_tokens.valid_for.total_seconds()
    await checkouts.made(psid, token.nonce, checkout, (), valid_seconds=valid_seconds)
