"""Erases a person, or a shop, and proves it: the last pass through the whole store finds nothing of them.

In this order, so that it may stop anywhere and go on:
- the orders and shoppers are marked, under pseudonyms: attempts that begin from now on keep nothing of them;
- attempts that began before come to their end;
- passes through all keys erase what is theirs, until one finds nothing;
- exports are deleted, and plugins erase what they keep;
- the indexes by which the search began are erased last.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from shopbot.privacy.eraser import ANCHORS, Eraser
from shopbot.privacy.inventory import FoundKey
from shopbot.privacy.person import Person
from shopbot.privacy.progress import Progress
from shopbot.privacy.search import SAVE_EVERY_BATCHES, PersonSearch, SearchParts, Turn, Unfinished, turn
from shopbot.privacy.sweep import Pace
from shopbot.store.lease import LeaseLostError
from shopbot.store.log_rewrite import LogRewrite

_RUNNING = frozenset(
    {"inbox", "retries", "held", "parked", "dead", "consumer", "erased_shop", "privacy_lease", "log_rewrite"}
)
"""Kinds that the host runs on. Events that wait are erased one by one, which empties the sets that they wait in."""

Beside = Callable[[Person | None], Awaitable[None]]
"""Erases what is kept beside the store about a person, or None: everybody; raises what makes it go on later."""


class Erasure:
    """Erases persons of one shop, or all of it."""

    def __init__(self, parts: SearchParts, *, beside: Beside, log_rewrite: LogRewrite | None) -> None:
        """Bring together what it takes.

        beside: called when the store is clean.
        log_rewrite: takes what was erased off the disk as well; None where the store is not the host's own.
        """
        self._parts = parts
        self._beside = beside
        self._log_rewrite = log_rewrite
        self._eraser = Eraser(parts.client, parts.keys)

    async def person(self, task_id: str, person: Person, pace: Pace) -> str | Unfinished:
        """Erase a person; gives what was erased, in numbers, or why it goes on later: then call it again.

        task_id: the same for each call.
        """
        parts = self._parts
        progress = await parts.records.load(task_id)
        person.traces.add(progress.traces)
        await parts.finder.gather(person)
        began = progress.waits_for is not None
        await self._mark(task_id, person, progress)
        if not began and not pace.at_a_stretch:
            return Unfinished.IN_HAND  # the attempt that this runs in is one of those
        search = PersonSearch(
            parts=parts,
            task_id=task_id,
            person=person,
            progress=progress,
            act=lambda theirs: self._erase(theirs, progress),
            learned=lambda: self._mark(task_id, person, progress),
        )
        unfinished = await search.run(pace)
        if unfinished is not None:
            return unfinished
        await self._beside(person)
        # From now on this alone knows who it was, should it be cut off.
        progress.traces = person.traces
        await parts.records.save(task_id, progress)
        progress.records += await self._eraser.unlink(parts.finder.anchors(person))
        await self._end(task_id)
        orders, shoppers = len(person.traces.order_ids), len(person.traces.psids)
        return f"{_count(orders, 'order')}, {_count(shoppers, 'shopper')}: {_records(progress)}"

    async def shop(self, task_id: str, spare: Collection[str], pace: Pace) -> str | Unfinished:
        """Erase all of the shop but what the host itself runs on; answers as `person` does.

        spare: the keys of the event that asks for it.
        """
        parts = self._parts
        progress = await parts.records.load(task_id)
        if progress.waits_for is None:
            await parts.erased.mark_shop(parts.clock())
            progress.waits_for = await parts.in_hand.latest()
            await parts.records.save(task_id, progress)
            if not pace.at_a_stretch:
                return Unfinished.IN_HAND
        if await parts.in_hand.any_until(progress.waits_for):
            return Unfinished.IN_HAND
        try:
            async with turn(parts) as own:
                await self._sweep_shop(task_id, {*spare, parts.keys.privacy_search(task_id)}, progress, pace, own)
        except LeaseLostError:
            return Unfinished.ANOTHER_RUNS
        if progress.cursor is not None:
            return Unfinished.TIME_IS_UP
        await self._beside(None)
        await self._end(task_id)
        return _records(progress)

    async def size_of_shop(self, pace: Pace) -> Mapping[str, int]:
        """Count what `shop` would erase, by kind of key."""
        counts: Counter[str] = Counter()
        async for batch in self._parts.sweep.batches(Progress(), pace):
            counts.update(key.name or "other" for key in batch if not _is_running(key))
        return counts

    async def _end(self, task_id: str) -> None:
        if self._log_rewrite is not None:
            await self._log_rewrite.ask()
        await self._parts.records.drop(task_id)

    async def _mark(self, task_id: str, person: Person, progress: Progress) -> None:
        """Mark what is newly known of the person, and only then look which attempts are under way.

        Orders are found at any time: by a pass, or because an attempt that was under way has taken one in.
        """
        parts, known = self._parts, person.traces.named
        if progress.waits_for is not None and progress.marked == known:
            return
        await parts.erased.mark(person.traces.order_ids, person.traces.psids, parts.clock())
        progress.waits_for, progress.marked = await parts.in_hand.latest(), known
        await parts.records.save(task_id, progress)

    async def _erase(self, theirs: Sequence[FoundKey], progress: Progress) -> int:
        gone = await self._eraser.erase(theirs)
        progress.records += gone
        return gone

    async def _sweep_shop(
        self, task_id: str, spare: Collection[str], progress: Progress, pace: Pace, own: Turn
    ) -> None:
        """Go through the store once: what comes meanwhile is somebody's new doing."""
        parts, batches = self._parts, 0
        async for batch in parts.sweep.batches(progress, pace):
            doomed = [key for key in batch if key.key not in spare and not _is_running(key)]
            progress.records += await self._eraser.erase(doomed)
            progress.records += await self._eraser.unlink([key.key for key in doomed if key.name in ANCHORS])
            batches += 1
            if batches % SAVE_EVERY_BATCHES == 0:
                await own.keep()
                await parts.records.save(task_id, progress)
        await parts.records.save(task_id, progress)


def _is_running(key: FoundKey) -> bool:
    return key.name in _RUNNING or (key.name == "poller" and key.key.endswith(":leader"))


def _records(progress: Progress) -> str:
    return f"{_count(progress.records, 'record')} erased"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
