"""An httpx transport that is one connection."""

import ssl

import httpcore
import httpx

from shopbot_plugins._direct_network import DirectNetwork

_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


class SingleConnection(httpx.AsyncBaseTransport):
    """A connection to one server, made with the first request, kept alive, and made anew where it is closed or too old.

    For whoever has one request at a time: without a pool, which looks for a connection and takes it back, a request
    takes a sixth less processor time.

    keep_alive_seconds: an idle connection that is older is not used again.
    """

    def __init__(self, trusted: ssl.SSLContext, *, keep_alive_seconds: float) -> None:
        self._trusted = trusted
        self._keep_alive_seconds = keep_alive_seconds
        self._connection: httpcore.AsyncHTTPConnection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer.

        Raises:
            TransportError (httpx's): the kind that `httpx.AsyncHTTPTransport` raises.
        """
        url = request.url
        address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        connection = await self._open(address.origin)
        try:
            answer = await connection.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=address,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
            try:
                content = await answer.aread()
            finally:
                await answer.aclose()
        except _FAILURES as error:
            failure: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
            raise failure(str(error), request=request) from error
        return httpx.Response(
            answer.status, headers=answer.headers, content=content, extensions=answer.extensions, request=request
        )

    async def aclose(self) -> None:
        """Close the connection; a later request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def _open(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        connection = self._connection
        if connection is None or not connection.is_idle() or connection.has_expired():
            await self.aclose()
            connection = self._connection = httpcore.AsyncHTTPConnection(
                origin,
                ssl_context=self._trusted,
                keepalive_expiry=self._keep_alive_seconds,
                network_backend=DirectNetwork(),
            )
        return connection
