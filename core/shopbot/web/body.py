"""Takes a request's body in, within a time limit."""

import asyncio
from typing import Any

from sanic import Request
from sanic.exceptions import RequestTimeout
from sanic.http import Http


class TimedRequest(Request[Any, Any]):
    """A request whose whole body must arrive within `app.ctx.body_time_limit_seconds`, or is answered 408.

    Sanic's own limits begin anew with every byte, so a client that dribbles could keep a connection for ever.
    """

    async def receive_body(self) -> None:
        """Read the body, as Sanic asks for before it calls a route's handler."""
        stream = self.stream
        if isinstance(stream, Http) and _is_here(stream) and not self.body:
            # Nearly every webhook: it came with its headers, nothing is waited for.
            self.body = await stream.read() or b""
            stream.request_body = None
            return
        try:
            async with asyncio.timeout(self.app.ctx.body_time_limit_seconds):
                await super().receive_body()  # type: ignore[no-untyped-call]  # Sanic leaves it untyped
        except TimeoutError:
            if isinstance(stream, Http):
                # Else Sanic would wait for what is left of the body before it closes the connection.
                stream.request_body = None
                stream.keep_alive = False
            raise RequestTimeout("The body did not arrive in time.") from None


def _is_here(stream: Http) -> bool:
    """Say whether the whole body, of a length that is known, has been received and waits to be read."""
    # Sanic writes True for a body of known length and "chunked" for others, and types it as bytes.
    expected: object = stream.request_body
    left = stream.request_bytes_left or 0
    return expected is True and not stream.expecting_continue and 0 < left <= len(stream.recv_buffer)
