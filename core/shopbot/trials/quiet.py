"""Keeps the log lines of a trial out of the log of the process that it runs in."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _OtherThreads(logging.Filter):
    """Lets through what other threads log: a host may be at work beside the trial."""

    def __init__(self) -> None:
        super().__init__()
        self._ours = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._ours


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what this thread logs from all handlers of the process until the block ends."""
    muted = _OtherThreads()
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(muted)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(muted)
