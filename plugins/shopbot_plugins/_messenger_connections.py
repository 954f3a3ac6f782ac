"""Connections to the Graph API, which tell faults before a request was written from those after."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from shopbot.plugin import InDoubt, Retry
from shopbot_plugins._single_connection import SingleConnection

CONNECT_SECONDS = 10.0
"""The longest wait for a free connection, and again for making one: both together stay below the host's time limit for
a send, after which it would have to take for in doubt what was never written."""

KEEP_ALIVE_SECONDS = 5.0
"""Meta does not publish when it closes idle connections. A request that meets the closing fails like one whose answer
was lost, and must be taken for one; so idle connections are given up long before a server would."""

_NOTHING_WRITTEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class Connections:
    """Up to *count* connections, kept alive, each with its own transport.

    httpx's pool looks at all of its connections and waiting requests for each request, and its client at redirects,
    cookies and what else a browser needs. With 32 connections in one pool a message costs 2 to 3 ms of processor time,
    with a pool for each 0.8 ms, without the client 0.5 ms and without httpcore 0.2 ms: at Meta's 300 messages per
    second that decides whether a core is enough. A proxy takes httpx's own way.

    timeout_seconds: how long to wait for each part of an answer.
    """

    def __init__(self, address: str, headers: Mapping[str, str], *, count: int, timeout_seconds: float) -> None:
        self._address = address
        self._urls: dict[str, httpx.URL] = {}
        """By path: reading an address takes as long as writing a request. There are only a few."""
        self._headers = {"Accept": "*/*", **headers}
        self._connect_seconds = min(timeout_seconds, CONNECT_SECONDS)
        timeout = httpx.Timeout(timeout_seconds, connect=self._connect_seconds)
        self._extensions = {"timeout": timeout.as_dict()}
        trusted = httpx.create_ssl_context()
        proxy = _proxy_for(httpx.URL(address))
        self._transports = [_connection(trusted, proxy) for _ in range(count)]
        # Last in, first out: the one that was just used is the least likely to be closed at the other end.
        self._free: asyncio.LifoQueue[httpx.AsyncBaseTransport] = asyncio.LifoQueue()
        for transport in self._transports:
            self._free.put_nowait(transport)

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
        return await self._request("GET", path, headers, params=query)

    async def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        **content: Any,  # noqa: ANN401 - httpx's own
    ) -> httpx.Response:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx.URL(self._address + path)
        request = httpx.Request(
            method,
            url,
            headers={**self._headers, **(headers or {})},
            extensions=self._extensions,
            **content,
        )
        transport = await self._take()
        try:
            response = await transport.handle_async_request(request)
            try:
                await response.aread()
            finally:
                await response.aclose()
        except _NOTHING_WRITTEN as error:
            raise Retry(f"Messenger could not be reached: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise InDoubt(f"the connection failed during the call: {type(error).__name__}") from error
        finally:
            self._free.put_nowait(transport)
        return response

    async def _take(self) -> httpx.AsyncBaseTransport:
        with contextlib.suppress(asyncio.QueueEmpty):
            return self._free.get_nowait()
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._free.get()
        except TimeoutError:
            raise Retry("all connections to Messenger are busy") from None

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._transports:
            await transport.aclose()


def _connection(trusted: ssl.SSLContext, proxy: str | None) -> httpx.AsyncBaseTransport:
    if proxy is None:
        return SingleConnection(trusted, keep_alive_seconds=KEEP_ALIVE_SECONDS)
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS)
    return httpx.AsyncHTTPTransport(verify=trusted, limits=limits, proxy=proxy)


def _proxy_for(url: httpx.URL) -> str | None:
    """Give the proxy that the environment names for an address (`HTTPS_PROXY`, `NO_PROXY` and the like), if any."""
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(url.netloc.decode()):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"  # as httpx, curl and most others read `proxy.example:3128`
