"""Makes checkout links: signs who the shopper is, asks the plugins, keeps what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shopbot.hooks import Hook, PluginFailedError
from shopbot.model.checkout import Checkout, CheckoutLine, CheckoutRequest
from shopbot.model.failures import ChannelDown, Refused, Retry
from shopbot.model.psid import mask
from shopbot.model.psid_token import PsidTokens
from shopbot.store.checkouts import Checkouts


class NoCheckoutError(Exception):
    """No plugin could make a link; the message is for the client."""

    def __init__(self, message: str, *, passing: bool, retry_after_seconds: float | None = None) -> None:
        """Say why.

        passing: it may work later.
        """
        super().__init__(message)
        self.passing = passing
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """How links are signed."""

    page_id: str
    """The Page whose shoppers they are for; empty without one."""
    attribute: str
    """The cart attribute that carries the token."""
    valid_for: timedelta


class CheckoutLinks:
    """The checkout links of one shop."""

    def __init__(
        self,
        plugins: Sequence[Hook[[CheckoutRequest], Checkout | None]],
        codec: PsidTokens,
        checkouts: Checkouts,
        policy: LinkPolicy,
        clock: Callable[[], datetime],
    ) -> None:
        self._plugins = plugins
        self._codec = codec
        self._checkouts = checkouts
        self._policy = policy
        self._clock = clock
        self._log = structlog.get_logger("shopbot.checkouts")

    async def make(self, psid: str, lines: tuple[CheckoutLine, ...]) -> Checkout:
        """Make a link under which a shopper can pay for some articles, each of which stands once in *lines*.

        Raises:
            Refused: the shop does not sell this; `OutOfStock` where it has too little.
            NoCheckoutError: no plugin could make one.
        """
        token, nonce = self._codec.issue(self._policy.page_id, psid, self._clock() + self._policy.valid_for)
        request = CheckoutRequest(psid=psid, lines=lines, attributes={self._policy.attribute: token})
        place, checkout = await self._ask(request)
        await self._checkouts.made(
            psid,
            nonce,
            checkout,
            (line.variant_id for line in lines),
            valid_seconds=self._policy.valid_for.total_seconds(),
        )
        self._log.info("checkout_made", psid=mask(psid), plugin=place, lines=len(lines))
        return checkout

    async def _ask(self, request: CheckoutRequest) -> tuple[str, Checkout]:
        """Ask one plugin after the other. The next one is asked when one cannot, never when one refuses."""
        passing, waits = False, []
        for plugin in self._plugins:
            try:
                checkout = await plugin(request)
            except Retry as problem:
                passing = True
                waits.append(problem.after_seconds or 0.0)
                self._log.warning("checkout_failed", plugin=plugin.place, why=problem.reason)
            except ChannelDown as problem:
                self._log.error("checkout_failed", plugin=plugin.place, why=problem.reason)
            except PluginFailedError as problem:
                self._log.error("checkout_failed", plugin=plugin.place, why=problem.what)
            except Refused as refusal:
                self._log.info("checkout_refused", plugin=plugin.place, code=refusal.code, why=refusal.reason)
                raise
            else:
                if checkout is not None:
                    return plugin.place, checkout
        raise NoCheckoutError(
            "the shop's checkout cannot be reached now" if passing else "no checkout link can be made; see the log",
            passing=passing,
            retry_after_seconds=max(waits, default=0.0) or None,
        )
