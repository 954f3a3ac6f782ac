"""The client of Shopify's Admin GraphQL API: tokens, time limits, throttling."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from shopbot.plugin import ChannelDown, Logger, Retry
from shopbot_plugins._shopify_answer import OrdersPage, ThrottledError, UnauthorizedError, read_page
from shopbot_plugins._shopify_token import Tokens

PATIENCE_SECONDS = 20.0
"""So long one page may wait for points to come back; then the poll ends, and goes on from there at the next one."""

_CLOCK_TOLERANCE_SECONDS = 120.0

T = TypeVar("T")


class AdminApi:
    """Asks one query at a time: pages of orders, as a rule."""

    def __init__(
        self, client: httpx.AsyncClient, path: str, tokens: Tokens, log: Logger, *, time_limit_seconds: float
    ) -> None:
        """Prepare.

        path: of the GraphQL endpoint, below the client's base URL.
        time_limit_seconds: for each request as a whole.
        """
        self._client = client
        self._path = path
        self._tokens = tokens
        self._log = log
        self._time_limit_seconds = time_limit_seconds

    async def orders(self, query: str, variables: Mapping[str, object]) -> OrdersPage:
        """Ask for one page.

        Raises:
            Retry, ChannelDown: there is no page now, or not until a person acts.
            TooExpensiveError: the page is too large.
        """
        return await self.ask(query, variables, _read_orders)

    async def ask(self, query: str, variables: Mapping[str, object], read: Callable[[httpx.Response], T]) -> T:
        """Ask; waits where Shopify throttles, and asks for a new token where the old one has ended.

        read: reads an answer, and raises what `read_page` does.

        Raises:
            Retry, ChannelDown, TooExpensiveError: as `orders`.
        """
        now = asyncio.get_running_loop().time
        patient_until = now() + PATIENCE_SECONDS
        renewed = False
        while True:
            token = await self._tokens.current()
            try:
                return read(await self._post(token, query, variables))
            except UnauthorizedError as error:
                if renewed or not self._tokens.refused(token):
                    raise ChannelDown(
                        "Shopify refuses the access token (HTTP 401): it was revoked, belongs to another shop, or is"
                        " mistyped; make a new one with the scope read_orders"
                    ) from error
                renewed = True
            except ThrottledError as error:
                if now() + error.wait_seconds > patient_until:
                    raise Retry(str(error), after_seconds=error.wait_seconds) from error
                self._log.debug("shopify_throttled", wait_seconds=round(error.wait_seconds, 1))
                await asyncio.sleep(error.wait_seconds)

    async def _post(self, token: str, query: str, variables: Mapping[str, object]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._time_limit_seconds):
                return await self._client.post(
                    self._path,
                    json={"query": query, "variables": variables},
                    headers={"X-Shopify-Access-Token": token},
                )
        except (httpx.RequestError, TimeoutError) as error:
            raise Retry(f"Shopify could not be reached: {type(error).__name__}") from error


def _read_orders(response: httpx.Response) -> OrdersPage:
    _check_clock(response)
    return read_page(response)


def _check_clock(response: httpx.Response) -> None:
    """Refuse to go on with a clock that is ahead: polls would ask for changes of the future, and miss all others."""
    try:
        theirs = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return
    ahead_seconds = (datetime.now(UTC) - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds()
    if ahead_seconds > _CLOCK_TOLERANCE_SECONDS:
        raise Retry(
            f"this machine's clock is {ahead_seconds:.0f} s ahead of Shopify's: set it right, or changes are missed"
        )
