"""Connections to the Graph API, which tell faults before a request was written from those after."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from shopbot.plugin import InDoubt, Retry

CONNECT_SECONDS = 10.0
"""The longest wait for a free connection, and again for making one: both together stay below the host's time limit for
a send, after which it would have to take for in doubt what was never written."""

KEEP_ALIVE_SECONDS = 5.0
"""Meta does not publish when it closes idle connections. A request that meets the closing fails like one whose answer
was lost, and must be taken for one; so idle connections are given up long before a server would."""

_NOTHING_WRITTEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class Connections:
    """Up to *count* connections, kept alive, each its own client.

    httpx's pool looks at all of its connections and waiting requests for each request: with 32 of them a message costs
    2 to 3 ms of processor time, against 0.8 ms with one connection per client. At Meta's 300 messages per second that
    decides whether a core is enough.

    timeout_seconds: how long to wait for each part of an answer.
    """

    def __init__(self, address: str, headers: Mapping[str, str], *, count: int, timeout_seconds: float) -> None:
        self._connect_seconds = min(timeout_seconds, CONNECT_SECONDS)
        trusted = httpx.create_ssl_context()
        self._clients = [
            httpx.AsyncClient(
                base_url=address,
                headers=headers,
                verify=trusted,
                timeout=httpx.Timeout(timeout_seconds, connect=self._connect_seconds),
                limits=httpx.Limits(
                    max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS
                ),
            )
            for _ in range(count)
        ]
        # Last in, first out: the one that was just used is the least likely to be closed at the other end.
        self._free: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        for client in self._clients:
            self._free.put_nowait(client)

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Post JSON and read the whole answer; redirects are answers like others.

        Raises:
            Retry: nothing was written.
            InDoubt: the request was begun, and its answer is missing.
        """
        return await self._request("POST", path, json=body)

    async def post_form(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        """Post a form and read the whole answer; redirects are answers like others.

        Raises:
            Retry, InDoubt: as `post`.
        """
        return await self._request("POST", path, data=fields)

    async def get(self, path: str, query: Mapping[str, str], token: str | None = None) -> httpx.Response:
        """Get something and read the whole answer; redirects are answers like others.

        query: goes into the address, so it holds no token.
        token: the access token; None is that of all other calls.

        Raises:
            Retry, InDoubt: as `post`; there is nothing to be in doubt about.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self._request("GET", path, params=query, headers=headers)

    async def _request(self, method: str, path: str, **content: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        try:
            async with asyncio.timeout(self._connect_seconds):
                client = await self._free.get()
        except TimeoutError:
            raise Retry("all connections to Messenger are busy") from None
        try:
            return await client.request(method, path, **content)
        except _NOTHING_WRITTEN as error:
            raise Retry(f"Messenger could not be reached: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise InDoubt(f"the connection failed during the call: {type(error).__name__}") from error
        finally:
            self._free.put_nowait(client)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()
