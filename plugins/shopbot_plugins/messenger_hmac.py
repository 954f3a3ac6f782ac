"""Verify that a webhook comes from Messenger, by the signature over its raw body.

    verify:
      - use: messenger_hmac
        app_secret: ${MESSENGER_APP_SECRET}
        verify_token: ${MESSENGER_VERIFY_TOKEN}

`app_secret` is the Meta app's secret; `verify_token` is the text of your choice that you type into the app's webhook
settings, where Meta checks the URL with it. Meta signs the bytes as it sends them, with non-ASCII characters escaped,
so only the raw body verifies. When the app's secret was reset, list the one before under `old_app_secrets` for a day,
for deliveries that were under way.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks
"""

import hmac
from collections.abc import AsyncGenerator, Mapping, Sequence

from shopbot.plugin import Field, Finding, InboundRequest, Origin, PluginConfig, Rejected, Verified, hookimpl
from shopbot_plugins._secret import Secret

_PREFIX = "sha256="
_REFUSED = 403


class Config(PluginConfig):
    """What `use: messenger_hmac` accepts."""

    app_secret: Secret = Field(description="The Meta app's secret.")
    verify_token: Secret = Field(description="The token that is typed into the app's webhook settings.")
    old_app_secrets: tuple[Secret, ...] = Field(
        (), description="Secrets of before a reset, which deliveries that were under way may be signed with."
    )


class Plugin:
    """Judges requests to `/webhooks/messenger` and no others."""

    def __init__(self, config: Config) -> None:
        secrets = (config.app_secret, *config.old_app_secrets)
        self._keys = [secret.get_secret_value().encode() for secret in secrets]
        self._verify_token = config.verify_token.get_secret_value().encode()

    @hookimpl
    def verify_request(self, request: InboundRequest) -> Verified | None:
        """Check the handshake's token, or a delivery's `X-Hub-Signature-256`."""
        if request.route is not Origin.MESSENGER:
            return None
        if request.method == "GET":
            return self._handshake(request)
        signature = request.headers.get("x-hub-signature-256", "")
        if not signature.startswith(_PREFIX):
            raise Rejected(_REFUSED, "the signature is missing")
        # The header may hold bytes that are no UTF-8, which the host hands on as half surrogate pairs.
        given = signature.removeprefix(_PREFIX).encode(errors="surrogatepass")
        signer: int | None = None
        # No way out before the last secret: the time taken must not tell which one signed.
        for index, key in enumerate(self._keys):
            expected = hmac.digest(key, request.body, "sha256").hex()
            right = hmac.compare_digest(given, expected.encode())
            signer = index if right and signer is None else signer
        if signer is None:
            raise Rejected(_REFUSED, "the signature does not fit the app secret")
        return Verified(Origin.MESSENGER, signer)

    @hookimpl
    def sign_request(self, request: InboundRequest) -> Sequence[Mapping[str, str]] | None:
        """Sign the body with every secret, as Meta does with the one that is in force."""
        if request.route is not Origin.MESSENGER:
            return None
        digests = [hmac.digest(key, request.body, "sha256").hex() for key in self._keys]
        return [{"X-Hub-Signature-256": _PREFIX + digest} for digest in digests]

    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        """Look at a rotation, and at the verify token: it travels in addresses, which end up in the logs of proxies."""
        if len(set(self._keys)) < len(self._keys):
            yield Finding.warning(
                "old_app_secrets has a secret that is also another one",
                meaning="the variables of a rotation hold the same value: what the other secret signs is refused",
                to_do="set the variables to the old and to the new secret, or take the old one out",
            )
        if any(hmac.compare_digest(key, self._verify_token) for key in self._keys):
            yield Finding.problem(
                "verify_token is the app secret",
                meaning="it stands in the address by which Meta checks the webhook, and so in the logs of proxies;"
                " whoever reads it there can sign in Meta's name",
                to_do="reset the app's secret, and choose a verify_token that is no secret of anything else",
            )
        else:
            yield Finding.ok("takes what the app secret signs; the verify token is another")

    def _handshake(self, request: InboundRequest) -> Verified:
        token = request.query.get("hub.verify_token", "").encode()
        if request.query.get("hub.mode") != "subscribe" or not hmac.compare_digest(token, self._verify_token):
            raise Rejected(_REFUSED, "the verification token is not ours")
        return Verified(Origin.MESSENGER)
