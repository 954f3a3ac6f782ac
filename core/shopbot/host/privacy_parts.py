"""What it takes to show and to erase what one shop keeps about persons, from its configuration."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from redis.asyncio import Redis

from shopbot.config.settings import Settings
from shopbot.hooks import Hooks
from shopbot.model.failures import Retry
from shopbot.model.shared_keys import SharedKeys
from shopbot.plugin import PersonToErase
from shopbot.privacy.erasure import Erasure
from shopbot.privacy.export import Export
from shopbot.privacy.files import ExportFiles
from shopbot.privacy.finder import Finder
from shopbot.privacy.inventory import Inventory
from shopbot.privacy.person import Person
from shopbot.privacy.progress import ProgressRecords
from shopbot.privacy.search import SearchParts
from shopbot.privacy.sweep import Sweep
from shopbot.rules.compliance import Compliance
from shopbot.store.conversations import Conversations
from shopbot.store.erased import Erased
from shopbot.store.in_hand import InHand
from shopbot.store.keys import Keys
from shopbot.store.log_rewrite import LogRewrite
from shopbot.store.pollers import PollerState


class PrivacyParts:
    """Exports, erasures and their marks, for one shop."""

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        client: Redis,
        conversations: Conversations,
        clock: Callable[[], datetime],
    ) -> None:
        """Put the parts together."""
        keys, shared = Keys(settings.shop.domain), SharedKeys(settings.shop.key_prefix)
        inventory = Inventory(keys, shared)
        self._hooks = hooks
        self.erased = Erased(client, keys, order_ttl=settings.ttl.order_reference, shopper_ttl=settings.ttl.journal)
        self.search = SearchParts(
            client=client,
            keys=keys,
            erased=self.erased,
            in_hand=InHand(client, keys),
            finder=Finder(client, keys),
            sweep=Sweep(client, inventory),
            records=ProgressRecords(client, keys),
            clock=clock,
        )
        self.export = Export(self.search, inventory, conversations)
        self.log_rewrite = LogRewrite(client, keys) if settings.store.embedded else None
        self.files = ExportFiles(settings.data_dir, settings.shop.domain, ttl=settings.ttl.export)
        self.erasure = Erasure(self.search, beside=self._erase_beside, log_rewrite=self.log_rewrite)

    def compliance(self, pollers: Sequence[PollerState]) -> Compliance:
        """Give the steps of the rules that are always there."""
        return Compliance(
            keys=self.search.keys,
            export=self.export,
            erasure=self.erasure,
            files=self.files,
            erased=self.erased,
            last_poll=lambda: _last_poll(pollers),
            clock=self.search.clock,
        )

    async def uninstalled_since(self, pollers: Sequence[PollerState]) -> datetime | None:
        """Say since when the app is uninstalled; None where it is not, or a poll shows that it was installed again."""
        since = (await self.erased.look(None, None)).uninstalled_at
        if since is None:
            return None
        polled = await _last_poll(pollers)
        if polled is not None and polled > since:
            await self.erased.installed()
            return None
        return since

    async def _erase_beside(self, person: Person | None) -> None:
        """Erase what does not stand in the store: exports that were made, and what plugins keep."""
        about = PersonToErase(everyone=True) if person is None else _known(person)
        ids = None if about.everyone else about.psids.union(map(str, about.order_ids))
        try:
            await asyncio.to_thread(self.files.delete_about, ids, about.email)
        except OSError as error:
            # Not to be taken for a store that is away, which is waited for in silence.
            raise Retry(f"{self.files.directory}: an export cannot be deleted: {error.strerror or error}") from error
        for plugin in self._hooks.erasers:
            await plugin(about)


async def _last_poll(pollers: Sequence[PollerState]) -> datetime | None:
    """Give when a poller last succeeded; None where none ever did."""
    records = [await poller.read() for poller in pollers]
    return max((record.last_success for record in records if record.last_success is not None), default=None)


def _known(person: Person) -> PersonToErase:
    return PersonToErase(
        psids=frozenset(person.traces.psids),
        order_ids=frozenset(person.traces.order_ids),
        event_ids=frozenset(person.traces.event_ids),
        customer_id=person.customer_id,
        email=person.email,
    )
