"""Serves one or several shops over HTTP in one process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import structlog
from sanic import Sanic
from sanic.server.async_server import AsyncioServer

from shopbot.discovery import PluginError
from shopbot.host.shop_host import Role, ShopHost
from shopbot.metrics import Metrics
from shopbot.store.errors import StoreError
from shopbot.web.app import create_app
from shopbot.web.connection import Connection
from shopbot.web.metrics import MeteredShop

_IDLE_LOOK_SECONDS = 0.05
_REQUESTS_END_SECONDS = 10.0
"""How long requests that are under way may take to end when the service stops."""


class Service:
    """A server that answers requests."""

    def __init__(self, app: Sanic[Any, Any], server: AsyncioServer) -> None:
        self._app = app
        self._server = server

    def close_the_door(self) -> None:
        """Take no more connections, and close each of those that there are with its next answer.

        The client comes again, and reaches another process. A connection on which nothing more is said ends when its
        time has run out, as always: closing it now could cross a request on its way.
        """
        self._app.config.KEEP_ALIVE = False
        self._server.close()  # type: ignore[no-untyped-call]  # Sanic leaves its server untyped

    async def linger(self) -> None:
        """Wait until no connection is left."""
        while self._server.connections:  # noqa: ASYNC110 - Sanic has no event for it
            await asyncio.sleep(_IDLE_LOOK_SECONDS)


async def _at_once() -> None:
    return


@contextlib.asynccontextmanager
async def serving(
    hosts: Sequence[ShopHost],
    sock: socket.socket,
    *,
    metrics: Metrics,
    role: Role,
    max_body_bytes: int,
    request_time_limit_seconds: float,
    prepared: Callable[[], Awaitable[None]] = _at_once,
    joins: bool = False,
) -> AsyncIterator[Service]:
    """Start the hosts and answer on a bound socket; on leaving, end what is under way and stop everything.

    metrics: what the hosts count in.
    prepared: awaited once all hosts are prepared, before any of them begins. What it raises ends it all.
    joins: whether other processes took the webhooks until now.

    Raises:
        StoreError, PluginError: from the start of a host; those before it have been stopped.
    """
    async with contextlib.AsyncExitStack() as stack:
        for host in hosts:
            await _prepare(host, among=len(hosts))
            stack.push_async_callback(host.stop)
        await prepared()
        for host in hosts:
            await host.begin(joins=joins)
        checks, warnings = {}, {}
        for host in hosts:
            name = "" if len(hosts) == 1 else f" {host.domain}"
            checks[f"store{name}"] = host.store_problem
            checks[f"durability{name}"] = host.durability_problem
            warnings[f"durability{name}"] = host.store_warnings
            warnings[f"app{name}"] = host.app_warnings
            checks[f"worker{name}"] = host.worker_problem
            checks[f"channel{name}"] = host.channel_problem
            checks[f"poller{name}"] = host.poller_problem
        app = create_app(
            shops={host.domain: host for host in hosts},
            checks=checks,
            warnings=warnings,
            metered=[
                MeteredShop(host.domain, host.gauges.read, host.durability_warnings, host.config) for host in hosts
            ],
            metrics=metrics,
            max_body_bytes=max_body_bytes,
            request_time_limit_seconds=request_time_limit_seconds,
            webhooks=role is not Role.WORKER,
        )
        server = await app.create_server(sock=sock, protocol=Connection, return_asyncio_server=True, access_log=False)
        if server is None:
            raise RuntimeError("Sanic made no server")
        try:
            await server.startup()  # type: ignore[no-untyped-call]  # Sanic leaves its server untyped
            await server.start_serving()  # type: ignore[no-untyped-call]  # likewise
            yield Service(app, server)
        finally:
            await _close(server)
            type(app).unregister_app(app)


async def _prepare(host: ShopHost, *, among: int) -> None:
    """Prepare a host; an error says which shop's it is, where there are several."""
    try:
        await host.prepare()
    except (PluginError, StoreError) as error:
        raise type(error)(f"{host.domain}: {error}" if among > 1 else str(error)) from error


async def _close(server: AsyncioServer) -> None:
    """Take no more connections, let requests that are under way end, then close what is left."""
    closed = server.close()  # type: ignore[no-untyped-call]  # likewise
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REQUESTS_END_SECONDS):
            while _close_idle(server):  # noqa: ASYNC110 - Sanic has no event for it
                await asyncio.sleep(_IDLE_LOOK_SECONDS)
    for connection in list(server.connections):
        structlog.get_logger("shopbot.web").warning("connection_cut")
        connection.abort()
    if closed is not None:
        await asyncio.wait([closed], timeout=_REQUESTS_END_SECONDS)


def _close_idle(server: AsyncioServer) -> int:
    for connection in list(server.connections):
        connection.close_if_idle()
    return len(server.connections)
