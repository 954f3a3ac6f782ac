"""The token of the Admin API: a lasting one, or one that the app's credentials are exchanged for.

https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant
"""

import asyncio
import re
from typing import Protocol

import httpx

from shopbot.plugin import ChannelDown, Retry, SecretStr
from shopbot_plugins._endpoint import retry_after_seconds
from shopbot_plugins._json import read_object

_PATH = "/admin/oauth/access_token"
_USABLE = re.compile(r"[\x21-\x7e]+")
_ERROR_NAME = re.compile(r"[a-z_]{1,40}")
_DAY_SECONDS = 86_400.0
_LONGEST_MARGIN_SECONDS = 300.0
_BUSY = frozenset({408, 425, 429})


class Tokens(Protocol):
    """Where the API's client gets its token."""

    async def current(self) -> str:
        """Give a token that should be good. Raises `Retry` or `ChannelDown` when there is none to be had."""

    def refused(self, token: str) -> bool:
        """Take note that Shopify refused *token*; True when `current` will give another one."""


class LastingToken:
    """A token that the merchant was shown once, and that works until it is revoked."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def current(self) -> str:
        """Give the token."""
        return self._token.get_secret_value()

    def refused(self, token: str) -> bool:  # noqa: ARG002 - the protocol's
        """Say that there is no other."""
        return False


class GrantedToken:
    """A token that is asked for with the app's credentials, used by all, and renewed before it ends."""

    def __init__(
        self, client: httpx.AsyncClient, client_id: str, client_secret: SecretStr, *, time_limit_seconds: float
    ) -> None:
        self._client = client
        self._client_id = client_id
        self._client_secret = client_secret
        self._time_limit_seconds = time_limit_seconds
        self._token = ""
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def current(self) -> str:
        """Give the token; asks for one when there is none, or it ends soon."""
        async with self._asking:
            if not self._token or asyncio.get_running_loop().time() >= self._good_until:
                await self._ask()
            return self._token

    def refused(self, token: str) -> bool:
        """Forget the token."""
        if token == self._token:
            self._token = ""
        return True

    async def _ask(self) -> None:
        asked = asyncio.get_running_loop().time()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret.get_secret_value(),
        }
        try:
            async with asyncio.timeout(self._time_limit_seconds):
                response = await self._client.post(_PATH, data=form)
        except (httpx.RequestError, TimeoutError) as error:
            raise Retry(f"Shopify could not be asked for a token: {type(error).__name__}") from error
        if not response.is_success:
            raise _refusal(response)
        answer = read_object(response)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not _USABLE.fullmatch(token):
            raise Retry("Shopify's answer to the client credentials has no token in it")
        lasts = float(seconds) if isinstance(seconds, int) and not isinstance(seconds, bool) else _DAY_SECONDS
        self._token = token
        self._good_until = asked + lasts - min(_LONGEST_MARGIN_SECONDS, lasts / 10)


def _refusal(response: httpx.Response) -> Retry | ChannelDown:
    status = response.status_code
    if response.is_server_error or status in _BUSY:
        return Retry(f"Shopify gives no token now (HTTP {status})", after_seconds=retry_after_seconds(response.headers))
    name = read_object(response).get("error")
    why = f", {name}" if isinstance(name, str) and _ERROR_NAME.fullmatch(name) else ""
    return ChannelDown(
        f"Shopify refuses client_id and client_secret (HTTP {status}{why}): the app must belong to the organisation of"
        " the shop, and be installed there with the scope read_orders"
    )
