"""Find the shopper by a checkout or cart token that the shop noted when it made the checkout link.

    resolvers:
      - use: token_lookup
        query_parameters: [checkout_token, cart_token, token, ref]

Looks for `checkout_token_lookup:{token}` in the store, with the order's checkout token, its cart token (whole, and
without what follows `?`), then the values of `query_parameters` in its landing site. The entry is the shop's own
record, so its PSID needs nobody else's word. A landing site can be edited by the buyer, but a token that the shop noted
is one that it gave out; those of fewer than 16 characters are not looked up, because they can be guessed. A link that
shopbot's checkout API made serves one order, also by this way.

Nothing is caught: when the store is away its exception goes to the host, which asks again later.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from shopbot.plugin import (
    Context,
    Field,
    Logger,
    Order,
    PluginConfig,
    Resolution,
    SharedKeys,
    Store,
    Trust,
    hookimpl,
    is_psid,
)

SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 512
_MOST_LOOK_UPS = 16
"""The buyer writes the landing site, so its length must not decide how often the store is asked."""
_MOST_PARAMETERS = 100


class Config(PluginConfig):
    """What `use: token_lookup` accepts."""

    query_parameters: tuple[str, ...] = Field(
        ("checkout_token", "cart_token", "token", "ref"),
        description="The query parameters of the landing site that may hold a token, by exact name; [] for none.",
    )


class Plugin:
    """Asks the store for each token once, the most reliable first."""

    _store: Store
    _keys: SharedKeys
    _log: Logger

    def __init__(self, config: Config) -> None:
        self._query_parameters = frozenset(config.query_parameters)

    @hookimpl
    async def start(self, context: Context) -> None:
        """Take the host's store."""
        self._store, self._keys, self._log = context.store, context.keys, context.log

    @hookimpl
    async def resolve_psid(self, order: Order) -> Resolution | None:
        """Give the PSID that the first known token leads to; an entry that is no PSID is passed over."""
        tokens: dict[str, str] = {}
        for origin, token in self._candidates(order):
            if SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN and len(tokens) < _MOST_LOOK_UPS:
                tokens.setdefault(token, origin)
        for token, origin in tokens.items():
            found = await self._store.get(self._keys.checkout_token_lookup(token))
            if found is None:
                continue
            psid = found.decode("utf-8", "replace").strip()
            if is_psid(psid):
                return Resolution(psid=psid, trust=Trust.ANY, token=token)
            self._log.warning("token_lookup_is_no_psid", order_id=order.id, token_from=origin)
        return None

    def _candidates(self, order: Order) -> Iterator[tuple[str, str]]:
        """Give where each token comes from, and the token."""
        if order.checkout_token:
            yield "checkout_token", order.checkout_token
        if order.cart_token:
            yield "cart_token", order.cart_token
            # The Storefront API's cart id goes on with `?key=`, which is no part of the token.
            yield "cart_token", order.cart_token.partition("?")[0]
        if order.landing_site and self._query_parameters:
            yield from self._landing_site_tokens(order.landing_site)

    def _landing_site_tokens(self, landing_site: str) -> Iterator[tuple[str, str]]:
        try:
            parameters = parse_qsl(urlsplit(landing_site).query, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            return  # not a URL, or one that nobody but an attacker would make
        for name, value in parameters:
            if name in self._query_parameters:
                yield "landing_site", value
