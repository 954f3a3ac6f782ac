"""An httpx transport that is one connection."""

import asyncio
import ssl
from collections.abc import Mapping

import h11
import httpx

from shopbot_plugins._direct_network import DirectStream

_LONGEST_HEAD_BYTES = 100 * 1024
MOST_ANSWER_BYTES = 16 * 1024 * 1024
"""Many times what Meta ever answers; a server that says more is not it."""
_PORTS = {"http": 80, "https": 443}


class SingleConnection(httpx.AsyncBaseTransport):
    """A connection to one server, made with the first request, kept alive, and made anew where it is closed or too old.

    For whoever has one request at a time: without httpcore's pool, locks and layers a request takes less than half
    of the processor time. The protocol is h11's, as it is there.

    keep_alive_seconds: an idle connection that is older is not used again.
    """

    def __init__(self, trusted: ssl.SSLContext, *, keep_alive_seconds: float) -> None:
        self._trusted = trusted
        self._keep_alive_seconds = keep_alive_seconds
        self._idle: _Connection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer.

        Raises:
            TransportError (httpx's): the kind that `httpx.AsyncHTTPTransport` raises.
        """
        try:
            connection = await self._take(request)
            try:
                answer = await connection.ask(request)
            except BaseException:
                connection.abort()
                raise
            if connection.begin_idling():
                self._idle = connection
            else:
                await connection.close()
        except httpx.TransportError as error:
            error.request = request
            raise
        return answer

    async def aclose(self) -> None:
        """Close the connection; a later request makes a new one."""
        connection, self._idle = self._idle, None
        if connection is not None:
            await connection.close()

    def is_ready(self) -> bool:
        """Say whether the next request could take the connection that is there."""
        return self._idle is not None and self._idle.is_fresh(self._keep_alive_seconds)

    async def _take(self, request: httpx.Request) -> "_Connection":
        url = request.url
        origin = (url.scheme, url.host, url.port or _PORTS[url.scheme])
        connection = self._idle
        if connection is not None and connection.origin == origin and self.is_ready():
            self._idle = None
            return connection
        await self.aclose()
        scheme, host, port = origin
        stream = await DirectStream.connect(
            host,
            port,
            tls=self._trusted if scheme == "https" else None,
            certified_name=request.extensions.get("sni_hostname"),
            limit_seconds=_limits(request).get("connect"),
        )
        return _Connection(stream, origin)


class _Connection:
    """An open connection, and how far its protocol is."""

    def __init__(self, stream: DirectStream, origin: tuple[str, str, int]) -> None:
        self.origin = origin
        self._stream = stream
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD_BYTES)
        self._clock = asyncio.get_running_loop().time
        self._idle_since = self._clock()

    def is_fresh(self, keep_alive_seconds: float) -> bool:
        """Say whether it has not been idle for too long, and nothing has come of the server since."""
        return not self._stream.has_news and self._clock() - self._idle_since < keep_alive_seconds

    def begin_idling(self) -> bool:
        """Be ready for another request from now on; False where one of the sides wants none.

        Also where more came than the answer: it would be taken for the next one.
        """
        if self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        surplus, _ = self._protocol.trailing_data
        if surplus:
            return False
        self._protocol.start_next_cycle()
        self._idle_since = self._clock()
        return True

    async def ask(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer.

        Raises:
            TransportError (httpx's): as `SingleConnection.handle_async_request`.
        """
        limits = _limits(request)
        content = await request.aread()
        try:
            written = self._send(
                h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw),
                h11.Data(data=content),
                h11.EndOfMessage(),
            )
            await self._stream.write(written, limits.get("write"))
            head, content = await self._answer(limits.get("read"))
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            content=content,
            extensions={"http_version": b"HTTP/" + head.http_version},
            request=request,
        )

    async def close(self) -> None:
        """Close it without waiting for the server."""
        await self._stream.close()

    def abort(self) -> None:
        """Close it at once."""
        self._stream.abort()

    def _send(self, *events: h11.Event) -> bytes:
        """Write a request in one piece: in two it would be two packets."""
        return b"".join(self._protocol.send(event) or b"" for event in events)

    async def _answer(self, limit_seconds: float | None) -> tuple[h11.Response, bytes]:
        head: h11.Response | None = None
        content = bytearray()
        while not isinstance(event := self._protocol.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                self._protocol.receive_data(await self._stream.read(limit_seconds))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                content += event.data
                if len(content) > MOST_ANSWER_BYTES:
                    raise httpx.RemoteProtocolError(f"the answer has more than {MOST_ANSWER_BYTES:,} bytes")
            elif not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("the server wants to go on in another protocol")
        if head is None:
            raise httpx.RemoteProtocolError("the answer has no head")
        return head, bytes(content)


def _limits(request: httpx.Request) -> Mapping[str, float | None]:
    limits: Mapping[str, float | None] = request.extensions.get("timeout", {})
    return limits
