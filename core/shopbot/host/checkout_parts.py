"""What a shop needs for checkout links and carts, and their API, from its configuration."""

from collections.abc import Callable, Sequence
from datetime import datetime

from redis.asyncio import Redis

from shopbot.config.settings import Settings
from shopbot.hooks import Hooks
from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.model.shared_keys import SharedKeys
from shopbot.model.shopper_cart import CartLimits
from shopbot.rules.note_checkout import NoteCheckout
from shopbot.rules.signed_tokens import SignedTokens
from shopbot.store.carts import Carts
from shopbot.store.checkouts import Checkouts, CheckoutTtl
from shopbot.store.keys import Keys
from shopbot.web.api import ShopApi
from shopbot.web.api_keys import ApiKeys
from shopbot.web.checkout_links import CheckoutLinks, LinkPolicy


class CheckoutParts:
    """The signing, keeping and noting of checkouts of one shop, and what its API works on."""

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        client: Redis,
        shared: SharedKeys,
        page_ids: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        """Put the parts together.

        page_ids: of the senders, in their order; links are signed for the first one's shoppers.
        """
        tokens, ttl, limits = settings.checkout_tokens, settings.ttl, settings.cart_limits
        codec = psid_tokens(settings)
        checkouts = kept_checkouts(settings, client, shared)
        self.signed = SignedTokens(codec, frozenset(page_ids), checkouts)
        self.note = NoteCheckout(checkouts, self.signed, attribute=tokens.attribute, clock=clock)
        policy = LinkPolicy(page_ids[0] if page_ids else "", tokens.attribute, tokens.valid_for)
        self.api: ShopApi | None = None
        """None without `web.api_keys`."""
        if settings.web.api_keys:
            self.api = ShopApi(
                keys=ApiKeys([key.get_secret_value() for key in settings.web.api_keys]),
                carts=Carts(client, shared, ttl_seconds=ttl.cart.total_seconds(), clock=clock),
                limits=CartLimits(lines=limits.lines, quantity=limits.quantity),
                links=CheckoutLinks(hooks.checkouts, codec, checkouts, policy, clock) if hooks.checkouts else None,
            )


def psid_tokens(settings: Settings) -> PsidTokens:
    """Make and read tokens with the keys of a shop."""
    keys = settings.checkout_tokens.keys
    return PsidTokens([TokenKey(key.id, key.secret.get_secret_value().encode()) for key in keys])


def kept_checkouts(settings: Settings, client: Redis, shared: SharedKeys) -> Checkouts:
    """Keep the checkouts of a shop for as long as it says."""
    ttl = settings.ttl
    return Checkouts(
        client,
        Keys(settings.shop.domain),
        shared,
        ttl=CheckoutTtl(
            latest=ttl.checkout_token.total_seconds(),
            lookup=ttl.checkout_token_lookup.total_seconds(),
            cart_id=ttl.cart.total_seconds(),
            order=ttl.order_reference.total_seconds(),
        ),
    )
