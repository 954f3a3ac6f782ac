"""Notices that something in a set of directories has changed."""

import threading
from collections.abc import Iterable
from pathlib import Path

import structlog
from watchfiles import watch

_QUIET_MS = 300
"""So long nothing more may change before it is said: editors and copies write several files, or one in parts."""
_LONGEST_MS = 3_000
"""After that it is said all the same."""
_LOOK_MS = 500
"""So often the thread looks whether it is to end, at least."""


class Watch:
    """A thread that waits for the operating system's word; it looks at no file itself."""

    def __init__(self) -> None:
        self._noticed = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, directories: Iterable[Path]) -> None:
        """Watch these directories, without what lies below them, in place of those before.

        What changes until the thread is at work is not noticed: so `take` once gives True when it is.
        """
        self.stop()
        self._ending = threading.Event()
        places = sorted({str(place) for place in directories if place.is_dir()})
        self._thread = threading.Thread(target=self._run, args=(places, self._ending), name="watch", daemon=True)
        self._thread.start()

    def take(self) -> bool:
        """Say whether it is time to look, and begin anew."""
        noticed = self._noticed.is_set()
        self._noticed.clear()
        return noticed

    def stop(self) -> None:
        """Watch no more; the thread ends within half a second by itself."""
        self._ending.set()

    def _run(self, places: list[str], ending: threading.Event) -> None:
        first = True
        try:
            for changes in watch(
                *places,
                watch_filter=None,
                debounce=_LONGEST_MS,
                step=_QUIET_MS,
                stop_event=ending,
                rust_timeout=_LOOK_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
                ignore_permission_denied=True,
            ):
                if changes or first:
                    self._noticed.set()
                first = False
        except OSError as error:  # more watches than the system allows, or a directory that has just gone
            structlog.get_logger("shopbot.host").warning(
                "configuration_not_watched", error=str(error), what_to_do="send SIGHUP after a change"
            )
