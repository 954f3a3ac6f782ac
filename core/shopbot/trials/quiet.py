"""Keeps the log lines of a trial out of the log of the process that it runs in."""

import logging
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


class _OtherThreads(logging.Filter):
    """Lets through what other threads log: a host may be at work beside the trial."""

    def __init__(self) -> None:
        super().__init__()
        self._ours = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._ours

    def process(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Do the same in structlog's own chain."""
        if threading.get_ident() == self._ours:
            raise structlog.DropEvent
        return event


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what this thread logs from all handlers of the process until the block ends."""
    muted = _OtherThreads()
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(muted)
    # A process that has set no logging up, such as a script, would have every line printed.
    bare = not structlog.is_configured()
    if bare:
        structlog.configure(processors=[muted.process, *structlog.get_config()["processors"]])
    try:
        yield
    finally:
        if bare:
            structlog.reset_defaults()
        for handler in handlers:
            handler.removeFilter(muted)
