"""Where a running host keeps the versions of its configurations: those that run, and those that are tried."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from shopbot.config.snapshot import Snapshot
from shopbot.config.sources import Sources, read_sources


class Versions:
    """A directory of snapshots, for this user alone, until the host ends."""

    def __init__(
        self, directory: Path, environ: Mapping[str, str], beside: Callable[[Path], Sequence[Path]] = lambda _: ()
    ) -> None:
        """Keep snapshots below *directory*.

        environ: what `${NAME}` in a configuration means.
        beside: names the files that say whether a configuration may run, such as its tests.
        """
        self.directory = directory
        self._environ = environ
        self._beside = beside

    def look(self, config: Path) -> Sources:
        """Read what lies on disk now. Raises ConfigError where that cannot be done."""
        return read_sources(config, self._environ, beside=self._beside(config))

    def keep(self, sources: Sources) -> Snapshot:
        """Keep a version. Raises OSError where that cannot be done, as on a disk that is full."""
        return sources.keep(Path(tempfile.mkdtemp(prefix=f"{sources.version}-", dir=self.directory)))

    def forget_others(self, used: Iterable[Snapshot]) -> None:
        """Delete all snapshots but these."""
        kept = {snapshot.directory for snapshot in used}
        for directory in self.directory.iterdir():
            if directory not in kept:
                shutil.rmtree(directory, ignore_errors=True)
