"""Structured logs: JSON for machines, lines for people.

Each line has `event`, `level`, `logger` and `timestamp` (ISO 8601, UTC); an error's traceback is the text `exception`.
What else there is depends on the event.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import structlog

from shopbot.config.settings import LogSettings
from shopbot.host.log_masks import mask_texts

if TYPE_CHECKING:
    from structlog.typing import Processor

_LOUD_LIBRARIES = ("httpx", "httpcore", "sanic.root", "sanic.server", "sanic.access", "asyncio", "watchfiles.main")
"""Libraries that log every call at INFO; httpx would log URLs."""


def configure_logging(settings: LogSettings) -> None:
    """Send all logs of this process to stderr, in the configured form. Called once, by a process's main function.

    Warnings and exceptions that nobody catches become log lines as well: a reader of JSON finds nothing else there.
    """
    json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not json:
        # Its own tracebacks would show local variables, secrets and bodies among them.
        last = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_texts,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name in _LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    structlog.get_logger("shopbot.host").critical("uncaught_exception", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_value is not None:
        _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
