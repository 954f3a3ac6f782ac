"""The way from httpcore to the event loop's own transports."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohappyeyeballs
import httpcore

_NEXT_ADDRESS_SECONDS = 0.25
"""When the next of a host's addresses is tried as well (https://www.rfc-editor.org/rfc/rfc8305#section-5)."""
_MOST_UNREAD_BYTES = 256 * 1024


class DirectNetwork(httpcore.AsyncNetworkBackend):
    """Connects, reads and writes with asyncio alone.

    httpcore's own network goes through anyio, which serves trio as well: with it a request costs half as much processor
    time again, and with TLS, which it does in Python, more.
    """

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the host's first address that answers, of either family.

        Raises:
            ConnectError, ConnectTimeout (httpcore's): it could not be reached.
            ValueError: a local address is asked for.
        """
        if local_address is not None:
            raise ValueError("a connection from a certain local address is not supported")
        loop = asyncio.get_running_loop()
        async with _limited(timeout, httpcore.ConnectTimeout, httpcore.ConnectError):
            addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            connected = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1
            )
            with contextlib.ExitStack() as until_taken_over:
                until_taken_over.callback(connected.close)
                for option in socket_options or ():
                    connected.setsockopt(*option)
                transport, wire = await loop.create_connection(_Wire, sock=connected)
                until_taken_over.pop_all()
        return _DirectStream(transport, wire)


class _DirectStream(httpcore.AsyncNetworkStream):
    """An open connection; one reads and one writes at a time, as HTTP/1.1 does."""

    def __init__(self, transport: asyncio.Transport, wire: "_Wire") -> None:
        self._transport = transport
        self._wire = wire
        wire.transport = transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        """Give what has been received, at the least a byte; nothing at the end of the connection.

        Raises:
            ReadError, ReadTimeout (httpcore's): the connection broke; nothing came.
        """
        wire = self._wire
        if not wire.unread and not wire.ended:
            async with _limited(timeout, httpcore.ReadTimeout, httpcore.ReadError):
                await wire.changed()
        if not wire.unread and wire.error is not None:
            raise httpcore.ReadError(str(wire.error)) from wire.error
        received = bytes(wire.unread[:max_bytes])
        del wire.unread[:max_bytes]
        wire.go_on()
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's own
        """Send, and wait while the other side does not take what was sent.

        Raises:
            WriteError, WriteTimeout (httpcore's): the connection has ended; nothing is taken.
        """
        wire = self._wire
        if wire.ended:
            raise httpcore.WriteError("the connection has ended")
        self._transport.write(buffer)
        while wire.is_full and not wire.ended:
            async with _limited(timeout, httpcore.WriteTimeout, httpcore.WriteError):
                await wire.changed()

    async def aclose(self) -> None:
        """Close the connection without waiting for the other side."""
        self._transport.close()
        await asyncio.sleep(0)  # so that what can go out at once does
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
    ) -> httpcore.AsyncNetworkStream:
        """Go on in TLS.

        Raises:
            ConnectError, ConnectTimeout (httpcore's): it did not come about; the connection is closed.
        """
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as until_secured:
            until_secured.callback(self._transport.abort)
            async with _limited(timeout, httpcore.ConnectTimeout, httpcore.ConnectError):
                secured = await loop.start_tls(
                    self._transport, self._wire, ssl_context, server_hostname=server_hostname
                )
            if secured is None:
                raise httpcore.ConnectError("the connection has ended")
            until_secured.pop_all()
        return _DirectStream(secured, self._wire)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own
        """Say whether something, or the end, has come (`is_readable`), or what the transport knows (`ssl_object`)."""
        if info == "is_readable":
            return bool(self._wire.unread) or self._wire.ended
        return self._transport.get_extra_info(info)


class _Wire(asyncio.Protocol):
    """What the event loop says of a connection."""

    def __init__(self) -> None:
        self.unread = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self.is_full = False
        """Whether the other side takes too little of what was sent."""
        self.transport: asyncio.Transport | None = None
        self._is_halted = False
        """Whether nothing more is taken from the other side for now."""
        self._change: asyncio.Future[None] | None = None

    async def changed(self) -> None:
        """Wait until something has been received or taken, or the end has come."""
        self._change = asyncio.get_running_loop().create_future()
        await self._change

    def go_on(self) -> None:
        """Take more from the other side, unless enough is still unread."""
        if self._is_halted and self.transport is not None and len(self.unread) <= _MOST_UNREAD_BYTES:
            self._is_halted = False
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if len(self.unread) > _MOST_UNREAD_BYTES and not self._is_halted and self.transport is not None:
            self._is_halted = True
            self.transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        self.ended = True
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self._tell()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self._tell()

    def _tell(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


@asynccontextmanager
async def _limited(
    seconds: float | None, too_late: type[httpcore.TimeoutException], failed: type[httpcore.NetworkError]
) -> AsyncIterator[None]:
    """Limit a wait, and say in httpcore's terms how it failed."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:  # an OSError, too: also the system's own, for a host that does not answer
        raise too_late(str(error)) from error
    except OSError as error:
        raise failed(str(error)) from error
