"""What the Admin API tells of the app: its scopes, and the webhook subscriptions that it has made in the shop.

https://shopify.dev/docs/api/admin-graphql/latest/queries/currentAppInstallation and
https://shopify.dev/docs/api/admin-graphql/latest/queries/webhookSubscriptions, which lists neither subscriptions of
`shopify.app.toml` nor those that were made in the shop's admin.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx

from shopbot.plugin import Examination, Finding, Origin, compare_clock
from shopbot_plugins._endpoint import shown_address
from shopbot_plugins._json import as_object, as_objects
from shopbot_plugins._shopify_answer import read_data
from shopbot_plugins._shopify_versions import ends_on, version_finding

QUERY = """
query Examine {
  currentAppInstallation { accessScopes { handle } }
  webhookSubscriptions(first: 250) { nodes { topic uri apiVersion { handle } } }
}
"""

_COMPLIANCE = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
"""Topics that cannot be subscribed by the API. https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance"""
_NOT_LISTED = (
    "subscriptions of shopify.app.toml, and those made in the admin under Settings, Notifications, Webhooks, cannot be"
    " listed: where yours are there, compare topics and address by hand"
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One webhook subscription."""

    topic: str
    """As GraphQL names it: ORDERS_PAID."""
    uri: str
    api_version: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What the API tells of the app."""

    scopes: frozenset[str]
    subscriptions: Sequence[Subscription]
    served_version: str | None
    clock: Finding | None
    """What the answer's `Date` says; None where it has none."""

    @classmethod
    def read(cls, response: httpx.Response) -> "Installation":
        """Read the answer to the query.

        Raises:
            UnauthorizedError, ThrottledError, TooExpensiveError, Retry, ChannelDown: it is none.
        """
        clock = compare_clock("Shopify", response.headers.get("Date"), datetime.now(UTC))
        data = read_data(response)
        scopes = as_objects(as_object(data.get("currentAppInstallation")).get("accessScopes"))
        nodes = as_objects(as_object(data.get("webhookSubscriptions")).get("nodes"))
        return cls(
            scopes=frozenset(str(scope.get("handle")) for scope in scopes),
            subscriptions=[_subscription(node) for node in nodes],
            served_version=response.headers.get("X-Shopify-API-Version"),
            clock=clock,
        )

    def findings(self, examination: Examination, api_version: str) -> Iterator[Finding]:
        """Say how all of it stands."""
        if self.clock is not None:
            yield self.clock
        yield version_finding("the Admin API", api_version, examination.today, self.served_version)
        yield self._access()
        wanted = sorted(examination.topics.get(Origin.SHOPIFY, frozenset()) - _COMPLIANCE)
        if wanted and not self.subscriptions:
            yield _none(wanted)
        elif wanted:
            yield from self._subscribed(wanted, examination.addresses.get(Origin.SHOPIFY))
            yield from self._versions(wanted, examination.today)

    def _access(self) -> Finding:
        # The right to write includes the right to read.
        if not self.scopes & {"read_orders", "write_orders"}:
            return Finding.problem(
                "the app lacks the scope read_orders",
                meaning="polls are refused, so that lost webhooks are not made good; Shopify sends no order webhooks",
                to_do="give the app read_orders, and have the merchant accept it (install it anew where it asks)",
            )
        reach = "all orders" if "read_all_orders" in self.scopes else "the orders of the last 60 days"
        return Finding.ok(f"the app may read {reach}")

    def _subscribed(self, wanted: Sequence[str], address: str | None) -> Iterator[Finding]:
        reached: list[str] = []
        missing: list[str] = []
        places: set[str] = set()
        for topic in wanted:
            found = self._of(topic)
            good = [one for one in found if address is None or one.uri == address]
            if good:
                reached.append(topic)
                places.update(shown_address(one.uri) for one in good)
            elif found:
                elsewhere = sorted({shown_address(one.uri) for one in found})
                yield Finding.problem(
                    f"{topic} goes to {', '.join(elsewhere)}",
                    meaning=f"Shopify delivers it there, and not to this host at {address}",
                    to_do="change the subscription's address (webhookSubscriptionUpdate), or give doctor the right"
                    " --url",
                )
            else:
                missing.append(topic)
        if missing:
            yield Finding.problem(
                f"not subscribed: {', '.join(missing)}",
                meaning=f"rules wait for it, and the app's subscriptions do not bring it. But {_NOT_LISTED}",
                to_do="subscribe it with webhookSubscriptionCreate, to the same address as the others",
            )
        if reached:
            yield Finding.ok(f"subscribed: {', '.join(reached)}, to {', '.join(sorted(places))}")

    def _versions(self, wanted: Sequence[str], today: date) -> Iterator[Finding]:
        for version in sorted({one.api_version for topic in wanted for one in self._of(topic)}):
            end = ends_on(version)
            if end is not None and today >= end:
                yield Finding.warning(
                    f"webhooks are written in version {version}, which has ended on {end.isoformat()}",
                    meaning="Shopify writes them in the oldest version that is left, whose fields may differ",
                    to_do="set the app's webhook API version, in the Dev Dashboard or shopify.app.toml",
                )

    def _of(self, topic: str) -> Sequence[Subscription]:
        """Find the subscriptions of a topic: `orders/paid` is ORDERS_PAID there."""
        name = topic.upper().replace("/", "_")
        return [one for one in self.subscriptions if one.topic == name]


def _none(wanted: Sequence[str]) -> Finding:
    return Finding.warning(
        "the app has made no webhook subscription in this shop",
        meaning=f"if there is none elsewhere, orders come by polls alone, up to a minute late. But {_NOT_LISTED}",
        to_do=f"see that {', '.join(wanted)} are subscribed to the host's address",
    )


def _subscription(node: Mapping[str, Any]) -> Subscription:
    return Subscription(
        topic=str(node.get("topic")),
        uri=str(node.get("uri")),
        api_version=str(as_object(node.get("apiVersion")).get("handle")),
    )
