"""The 200 of a webhook, without a body: its headers are prepared, not formatted anew for each of thousands."""

from collections.abc import Iterator

from sanic.compat import Header
from sanic.response import HTTPResponse

_KEPT = ((b"content-length", b"0"), (b"connection", b"keep-alive"))
_CLOSED = ((b"content-length", b"0"), (b"connection", b"close"))


class Accepted(HTTPResponse):
    """One answer; Sanic writes `connection` into its headers, and nothing else of them is sent."""

    __slots__ = ()

    def __init__(self) -> None:
        # Not super().__init__: what it works out from its arguments is known here.
        self.asgi = False
        self.body = b""
        self.content_type = None
        self.stream = None
        self.status = 200
        self.headers = Header({})
        self._cookies = None

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        """Give the header lines, as Sanic asks for them when it sends."""
        return iter(_KEPT if self.headers["connection"] == "keep-alive" else _CLOSED)
