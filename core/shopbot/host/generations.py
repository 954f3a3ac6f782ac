"""The generations of worker processes in a host: the one that works, and those that end."""

from collections.abc import Iterator, Sequence

from shopbot.config.snapshot import Snapshot
from shopbot.host.generation import Generation
from shopbot.host.launcher import Launcher


class Generations:
    """One generation works at a time; one that is replaced finishes what it has."""

    def __init__(self, launcher: Launcher, count: int, snapshots: Sequence[Snapshot]) -> None:
        """Prepare the first generation; nothing is started yet.

        count: processes of each generation.
        snapshots: of all shops.
        """
        self.live = Generation(launcher, snapshots)
        self._launcher = launcher
        self._count = count
        self._preparing: Generation | None = None
        self._ending: list[Generation] = []

    @property
    def snapshots(self) -> Iterator[Snapshot]:
        """Give all snapshots that processes use."""
        for generation in (self.live, self._preparing, *self._ending):
            yield from generation.snapshots if generation else ()

    def start(self) -> None:
        """Start the processes of the first generation."""
        self.live.start(self._count)

    def prepare(self, snapshots: Sequence[Snapshot]) -> Generation:
        """Start the processes of the next one, beside those that work. Raises OSError where the system has no more."""
        self._preparing = Generation(self._launcher, snapshots)
        try:
            self._preparing.start(self._count, joins=True)
        except OSError:
            self.give_up(self._preparing)
            raise
        return self._preparing

    def replace(self, generation: Generation) -> Generation:
        """Let the prepared generation, which has begun, be the one that works; gives the one that leaves."""
        for earlier in self._ending:
            # At most two versions beside the new one: clients that say nothing have had their time.
            earlier.terminate()
        leaving = self.live
        leaving.leave()
        self._ending.append(leaving)
        self.live, self._preparing = generation, None
        return leaving

    def give_up(self, generation: Generation) -> None:
        """End a generation that was prepared."""
        generation.terminate()
        self._ending.append(generation)
        self._preparing = None

    def look(self) -> bool:
        """Replace processes that died; True when a generation has come to its end."""
        self.live.keep()
        left = [generation for generation in self._ending if not generation.gone()]
        changed = len(left) < len(self._ending)
        self._ending = left
        return changed

    def stop(self) -> None:
        """End all processes."""
        generations = [one for one in (self.live, self._preparing, *self._ending) if one is not None]
        for generation in generations:
            generation.terminate()
        for generation in generations:
            generation.end()
