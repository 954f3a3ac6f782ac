"""Whether Meta will take what the sender sends, and whether its webhooks come here.

https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps (of the Page; asks for
pages_manage_metadata) and https://developers.facebook.com/docs/graph-api/reference/app/subscriptions/ (of the app; asks
for the app's own token): only fields that both have subscribed are delivered.
"""

import hmac
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from shopbot.plugin import ChannelDown, Examination, Finding, InDoubt, Origin, Refused, Retry, SecretStr, compare_clock
from shopbot_plugins import _messenger_token as page_token
from shopbot_plugins._endpoint import shown_address
from shopbot_plugins._json import as_list, as_objects
from shopbot_plugins._messenger_connections import Connections
from shopbot_plugins._messenger_templates import checked
from shopbot_plugins._messenger_token import TokenFacts
from shopbot_plugins._messenger_versions import version_finding, version_of

_FIELDS = {
    "messenger/message": "messages",
    "messenger/postback": "messaging_postbacks",
    "messenger/referral": "messaging_referrals",
    "messenger/optin": "messaging_optins",
    "messenger/reaction": "message_reactions",
}
"""What brings each topic. https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks"""

_NO_WINDOW = "nobody knows then when a shopper last wrote: messages count as outside the window"
_MEANINGS = {
    "messages": f"what shoppers write is not seen, and {_NO_WINDOW}",
    "messaging_postbacks": f"taps on buttons are not seen, and {_NO_WINDOW}",
    "message_echoes": "a send whose answer was lost cannot be settled: it waits as IN_DOUBT for a person",
}
_ALWAYS = ("messages", "messaging_postbacks", "message_echoes")


class PageExamination:
    """One Page, by its sender's connections."""

    def __init__(
        self,
        connections: Connections,
        *,
        page_id: str,
        api_url: str,
        token: str,
        proof: Mapping[str, str],
        app_secret: SecretStr | None,
    ) -> None:
        self._connections = connections
        self._page_id = page_id
        self._api_url = api_url
        self._token = token
        self._proof = proof
        self._app_secret = app_secret

    async def findings(self, examination: Examination) -> AsyncGenerator[Finding, None]:
        """Ask Meta, and say how all of it stands."""
        try:
            response = await self._connections.get("/me", {"fields": "id,name", **self._proof})
            clock = compare_clock("Meta", response.headers.get("Date"), datetime.now(UTC))
            if clock is not None:
                yield clock
            version = version_of(self._api_url)
            if version is not None:
                yield version_finding(version, examination.today, response.headers.get("facebook-api-version"))
            yield self._page(checked(response))
        except (Retry, InDoubt) as failure:
            yield Finding.warning(
                failure.reason,
                meaning="whether messages can be sent could not be looked at now",
                to_do="run doctor again; mind the network from this machine to Meta",
            )
            return
        except (ChannelDown, Refused) as failure:
            yield Finding.problem(
                failure.reason,
                meaning="no message goes out; all wait until a person acts",
                to_do="make a new token of this Page, set access_token, and restart the host: what waits is sent then",
            )
            return
        facts = await page_token.ask(self._connections, self._token, self._page_id, self._proof)
        if facts is None:
            yield Finding.warning(
                "Meta does not tell what the token may do",
                meaning="permissions and the token's end could not be looked at",
                to_do="look it up in Meta's Access Token Debugger: it needs pages_messaging",
            )
        else:
            sends_templates = examination.sends_templates
            for finding in facts.findings(self._page_id, examination.today, sends_templates=sends_templates):
                yield finding
        if Origin.MESSENGER in examination.taken:
            for finding in await self._webhooks(examination, facts):
                yield finding

    def _page(self, page: Mapping[str, Any]) -> Finding:
        """Say whether the token is of the Page that messages are to go out by.

        Raises:
            Retry: the answer does not tell.
        """
        page_id, name = page.get("id"), page.get("name", "without a name")
        if not isinstance(page_id, str):
            raise Retry("Messenger's answer does not say whose token it is")
        if page_id == self._page_id:
            return Finding.ok(f"the token is good, for the Page {name} ({page_id})")
        return Finding.problem(
            f"the token is of {name} ({page_id}), and page_id is {self._page_id}",
            meaning="Meta refuses every message: a PSID and a token belong to one Page",
            to_do="set the token of this Page, or the page_id of that one",
        )

    async def _webhooks(self, examination: Examination, facts: TokenFacts | None) -> list[Finding]:
        """Look whether the fields that are needed are subscribed, by the Page and by the app."""
        topics = examination.topics.get(Origin.MESSENGER, frozenset())
        needed = [*_ALWAYS, *sorted({_FIELDS[topic] for topic in topics if topic in _FIELDS} - set(_ALWAYS))]
        try:
            found = [*await self._of_page(needed, facts), *await self._of_app(needed, facts, examination)]
        except (Retry, InDoubt, ChannelDown, Refused) as failure:
            return [
                Finding.warning(
                    f"which webhooks are subscribed could not be looked at: {failure.reason}",
                    meaning="echoes and what shoppers write may not arrive here",
                    to_do="give the token pages_manage_metadata, or compare by hand: the app's dashboard, Messenger,"
                    f" Webhooks: {', '.join(needed)}",
                )
            ]
        return found or [Finding.ok(f"subscribed: {', '.join(needed)}")]

    async def _of_page(self, needed: list[str], facts: TokenFacts | None) -> list[Finding]:
        answer = checked(await self._connections.get(f"/{self._page_id}/subscribed_apps", self._proof))
        apps = [app for app in as_objects(answer.get("data")) if facts is None or str(app.get("id")) == facts.app_id]
        fields = {str(field) for app in apps for field in as_list(app.get("subscribed_fields"))}
        every = ",".join(sorted(fields.union(needed)))
        how = f"POST /{self._page_id}/subscribed_apps with subscribed_fields={every}"
        return list(_missing(needed, fields, "the Page has not subscribed the app to", how))

    async def _of_app(self, needed: list[str], facts: TokenFacts | None, examination: Examination) -> list[Finding]:
        """Look where the app's webhook goes; only an app whose secret and id are known can be asked."""
        if self._app_secret is None or facts is None:
            return []
        secret = self._app_secret.get_secret_value()
        token = f"{facts.app_id}|{secret}"
        proof = {"appsecret_proof": hmac.digest(secret.encode(), token.encode(), "sha256").hex()}
        answer = checked(await self._connections.get(f"/{facts.app_id}/subscriptions", proof, token))
        webhooks = [one for one in as_objects(answer.get("data")) if one.get("object") == "page"]
        if not webhooks:
            return [
                Finding.problem(
                    "the app has no webhook for Pages",
                    meaning="Meta sends nothing here: no echoes, nothing that shoppers write",
                    to_do="set the callback URL, the verify token and the fields in the app's dashboard",
                )
            ]
        webhook = webhooks[0]
        fields = {str(field.get("name")) for field in as_objects(webhook.get("fields"))}
        how = "add them in the app's dashboard, Messenger, Webhooks"
        return [
            *_elsewhere(webhook, examination.addresses.get(Origin.MESSENGER)),
            *_missing(needed, fields, "the app's webhook lacks", how),
        ]


def _missing(needed: list[str], fields: set[str], what: str, to_do: str) -> Iterator[Finding]:
    lacking = [field for field in needed if field not in fields]
    if lacking:
        meanings = dict.fromkeys(_MEANINGS.get(field, f"what {field} would bring is not seen") for field in lacking)
        yield Finding.problem(f"{what} {', '.join(lacking)}", meaning="; ".join(meanings), to_do=to_do)


def _elsewhere(webhook: Mapping[str, Any], address: str | None) -> Iterator[Finding]:
    url = str(webhook.get("callback_url"))
    shown = shown_address(url)
    if address is not None and url != address:
        yield Finding.problem(
            f"the app's webhook goes to {shown}",
            meaning=f"Meta delivers there, and not to this host at {address}",
            to_do="set the callback URL in the app's dashboard, or give doctor the right --url",
        )
    if webhook.get("active") is False:
        yield Finding.problem(
            f"Meta has switched the app's webhook off ({shown})",
            meaning="Meta sends nothing here until it is subscribed anew: it had no answer in time for an hour",
            to_do="mend the way to the host (doctor --url), then save the webhook in the app's dashboard again",
        )
