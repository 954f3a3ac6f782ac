"""What Shopify asks for in the name of its customers and shops. These rules are always there, beside those of the YAML.

No merchant can forget or misspell them, and none can change them: they are law, not taste.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from shopbot.hooks import PluginFailedError
from shopbot.model.compliance import (
    APP_UNINSTALLED,
    CUSTOMER_REDACT,
    DATA_REQUEST,
    SHOP_REDACT,
    CustomerRequest,
    UnreadableRequestError,
    check_shop_redact,
    check_uninstalled,
)
from shopbot.model.failures import Retry
from shopbot.model.outcome import Outcome
from shopbot.model.reason import Reason
from shopbot.privacy.erasure import Erasure
from shopbot.privacy.export import Export
from shopbot.privacy.files import ExportFiles
from shopbot.privacy.person import Person
from shopbot.privacy.search import Unfinished
from shopbot.privacy.sweep import Pace
from shopbot.rules.attempt import Attempt
from shopbot.rules.rule import Rule, Step
from shopbot.store.erased import Erased
from shopbot.store.keys import Keys

_STRETCH_SECONDS = 10.0
"""A search goes on this long at a time: a host that stops waits no longer for it."""
_LATER = {
    Unfinished.IN_HAND: ("waits for attempts that are under way", 0.5),
    Unfinished.ANOTHER_RUNS: ("waits for another search", 5.0),
    Unfinished.TIME_IS_UP: ("goes on", 0.5),
}
"""What the journal says, and after how many seconds it goes on."""
_INSTALLED_WITHIN = timedelta(days=1)


def _rule(name: str, topic: str) -> Rule:
    # Names that nothing in shopbot.yaml can have.
    step = Step(place=f"1:{name}", name=name)
    return Rule(name=name, topics=frozenset({topic}), steps=(step,), built_in=True)


COMPLIANCE_RULES = (
    _rule("privacy.export_customer", DATA_REQUEST),
    _rule("privacy.erase_customer", CUSTOMER_REDACT),
    _rule("privacy.erase_shop", SHOP_REDACT),
    _rule("privacy.note_uninstalled", APP_UNINSTALLED),
)


class Compliance:
    """The steps of these rules."""

    def __init__(
        self,
        *,
        keys: Keys,
        export: Export,
        erasure: Erasure,
        files: ExportFiles,
        erased: Erased,
        last_poll: Callable[[], Awaitable[datetime | None]],
        clock: Callable[[], datetime],
    ) -> None:
        """Bring together what it takes.

        last_poll: gives when a poller last succeeded; None where none ever did.
        """
        self._keys = keys
        self._export = export
        self._erasure = erasure
        self._files = files
        self._erased = erased
        self._last_poll = last_poll
        self._clock = clock
        self._log = structlog.get_logger("shopbot.privacy")
        self.steps: Mapping[str, Callable[[Attempt, Rule, Step], Awaitable[Sequence[Outcome]]]] = {
            "privacy.export_customer": self._export_customer,
            "privacy.erase_customer": self._erase_customer,
            "privacy.erase_shop": self._erase_shop,
            "privacy.note_uninstalled": self._note_uninstalled,
        }

    async def _export_customer(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Write what is kept about a customer to a file that the operator collects."""
        event = attempt.event
        try:
            request = CustomerRequest.from_payload(DATA_REQUEST, attempt.payload, self._keys.shop)
        except UnreadableRequestError as error:
            return [_unreadable(error)]
        person = Person.of_request(request, whole=False)
        exported = await self._export.person(event.id, person, Pace(stretch_seconds=_STRETCH_SECONDS))
        if isinstance(exported, Unfinished):
            return [_later(exported)]
        # Twice the same request is one file; without a number it is named by the event.
        name = f"data-request-{request.request_id or sha256(event.id.encode()).hexdigest()[:16]}"
        content = {"request": request.model_dump(mode="json"), **exported}
        try:
            path = await asyncio.to_thread(self._files.write, name, content)
        except OSError as error:
            # Not to be taken for a store that is away, which is waited for in silence.
            return [Outcome.deferred(Reason.EXPORT_FAILED, f"{self._files.directory}: {error.strerror or error}")]
        self._log.warning(
            "data_request_exported",
            file=str(path),
            what_to_do="look through it and hand it to the customer within 30 days; see docs/privacy.md",
        )
        return [Outcome.done(path.name)]

    async def _erase_customer(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Erase all that is kept about a customer."""
        event = attempt.event
        try:
            request = CustomerRequest.from_payload(CUSTOMER_REDACT, attempt.payload, self._keys.shop)
        except UnreadableRequestError as error:
            return [_unreadable(error)]
        person = Person.of_request(request, whole=True)
        erasing = self._erasure.person(event.id, person, Pace(stretch_seconds=_STRETCH_SECONDS))
        return [await self._erased_or_later(erasing, "customer_erased", event.id)]

    async def _erase_shop(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Erase all that is kept about a shop and its customers, unless the app is evidently installed."""
        event_id, keys = attempt.event.id, self._keys
        try:
            check_shop_redact(attempt.payload, keys.shop)
        except UnreadableRequestError as error:
            return [_unreadable(error)]
        polled = await self._last_poll()
        if polled is not None and polled > self._clock() - _INSTALLED_WITHIN:
            self._log.error("shop_not_erased", last_poll=polled.isoformat(), what_to_do="see docs/privacy.md")
            return [
                Outcome.failed(
                    Reason.SHOP_INSTALLED,
                    f"a poller read the shop's orders at {polled.isoformat(timespec='seconds')}. To erase everything"
                    f" all the same: shopbot privacy erase --shop {keys.shop}",
                )
            ]
        own = {keys.event(event_id), keys.journal(event_id), keys.seen(event_id)}
        erasing = self._erasure.shop(event_id, own, Pace(stretch_seconds=_STRETCH_SECONDS))
        return [await self._erased_or_later(erasing, "shop_erased", event_id)]

    async def _erased_or_later(self, erasing: Awaitable[str | Unfinished], done: str, event_id: str) -> Outcome:
        try:
            erased = await erasing
        except Retry as failure:
            return Outcome.deferred(Reason.PLUGIN_FAILED, failure.reason, retry_after_seconds=failure.after_seconds)
        except PluginFailedError as failure:
            return Outcome.deferred(Reason.PLUGIN_FAILED, failure.what, plugin=failure.place)
        if isinstance(erased, Unfinished):
            return _later(erased)
        self._log.warning(done, what=erased, event_id=event_id)
        return Outcome.done(erased)

    async def _note_uninstalled(self, attempt: Attempt, _rule: Rule, _step: Step) -> Sequence[Outcome]:
        """Warn that the app is uninstalled: no webhooks come any more, and its tokens are dead."""
        try:
            check_uninstalled(attempt.payload, self._keys.shop)
        except UnreadableRequestError as error:
            return [_unreadable(error)]
        await self._erased.uninstalled(attempt.happened_at)
        self._log.error(
            "app_uninstalled",
            since=attempt.happened_at.isoformat(),
            what_to_do="no orders come any more. To go on, install the app again and give the host its new tokens",
        )
        return [Outcome.done()]


def _later(unfinished: Unfinished) -> Outcome:
    what, seconds = _LATER[unfinished]
    return Outcome.deferred(Reason.PRIVACY_UNDER_WAY, what, retry_after_seconds=seconds)


def _unreadable(error: UnreadableRequestError) -> Outcome:
    return Outcome.failed(Reason.WEBHOOK_PROCESSING_ERROR, str(error))
