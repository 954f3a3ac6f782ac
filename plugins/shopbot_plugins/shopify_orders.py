"""Find orders whose webhook was lost, by asking Shopify's Admin API what was changed.

    pollers:
      - use: shopify_orders
        every: 60s
        overlap: 10m
        access_token: ${SHOPIFY_ADMIN_TOKEN}

The app needs the scope `read_orders`. `access_token` is a lasting token (`shpat_…`) of a custom app that was made in
the shop's admin before 2026. An app of the Dev Dashboard that belongs to the shop's own organisation has `client_id`
and `client_secret` in its place: a token is asked for with them, kept in memory, and renewed before it ends and
whenever Shopify refuses it.

    pollers:
      - use: shopify_orders
        client_id: ${SHOPIFY_CLIENT_ID}
        client_secret: ${SHOPIFY_CLIENT_SECRET}
        api_version: "2026-10"
        financial_status: [paid]
        page_size: 100
        line_items: 10
        timeout: 10s
        api_url: https://acme.myshopify.com

Asked for are orders in one of the states of `financial_status`, an empty list for all: with the usual rules nothing
but a paid order can be confirmed. With one state Shopify itself filters; with several, all changed orders are read and
the others left out here. `page_size` orders come with each request, fewer where Shopify finds that too expensive, each
with its first `line_items` lines. `api_version` is a version of the Admin API; orders have their cart token since
2026-07. `timeout` is for one request as a whole. `api_url` is where the API is found: at the shop's own domain where
left out.

Shopify shows the last 60 days only, unless the app also has `read_all_orders`: after a longer outage older orders are
silently absent. Orders come without the customer's name, which needs a scope of its own; e-mail and telephone are empty
for apps without approval for protected customer data. The order status page, whose address holds a key, is never read.

`shopbot doctor` asks with the same token which scopes the app has, and which webhooks it has subscribed in the shop.

Where Shopify throttles, a poll waits for the points it needs, up to 20 seconds a page. An answer to a search that
Shopify did not understand is an error and never used.

https://shopify.dev/docs/api/admin-graphql/latest/queries/orders
"""

import re
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import AfterValidator, model_validator

from shopbot.plugin import (
    ChannelDown,
    Context,
    Examination,
    Field,
    Finding,
    Logger,
    PluginConfig,
    PolledOrder,
    PositiveDuration,
    Retry,
    UnreadableOrderError,
    hookimpl,
)
from shopbot_plugins._endpoint import base_url
from shopbot_plugins._secret import Secret, Token
from shopbot_plugins._shopify_admin import AdminApi
from shopbot_plugins._shopify_answer import OrdersPage, TooExpensiveError
from shopbot_plugins._shopify_examination import QUERY, Installation
from shopbot_plugins._shopify_order import orders_query, rest_order
from shopbot_plugins._shopify_token import GrantedToken, LastingToken, Tokens

MOST_ORDERS_PER_SEARCH = 20_000
"""Shopify pages through 25,000 results at most; before that, a new search begins where this one got to.
https://shopify.dev/docs/api/usage/limits"""

_VISIBLE = timedelta(days=60)
_VERSION = re.compile(r"20[2-9][0-9]-(01|04|07|10)|unstable")

FinancialStatus = Literal[
    "pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded", "voided", "expired"
]


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError("must be a version of the Admin API, which comes out in 01, 04, 07 and 10: 2026-10")
    return text


class Config(PluginConfig):
    """What `use: shopify_orders` accepts."""

    access_token: Token | None = Field(None, description="A lasting Admin API access token with the scope read_orders.")
    client_id: str | None = Field(
        None, strict=True, min_length=1, description="The app's client id, where there is no lasting token."
    )
    client_secret: Secret | None = Field(None, description="The app's client secret, together with client_id.")
    api_version: Annotated[str, AfterValidator(_version)] = Field(
        "2026-10", strict=True, description="The version of the Admin API: 2026-10."
    )
    financial_status: tuple[FinancialStatus, ...] = Field(
        ("paid",), description="Only orders in one of these states; an empty list for all orders."
    )
    page_size: int = Field(100, ge=1, le=250, description="Orders per request, 250 at most.")
    line_items: int = Field(10, ge=1, le=100, description="How many lines of each order are read.")
    timeout: PositiveDuration = Field(
        timedelta(seconds=10), le=timedelta(seconds=30), description="How long one request may take: 10s."
    )
    api_url: Annotated[str, AfterValidator(base_url)] | None = Field(
        None, strict=True, description="Where the shop's API is; https:// and the shop's domain where left out."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        lasting = self.access_token is not None
        granted = self.client_id is not None and self.client_secret is not None
        if lasting == granted or (self.client_id is None) != (self.client_secret is None):
            raise ValueError("give either access_token, or client_id and client_secret")
        return self


class Plugin:
    """Pages through the changed orders, the oldest change first."""

    _client: httpx.AsyncClient
    _api: AdminApi
    _log: Logger

    def __init__(self, config: Config) -> None:
        self._config = config
        self._query = orders_query(config.api_version)
        self._page_size = config.page_size
        self._told: set[tuple[str, str]] = set()

    @hookimpl
    async def start(self, context: Context) -> None:
        """Make the connection pool; nothing is asked yet."""
        config, self._log = self._config, context.log
        seconds = config.timeout.total_seconds()
        self._client = httpx.AsyncClient(
            base_url=config.api_url or f"https://{context.shop.domain}",
            headers={"User-Agent": "shopbot"},
            timeout=httpx.Timeout(seconds),
        )
        path = f"/admin/api/{config.api_version}/graphql.json"
        self._api = AdminApi(self._client, path, self._tokens(), context.log, time_limit_seconds=seconds)

    @hookimpl
    async def stop(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @hookimpl
    async def poll_orders(self, since: datetime) -> AsyncGenerator[PolledOrder, None]:
        """Give the changed orders in the order of their change."""
        if datetime.now(UTC) - since > _VISIBLE:
            self._log.warning("shopify_window_too_long", since=since.isoformat(), visible_days=_VISIBLE.days)
        begin, cursor = since, None
        pages = in_search = 0
        while True:
            page = await self._page(begin, cursor)
            pages += 1
            in_search += len(page.nodes)
            changes: list[datetime] = []
            for order, node in self._readable(page, pages):
                if order.updated_at < begin.replace(microsecond=0):
                    raise ChannelDown("Shopify answered with orders that were not asked for; the answer was not used")
                changes.append(order.updated_at)
                if self._is_wanted(node):
                    yield order
            if page.next_cursor is None:
                return
            cursor = page.next_cursor
            if in_search > MOST_ORDERS_PER_SEARCH - self._page_size and changes and min(changes) > begin:
                # The page is sorted by what the index knows; an order that was changed a moment ago shows a later time.
                begin, cursor, in_search = min(changes), None, 0

    @hookimpl
    async def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:
        """Look at the token, the app's scopes, its webhook subscriptions, the version and the clock."""
        try:
            installation = await self._api.ask(QUERY, {}, Installation.read)
        except (Retry, TooExpensiveError) as error:
            yield Finding.warning(
                str(error),
                meaning="whether polls work, and what is subscribed, could not be looked at now",
                to_do="run doctor again; mind the network from this machine to the shop",
            )
            return
        except ChannelDown as error:
            yield Finding.problem(
                error.reason,
                meaning="no poll succeeds, so that an order whose webhook gets lost is never confirmed",
                to_do="set access_token, or client_id and client_secret, of an app that is installed in this shop with"
                " the scope read_orders",
            )
            return
        for finding in installation.findings(examination, self._config.api_version):
            yield finding

    def _tokens(self) -> Tokens:
        config = self._config
        if config.access_token is not None:
            return LastingToken(config.access_token)
        if config.client_id is None or config.client_secret is None:
            raise ValueError("the settings have no way in")  # which they would not have passed as valid
        return GrantedToken(
            self._client, config.client_id, config.client_secret, time_limit_seconds=config.timeout.total_seconds()
        )

    async def _page(self, begin: datetime, cursor: str | None) -> OrdersPage:
        search = f"updated_at:>='{begin.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
        if len(self._config.financial_status) == 1:
            search += f" financial_status:{self._config.financial_status[0]}"
        while True:
            variables = {
                "first": self._page_size,
                "after": cursor,
                "search": search,
                "lines": self._config.line_items,
            }
            try:
                page = await self._api.orders(self._query, variables)
            except TooExpensiveError as error:
                if self._page_size == 1:
                    raise ChannelDown(f"a query for one order is too expensive: lower line_items ({error})") from error
                self._page_size //= 2
                self._log.warning(
                    "shopify_page_too_expensive", page_size=self._page_size, line_items=variables["lines"]
                )
            else:
                self._tell(page)
                return page

    def _readable(self, page: OrdersPage, number: int) -> list[tuple[PolledOrder, Mapping[str, Any]]]:
        """Give the orders of a page with their nodes; one that cannot be read must not hide all others."""
        orders: list[tuple[PolledOrder, Mapping[str, Any]]] = []
        unreadable = ""
        for node in page.nodes:
            known = node if isinstance(node, Mapping) else {}
            try:
                orders.append((PolledOrder.from_payload(rest_order(known), page=number), known))
            except UnreadableOrderError as error:
                unreadable = str(error)
        if unreadable and not orders and page.left_out:
            codes = ", ".join(sorted({code for _, code in page.left_out}))
            raise ChannelDown(f"Shopify shows orders and nothing of what is in them ({codes}): check the app's access")
        if unreadable:
            self._log.error("shopify_orders_unreadable", count=len(page.nodes) - len(orders), reason=unreadable)
        return orders

    def _is_wanted(self, node: Mapping[str, Any]) -> bool:
        wanted = self._config.financial_status
        return len(wanted) < 2 or str(node.get("displayFinancialStatus")).lower() in wanted  # noqa: PLR2004 - several

    def _tell(self, page: OrdersPage) -> None:
        """Say once which fields Shopify leaves out."""
        for field, code in sorted(page.left_out - self._told):
            self._log.warning("shopify_field_left_out", field=field, code=code)
        self._told |= page.left_out
