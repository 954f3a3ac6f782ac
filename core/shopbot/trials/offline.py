"""An event loop that reaches nobody: plugins that would ask another machine are told that it cannot be reached."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import uvloop


class OfflineLoop(uvloop.Loop):
    """Connects to Unix sockets, which is where the store of a trial is, and to nothing else.

    What a plugin does in a thread of its own is out of its reach.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[str] = []
        """Who was to be reached, oldest first."""

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncio's own
        """Refuse to connect."""
        self._refuse(_argument(1, "host", arguments, options), _argument(2, "port", arguments, options))

    async def create_datagram_endpoint(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - likewise
        """Refuse to send datagrams."""
        self._refuse(*(_argument(2, "remote_addr", arguments, options) or (None, None)))

    async def getaddrinfo(self, host: Any, port: Any, **_options: Any) -> Any:  # noqa: ANN401 - likewise
        """Refuse to look up who is to be reached."""
        self._refuse(host, port)

    async def sock_connect(self, sock: Any, address: Any) -> None:  # noqa: ANN401 - likewise
        """Refuse to connect a socket, unless it is a Unix socket."""
        if isinstance(address, str | bytes):
            await super().sock_connect(sock, address)
        else:
            self._refuse(*address[:2])

    def _refuse(self, host: object, port: object) -> NoReturn:
        name = host.decode(errors="replace") if isinstance(host, bytes) else host
        where = f"{name}:{port}" if name is not None else "another machine"
        if where not in self.wanted:
            self.wanted.append(where)
        raise ConnectionRefusedError(f"{where} is not reached while a configuration is tried")


def _argument(place: int, name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - likewise
    """Give one of asyncio's arguments, whether it was given by its place or by its name; None where it was not."""
    return options.get(name, arguments[place] if place < len(arguments) else None)
