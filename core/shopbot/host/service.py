"""Serves one or several shops over HTTP in one process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import structlog
from sanic.server.async_server import AsyncioServer

from shopbot.host.shop_host import Role, ShopHost
from shopbot.metrics import Metrics
from shopbot.web.app import create_app
from shopbot.web.metrics import MeteredShop

_IDLE_LOOK_SECONDS = 0.05
_REQUESTS_END_SECONDS = 10.0
"""How long requests that are under way may take to end when the service stops."""


@contextlib.asynccontextmanager
async def serving(
    hosts: Sequence[ShopHost],
    sock: socket.socket,
    *,
    metrics: Metrics,
    role: Role,
    max_body_bytes: int,
    request_time_limit_seconds: float,
) -> AsyncIterator[None]:
    """Start the hosts and answer on a bound socket; on leaving, end what is under way and stop everything.

    metrics: what the hosts count in.

    Raises:
        StoreError, PluginError: from the start of a host; those before it have been stopped.
    """
    async with contextlib.AsyncExitStack() as stack:
        for host in hosts:
            await host.start()
            stack.push_async_callback(host.stop)
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
            metered=[MeteredShop(host.domain, host.gauges.read, host.durability_warnings) for host in hosts],
            metrics=metrics,
            max_body_bytes=max_body_bytes,
            request_time_limit_seconds=request_time_limit_seconds,
            webhooks=role is not Role.WORKER,
        )
        server = await app.create_server(sock=sock, return_asyncio_server=True, access_log=False)
        if server is None:
            raise RuntimeError("Sanic made no server")
        try:
            await server.startup()  # type: ignore[no-untyped-call]  # Sanic leaves its server untyped
            await server.start_serving()  # type: ignore[no-untyped-call]  # likewise
            yield
        finally:
            await _close(server)
            type(app).unregister_app(app)


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
