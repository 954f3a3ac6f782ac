"""What a shop needs for checkout links and carts, from its configuration."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime

from redis.asyncio import Redis

from shopbot.config.settings import Settings
from shopbot.model.psid_token import PsidTokens, TokenKey
from shopbot.model.shared_keys import SharedKeys
from shopbot.rules.note_checkout import NoteCheckout
from shopbot.rules.signed_tokens import SignedTokens
from shopbot.store.checkouts import Checkouts, CheckoutTtl
from shopbot.store.keys import Keys


class CheckoutParts:
    """The signing, keeping and noting of checkouts of one shop."""

    def __init__(
        self,
        settings: Settings,
        client: Redis,
        shared: SharedKeys,
        page_ids: AbstractSet[str],
        clock: Callable[[], datetime],
    ) -> None:
        tokens, ttl = settings.checkout_tokens, settings.ttl
        self.codec = PsidTokens([TokenKey(key.id, key.secret.get_secret_value().encode()) for key in tokens.keys])
        self.checkouts = Checkouts(
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
        self.signed = SignedTokens(self.codec, page_ids, self.checkouts)
        self.note = NoteCheckout(self.checkouts, self.signed, attribute=tokens.attribute, clock=clock)
