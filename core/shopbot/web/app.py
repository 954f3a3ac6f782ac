"""Builds the Sanic application of a host."""

import math
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config
from sanic.exceptions import SanicException
from sanic.response import json

from shopbot.metrics import OTHER, Metrics
from shopbot.web.api import ShopApi
from shopbot.web.api_routes import add_api
from shopbot.web.body import TimedRequest
from shopbot.web.health import Check, Health, Warnings
from shopbot.web.messenger import MessengerTarget, MessengerWebhooks
from shopbot.web.metrics import MeteredShop, MetricsPage, Timed
from shopbot.web.shopify import ShopifyWebhooks, WebhookTarget

_HEADERS_TIME_LIMIT_SECONDS = 5
_KEEP_ALIVE_SECONDS = 75
_UNAVAILABLE = 503

SHOPIFY_ROUTE = "/webhooks/shopify"
MESSENGER_ROUTE = "/webhooks/messenger"


class Target(WebhookTarget, MessengerTarget, Protocol):
    """What all routes together need of a shop."""

    @property
    def api(self) -> ShopApi | None:
        """What the checkout and cart API works on; None for a shop without API keys."""


_IN_EVERY_REQUEST = ("KEEP_ALIVE", "REQUEST_BUFFER_SIZE")


class _Settings(Config):
    """Sanic's settings; those that it asks for in every request are attributes, too, which are found at once."""

    def __init__(self, *, env_prefix: str) -> None:
        """Read them from Sanic's defaults and the environment variables that begin with *env_prefix*."""
        super().__init__(env_prefix=env_prefix)
        for name in _IN_EVERY_REQUEST:
            object.__setattr__(self, name, self[name])

    def __setattr__(self, name: str, value: object) -> None:
        """Set it as an item, as Sanic does; an attribute would hide that."""
        super().__setattr__(name, value)
        if name in _IN_EVERY_REQUEST:
            object.__setattr__(self, name, value)


def create_app(
    *,
    shops: Mapping[str, Target],
    checks: Mapping[str, Check],
    warnings: Mapping[str, Warnings],
    metered: Sequence[MeteredShop],
    metrics: Metrics,
    max_body_bytes: int,
    request_time_limit_seconds: float,
    webhooks: bool = True,
) -> Sanic:  # type: ignore[type-arg]
    """Make the application; starting and stopping what stands behind it is the host's business.

    metered: the shops whose numbers `/metrics` shows besides what the processes count in *metrics*, and whose
        configurations `/readyz` names.
    webhooks: False for a process that only works (`--role worker`): it answers health checks and scrapes alone.
    """
    # The name is unique because Sanic keeps a registry of names for the whole process.
    app = Sanic(
        f"shopbot-{secrets.token_hex(4)}",
        configure_logging=False,
        config=_Settings(env_prefix="SHOPBOT_SANIC_"),
        request_class=TimedRequest,
    )
    app.ctx.body_time_limit_seconds = request_time_limit_seconds
    app.config.REQUEST_MAX_SIZE = max_body_bytes
    app.config.REQUEST_TIMEOUT = _HEADERS_TIME_LIMIT_SECONDS
    # For the handler alone; a second more, so that a slow body is answered as such.
    app.config.RESPONSE_TIMEOUT = math.ceil(request_time_limit_seconds) + 1
    app.config.KEEP_ALIVE_TIMEOUT = _KEEP_ALIVE_SECONDS
    app.config.ACCESS_LOG = False
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.MOTD = False
    health = Health(checks, warnings, {shop.domain: shop.config for shop in metered})
    app.add_route(health.alive, "/healthz", methods=["GET", "HEAD"], name="healthz")
    app.add_route(health.ready, "/readyz", methods=["GET", "HEAD"], name="readyz")
    app.add_route(MetricsPage(metrics, metered), "/metrics", methods=["GET"], name="metrics")
    if webhooks:
        shopify = Timed(ShopifyWebhooks(shops), metrics, SHOPIFY_ROUTE)
        app.add_route(shopify, SHOPIFY_ROUTE, methods=["POST"], name="shopify")
        messenger = MessengerWebhooks(list(shops.values()))
        for name, handler, method in (
            ("messenger_handshake", messenger.handshake, "GET"),
            ("messenger", messenger.receive, "POST"),
        ):
            timed = Timed(handler, metrics, MESSENGER_ROUTE)
            app.add_route(timed, MESSENGER_ROUTE, methods=[method], name=name)
        apis = [shop.api for shop in shops.values() if shop.api is not None]
        add_api(app, apis, metrics, limit_seconds=request_time_limit_seconds)
    app.error_handler.add(Exception, partial(_answer_error, metrics))
    return app


def _answer_error(metrics: Metrics, request: Request, exception: Exception) -> HTTPResponse:
    """Answer in JSON without a traceback; what is not the client's fault is logged."""
    if isinstance(exception, SanicException):
        if 400 <= exception.status_code < 500:  # noqa: PLR2004 - the client's faults
            route = request.path if request.path in (SHOPIFY_ROUTE, MESSENGER_ROUTE) else OTHER
            metrics.rejected(route, exception.status_code)
        # As the API answers: this also answers in its place, when the process was held up beyond its time limit.
        headers = {"Cache-Control": "no-store", **exception.headers}
        if exception.status_code == _UNAVAILABLE:
            headers.setdefault("Retry-After", "1")
        return json({"error": str(exception)}, status=exception.status_code, headers=headers)
    # The route as it was registered: a path may have a PSID in it.
    pattern = request.route.path if request.route else None
    structlog.get_logger("shopbot.web").error(
        "request_failed", route=pattern, error=repr(exception), exc_info=exception
    )
    return json({"error": "internal error"}, status=500)
