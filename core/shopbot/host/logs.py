"""Structured logs: JSON for machines, lines for people."""

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from shopbot.config.settings import LogSettings

if TYPE_CHECKING:
    from structlog.typing import Processor

_LOUD_LIBRARIES = ("httpx", "httpcore", "sanic.root", "sanic.server", "sanic.access", "asyncio")
"""Libraries that log every call at INFO; httpx would log URLs."""


def configure_logging(settings: LogSettings) -> None:
    """Send all logs of this process to stderr, in the configured form. Called once, by a process's main function."""
    json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
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
                *([structlog.processors.format_exc_info] if json else []),
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name in _LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
