"""Brings changes of the configurations of a running host into effect, one shop after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from shopbot.config.problem import ConfigError
from shopbot.config.snapshot import Snapshot
from shopbot.config.sources import Sources
from shopbot.host.config_record import ConfigRecord
from shopbot.host.generations import Generations
from shopbot.host.rehearsal import Rehearsal
from shopbot.host.reload import Reload, Step
from shopbot.host.versions import Versions
from shopbot.host.watching import Watch
from shopbot.model.config_state import ConfigState, Refusal


@dataclass(slots=True)
class LiveShop:
    """One shop of a running host."""

    domain: str
    snapshot: Snapshot
    """What runs."""
    sources: Sources
    """What it was made of."""
    state: ConfigState = field(default_factory=ConfigState)
    refused: str = ""
    """The state of the sources that were refused, so that they are not tried again and again."""
    waiting: Sources | None = None
    """What is to be tried next."""


class Reloads:
    """Notices changes, tries them, and puts them in place or refuses them. One at a time; `look` never waits."""

    def __init__(
        self,
        shops: Sequence[LiveShop],
        *,
        versions: Versions,
        generations: Generations,
        record: ConfigRecord,
        rehearsal: str,
        lifeline: int,
        watch: Watch | None,
        limit_seconds: float,
    ) -> None:
        """Prepare; what runs now is recorded at once.

        rehearsal: the module that tries a version, as `python -m` names it.
        lifeline: the end of a pipe that closes with this process.
        watch: None to look only when asked to.
        limit_seconds: how long one reload may take.
        """
        self._shops = shops
        self._versions = versions
        self._generations = generations
        self._record = record
        self._rehearsal = rehearsal
        self._lifeline = lifeline
        self._watch = watch
        self._watched: frozenset[str] = frozenset()
        self._limit_seconds = limit_seconds
        self._asked = False
        self._under_way: tuple[LiveShop, Reload] | None = None
        self._log = structlog.get_logger("shopbot.config")
        for shop in shops:
            file, version = str(shop.snapshot.config), shop.snapshot.version
            shop.state = ConfigState(file=file, version=version, since=datetime.now(UTC))
            self._log.info("config_loaded", shop=shop.domain, version=version, file=file)
        self._write()
        self._follow([shop.sources for shop in shops])

    def ask(self) -> None:
        """Look at all shops at the next opportunity, and try again what was refused; safe in a signal handler."""
        self._asked = True

    def look(self) -> None:
        """Do what there is to do now."""
        if self._generations.look():
            self._forget()
        noticed = self._watch is not None and self._watch.take()
        if self._asked or noticed:
            again, self._asked = self._asked, False
            self._notice(again=again)
        if self._under_way is not None:
            self._proceed(*self._under_way)
        else:
            shop = next((shop for shop in self._shops if shop.waiting is not None), None)
            if shop is not None and shop.waiting is not None:
                self._begin(shop, shop.waiting)

    def stop(self) -> None:
        """Give up what is under way, and notice nothing more."""
        if self._watch is not None:
            self._watch.stop()
        if self._under_way is not None:
            self._under_way[1].abandon()

    def _notice(self, *, again: bool) -> None:
        """Look what lies on disk, and line up what is neither in place nor refused already.

        again: whether what was refused is tried all the same.
        """
        found: list[Sources] = []
        for shop in self._shops:
            try:
                sources = self._versions.look(shop.snapshot.config)
            except ConfigError as error:
                if again or shop.refused != str(error):
                    self._refuse(shop, "", str(error), tuple(map(str, error.problems)))
                shop.waiting = None
                continue
            found.append(sources)
            under_way = self._under_way[1] if self._under_way and self._under_way[0] is shop else None
            if under_way is not None:
                if under_way.state == sources.state:
                    continue
                if under_way.step in (Step.REHEARSE, Step.PREPARE):
                    self._log.info("config_superseded", shop=shop.domain, version=under_way.snapshot.version)
                    self._give_up(under_way)
            if under_way is None and sources.version == shop.snapshot.version:
                self._unchanged(shop, asked=again)
            elif again or sources.state != shop.refused:
                shop.waiting = sources
        self._follow(found)

    def _unchanged(self, shop: LiveShop, *, asked: bool) -> None:
        """Take note that what runs is what lies on disk, perhaps again."""
        shop.waiting, shop.refused = None, ""
        if shop.state.refusal is not None:
            shop.state = shop.state.model_copy(update={"refusal": None})
            self._write()
            self._log.info("config_restored", shop=shop.domain, version=shop.snapshot.version)
        elif asked:
            self._log.info("config_unchanged", shop=shop.domain, version=shop.snapshot.version)

    def _follow(self, sources: Sequence[Sources]) -> None:
        """Watch where changes can come from."""
        if self._watch is None:
            return
        directories = {place for one in sources for place in one.directories}
        # A shop whose files cannot be read now is watched as before.
        seen = {one.config for one in sources}
        directories |= {p for shop in self._shops if shop.snapshot.config not in seen for p in shop.sources.directories}
        identities = frozenset(_identity(place) for place in directories)
        if identities != self._watched:
            self._watched = identities
            self._watch.follow(directories)

    def _begin(self, shop: LiveShop, sources: Sources) -> None:
        shop.waiting = None
        if sources.version == shop.snapshot.version:
            self._unchanged(shop, asked=False)
            return
        self._log.info("config_changed", shop=shop.domain, version=sources.version, file=str(sources.config))
        try:
            snapshot = self._versions.keep(sources)
            snapshots = [snapshot if one is shop else one.snapshot for one in self._shops]
            rehearsal = Rehearsal(self._rehearsal, self._lifeline, snapshot, snapshots, shop.snapshot)
        except OSError as error:
            self._refuse(shop, sources.version, sources.state, (f"it cannot be tried: {error}",))
            return
        reload = Reload(
            snapshot=snapshot,
            state=sources.state,
            rehearsal=rehearsal,
            prepare=lambda: self._generations.prepare(snapshots),
            replace=self._generations.replace,
            limit_seconds=self._limit_seconds,
        )
        shop.sources = sources
        self._under_way = shop, reload

    def _proceed(self, shop: LiveShop, reload: Reload) -> None:
        before = reload.step
        step = reload.look()
        if step is not before and step in (Step.PREPARE, Step.CHANGE, Step.HAND_OVER):
            self._log.debug("config_reload_step", shop=shop.domain, version=reload.snapshot.version, step=step)
        if step is Step.REFUSED:
            self._give_up(reload)
            self._refuse(shop, reload.snapshot.version, reload.state, reload.problems)
        elif step is Step.DONE:
            self._under_way = None
            self._put_in_place(shop, reload)

    def _give_up(self, reload: Reload) -> None:
        self._under_way = None
        reload.abandon()
        if reload.generation is not None:
            self._generations.give_up(reload.generation)
        self._forget()

    def _forget(self) -> None:
        """Delete the snapshots that nobody uses any more."""
        tried = [self._under_way[1].snapshot] if self._under_way is not None else []
        self._versions.forget_others([*self._generations.snapshots, *tried])

    def _put_in_place(self, shop: LiveShop, reload: Reload) -> None:
        before, shop.snapshot, shop.refused = shop.snapshot.version, reload.snapshot, ""
        shop.state = shop.state.model_copy(
            update={
                "version": reload.snapshot.version,
                "since": datetime.now(UTC),
                "reloaded": shop.state.reloaded + 1,
                "refusal": None,
            }
        )
        self._write()
        for warning in reload.answer.warnings:
            self._log.warning("config_warning", shop=shop.domain, version=reload.snapshot.version, detail=warning)
        self._log.info(
            "config_reloaded",
            shop=shop.domain,
            version=reload.snapshot.version,
            version_before=before,
            tests_passed=reload.answer.tests,
            seconds=round(reload.seconds, 1),
        )

    def _refuse(self, shop: LiveShop, version: str, state: str, problems: tuple[str, ...]) -> None:
        now = datetime.now(UTC)
        shop.refused = state
        shop.state = shop.state.model_copy(
            update={
                "refused": shop.state.refused + 1,
                "last_refused": now,
                "refusal": Refusal(version=version, at=now, problems=problems),
            }
        )
        self._write()
        self._log.error(
            "config_refused",
            shop=shop.domain,
            version=version,
            version_that_works=shop.snapshot.version,
            file=str(shop.snapshot.config),
            problems=list(problems),
        )

    def _write(self) -> None:
        try:
            self._record.write({shop.domain: shop.state for shop in self._shops})
        except OSError as error:
            self._log.error("config_state_not_recorded", error=str(error))


def _identity(place: Path) -> str:
    """Tell a directory from another one that has come into its place."""
    try:
        found = place.stat()
    except OSError:
        return f"{place}: none"
    return f"{place}: {found.st_dev} {found.st_ino}"
