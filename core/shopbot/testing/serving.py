"""Run a Sanic app inside the caller's event loop, and end it without leaving anything behind."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from sanic import Sanic

SimulatorApp = Sanic[Any, Any]

_LONGEST_ANSWER_SECONDS = 3600
_STOP_SECONDS = 5


def new_app(kind: str) -> SimulatorApp:
    """Make an app with a name of its own: Sanic's registry is global, and several simulators may run at once.

    kind: the readable part of the name.
    """
    app: SimulatorApp = Sanic(f"{kind}-{uuid4().hex}", configure_logging=False)
    # A simulated hang must end when the script says so, not when Sanic loses patience.
    app.config.RESPONSE_TIMEOUT = _LONGEST_ANSWER_SECONDS
    app.config.KEEP_ALIVE_TIMEOUT = _LONGEST_ANSWER_SECONDS
    # Sanic's start-up optimisation rewrites its own classes, which works for one app in a process only.
    app.config.TOUCHUP = False
    return app


@asynccontextmanager
async def serving(app: SimulatorApp, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve *app* until the block ends; gives its address, such as `http://127.0.0.1:54321`.

    port: 0 takes a free one. tls: to serve with TLS; None serves without.

    On leaving, open connections are cut at once, as by a process that dies: there is nothing to finish.
    Raises OSError if the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Sanic leaves its server object without types.
        server: Any = await app.create_server(
            sock=listener, ssl=tls, return_asyncio_server=True, access_log=False, backlog=1024
        )
        await server.startup()
        await server.start_serving()
        try:
            yield f"{'http' if tls is None else 'https'}://{host}:{listener.getsockname()[1]}"
        finally:
            closed = server.close()
            connections = list(server.connections)
            # Sanic has no public way to end a handler that still waits, as one that plays a hang does.
            handlers = [it._task for it in connections if it._task is not None]  # noqa: SLF001
            for connection in connections:
                connection.abort()
            await asyncio.wait([closed, *handlers], timeout=_STOP_SECONDS)
    finally:
        Sanic.unregister_app(app)
        listener.close()
