"""An open connection, on the event loop's own transports."""

import asyncio
import contextlib
import socket
import ssl

import aiohappyeyeballs
import httpx

_NEXT_ADDRESS_SECONDS = 0.25
"""When the next of a host's addresses is tried as well (https://www.rfc-editor.org/rfc/rfc8305#section-5)."""
_MOST_UNREAD_BYTES = 256 * 1024


class DirectStream:
    """Reads and writes with asyncio alone; one reads and one writes at a time, as HTTP/1.1 does.

    httpx's own network goes through anyio, which serves trio as well: with it a request costs half as much processor
    time again, and with TLS, which it does in Python, more.
    """

    def __init__(self, transport: asyncio.Transport, wire: "_Wire") -> None:
        self._transport = transport
        self._wire = wire
        wire.transport = transport

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        certified_name: str | None = None,
        limit_seconds: float | None,
    ) -> "DirectStream":
        """Connect to the host's first address that answers, of either family.

        tls: whom to trust; None talks in the clear.
        certified_name: whose certificate the server has to have; None: the host's.
        limit_seconds: how long it may take, TLS included; None: without end.

        Raises:
            ConnectError, ConnectTimeout (httpx's): it did not come about; nothing was told to anybody.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit_seconds):
                addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                connected = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1
                )
                with contextlib.ExitStack() as until_taken_over:
                    until_taken_over.callback(connected.close)
                    name = (certified_name or host) if tls is not None else None
                    transport, wire = await loop.create_connection(_Wire, sock=connected, ssl=tls, server_hostname=name)
                    until_taken_over.pop_all()
        except TimeoutError as error:  # an OSError, too: also the system's own, for a host that does not answer
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return cls(transport, wire)

    @property
    def has_news(self) -> bool:
        """Whether something has been received that nobody has read, or the end has come."""
        return bool(self._wire.unread) or self._wire.ended

    async def read(self, limit_seconds: float | None) -> bytes:
        """Give what has been received, at the least a byte; nothing at the end of the connection.

        Raises:
            ReadError, ReadTimeout (httpx's): the connection broke; nothing came.
        """
        wire = self._wire
        if not wire.unread and not wire.ended:
            try:
                await wire.changed(limit_seconds)
            except TimeoutError as error:
                raise httpx.ReadTimeout(str(error)) from error
        if not wire.unread and wire.error is not None:
            raise httpx.ReadError(str(wire.error)) from wire.error
        return wire.take()

    async def write(self, data: bytes, limit_seconds: float | None) -> None:
        """Send, and wait while the other side does not take what was sent.

        Raises:
            WriteError, WriteTimeout (httpx's): the connection has ended; nothing is taken.
        """
        wire = self._wire
        if wire.ended:
            raise httpx.WriteError("the connection has ended")
        self._transport.write(data)
        while wire.is_full and not wire.ended:
            try:
                await wire.changed(limit_seconds)
            except TimeoutError as error:
                raise httpx.WriteTimeout(str(error)) from error

    async def close(self) -> None:
        """Close the connection without waiting for the other side."""
        self._transport.close()
        await asyncio.sleep(0)  # so that what can go out at once does
        self._transport.abort()

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be sent."""
        self._transport.abort()


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

    async def changed(self, limit_seconds: float | None) -> None:
        """Wait until something has been received or taken, or the end has come.

        Raises:
            TimeoutError: none of it came in time.
        """
        loop = asyncio.get_running_loop()
        self._change = change = loop.create_future()
        limit = None if limit_seconds is None else loop.call_later(limit_seconds, _too_late, change)
        try:
            await change
        finally:
            if limit is not None:
                limit.cancel()

    def take(self) -> bytes:
        """Give all that has been received, and take more from the other side."""
        received = bytes(self.unread)
        self.unread.clear()
        if self._is_halted and self.transport is not None:
            self._is_halted = False
            self.transport.resume_reading()
        return received

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


def _too_late(change: asyncio.Future[None]) -> None:
    if not change.done():
        change.set_exception(TimeoutError("nothing came in time"))
