"""Send messages through Meta's Send API, as a Facebook Page.

    senders:
      - use: messenger
        page_id: "102290129340398"
        access_token: ${MESSENGER_PAGE_TOKEN}
        app_secret: ${MESSENGER_APP_SECRET}
        api_url: https://graph.facebook.com/v25.0
        timeout: 30s
        connections: 100
        notification_type: REGULAR

`page_id` is the Page's id, in quotes; `access_token` a token of that Page with the permission pages_messaging (for
utility templates also pages_utility_messaging). With `app_secret` every call carries `appsecret_proof`, which apps with
"Require App Secret" must send and others may. `api_url` ends with the Graph API version. `timeout` is for each wait on
the connection; connecting, and waiting for a free one of the `connections`, take 10 seconds at most. Where Meta takes
300 ms to answer, 100 connections carry Meta's limit of 300 messages per second.
`notification_type` is REGULAR, SILENT_PUSH or NO_PUSH.

Inside the messaging window the text is sent, outside it the approved utility template; message tags have ended and are
never sent. Quick replies go with texts, 13 at most, their titles cut at 20 characters. The values of a template's
placeholders lose line breaks and repeated spaces and are cut at 256 characters; a value that is then empty becomes "-".

`shopbot doctor` asks Meta with the same token whose it is, what it may do and until when, and which webhooks the Page
has subscribed (which takes pages_manage_metadata); with `app_secret` also where the app's webhook goes.

A send is never guessed. Refusals that Meta explains, and faults before anything was written, count as not sent. When
the request was written and no answer can be read, the message is in doubt: the claim in its `metadata` comes back with
the echo and settles it.

https://developers.facebook.com/docs/messenger-platform/reference/send-api
"""

import hmac
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from shopbot.plugin import (
    Context,
    Examination,
    Field,
    Finding,
    Logger,
    MessagePreview,
    OutboundMessage,
    PluginConfig,
    PositiveDuration,
    Receipt,
    TemplateDefinition,
    TemplateState,
    TemplateStatus,
    hookimpl,
)
from shopbot_plugins._endpoint import base_url
from shopbot_plugins._messenger_answer import read_answer
from shopbot_plugins._messenger_body import message_content
from shopbot_plugins._messenger_connections import Connections
from shopbot_plugins._messenger_examination import PageExamination
from shopbot_plugins._messenger_templates import Templates
from shopbot_plugins._secret import Secret, Token


class Config(PluginConfig):
    """What `use: messenger` accepts."""

    page_id: str = Field(strict=True, pattern=r"^[0-9]{1,32}$", description="The Page's id: digits, written in quotes.")
    access_token: Token = Field(description="A Page access token with the permission pages_messaging.")
    app_secret: Secret | None = Field(
        None, description="The app's secret, to send appsecret_proof with each call; not sent where left out."
    )
    api_url: Annotated[str, AfterValidator(base_url)] = Field(
        "https://graph.facebook.com/v25.0", strict=True, description="The Graph API's address with its version."
    )
    timeout: PositiveDuration = Field(
        timedelta(seconds=30),
        description="How long to wait for each part of the answer: a duration such as 30s. After that it is in doubt.",
    )
    connections: int = Field(100, ge=1, le=1000, description="How many connections may be open at once.")
    notification_type: Literal["REGULAR", "SILENT_PUSH", "NO_PUSH"] = Field(
        "REGULAR", description="How the phone announces the message: REGULAR, SILENT_PUSH or NO_PUSH."
    )


class Plugin:
    """One Page's sender. PSIDs travel in bodies, tokens in headers: neither is ever part of a URL."""

    _connections: Connections
    _log: Logger

    def __init__(self, config: Config) -> None:
        self._config = config
        self.channel = f"messenger:{config.page_id}"
        self._path = f"/{config.page_id}/messages"
        self._token = config.access_token.get_secret_value()
        self._proof: dict[str, str] = {}
        if config.app_secret is not None:
            # https://developers.facebook.com/docs/graph-api/guides/secure-requests
            key = config.app_secret.get_secret_value().encode()
            self._proof["appsecret_proof"] = hmac.digest(key, self._token.encode(), "sha256").hex()
        self._fields = dict(self._proof)
        if config.notification_type != "REGULAR":
            self._fields["notification_type"] = config.notification_type

    @hookimpl
    async def start(self, context: Context) -> None:
        """Get the connections ready; each is made when it is first needed."""
        self._log = context.log
        self._connections = Connections(
            self._config.api_url,
            {"Authorization": f"Bearer {self._token}", "User-Agent": "shopbot"},
            count=self._config.connections,
            timeout_seconds=self._config.timeout.total_seconds(),
        )

    @hookimpl
    async def stop(self) -> None:
        """Close all connections."""
        await self._connections.close()

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> Receipt:
        """Send the message as its `delivery` says."""
        response = await self._connections.post(self._path, self._body(message))
        return read_answer(message, response, self._log)

    @hookimpl
    def preview_message(self, message: OutboundMessage) -> MessagePreview:
        """Show the call to the Send API; the proof of the app's secret is left out."""
        hidden = dict.fromkeys(self._proof, "…")
        return MessagePreview(to=f"POST {self._config.api_url}{self._path}", body={**self._body(message), **hidden})

    @hookimpl
    async def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:
        """Look at the token and its permissions, the version, the clock, and the webhooks that are subscribed."""
        page = PageExamination(
            self._connections,
            page_id=self._config.page_id,
            api_url=self._config.api_url,
            token=self._token,
            proof=self._proof,
            app_secret=self._config.app_secret,
        )
        async for finding in page.findings(examination):
            yield finding

    @hookimpl
    async def manage_template(self, template: TemplateDefinition, submit: bool) -> TemplateState:  # noqa: FBT001
        """Look the template up among the Page's, and submit it where there is none."""
        templates = Templates(self._connections, self._config.page_id, self._proof)
        state = await templates.state(template)
        if submit and state.status is TemplateStatus.MISSING:
            return await templates.submit(template)
        return state

    def _body(self, message: OutboundMessage) -> dict[str, Any]:
        """Write the call's JSON.

        Raises:
            Refused: Meta would not take the message in any form.
        """
        return {
            "recipient": {"id": message.psid},
            "messaging_type": message.delivery.value,
            "message": message_content(message),
            **self._fields,
        }
