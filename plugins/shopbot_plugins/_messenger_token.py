"""What Meta tells of a Page access token: which app, which permissions, until when.

https://developers.facebook.com/docs/graph-api/reference/debug_token. A token may look at itself: "the tokens must be
from the same app" (https://developers.facebook.com/docs/facebook-login/guides/access-tokens/debugging).
`me/permissions` knows the tokens of people only. The call is sent as a batch of one, so that the token travels in the
body and is part of no address: https://developers.facebook.com/docs/graph-api/batch-requests
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from shopbot.plugin import Finding, InDoubt, Retry
from shopbot_plugins._json import as_list, as_object, as_objects
from shopbot_plugins._messenger_connections import Connections

_WARN = timedelta(days=14)
_NEW_TOKEN = (
    "make a Page token that does not end (of a system user, or from a long-lived user token), and set access_token"  # noqa: S105 - prose
)


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """One token, as Meta knows it."""

    app_id: str
    kind: str
    """PAGE, USER, SYSTEM_USER, APP."""
    scopes: frozenset[str]
    """The permissions that it has for its Page."""
    expires_at: int
    """In seconds since 1970; 0: never."""

    def findings(self, page_id: str, today: date, *, sends_templates: bool) -> Iterator[Finding]:
        """Say what the token is and may do."""
        if self.kind != "PAGE":
            yield Finding.problem(
                f"access_token is no Page token but one of the kind {self.kind}",
                meaning="Meta refuses to send with it",
                to_do=f"ask for the Page's own token (GET /{page_id}?fields=access_token), and set access_token",
            )
        needed = {"pages_messaging": "Meta refuses every message"}
        if sends_templates:
            needed["pages_utility_messaging"] = "utility templates cannot be sent: nothing outside the messaging window"
        lacking = [permission for permission in needed if permission not in self.scopes]
        for permission in lacking:
            yield Finding.problem(
                f"the token lacks the permission {permission}",
                meaning=needed[permission],
                to_do=f"log in anew with {permission}, set the new token; for the public: Advanced Access",
            )
        if not lacking:
            yield Finding.ok(f"the token has {', '.join(needed)}")
        yield self._end(today)

    def _end(self, today: date) -> Finding:
        if not self.expires_at:
            return Finding.ok("the token does not end")
        end = datetime.fromtimestamp(self.expires_at, UTC).date()
        if end - today > _WARN:
            return Finding.ok(f"the token is good until {end.isoformat()}")
        return Finding.warning(
            f"the token ends on {end.isoformat()}",
            meaning="after that no message goes out; all wait until there is a new one",
            to_do=_NEW_TOKEN,
        )


async def ask(connections: Connections, token: str, page_id: str, proof: Mapping[str, str]) -> TokenFacts | None:
    """Ask what Meta knows of a token; None where it does not tell.

    page_id: of the Page that the token is for.
    proof: `appsecret_proof`, where the app has a secret.
    """
    query = "&".join([f"input_token={quote(token, safe='')}", *(f"{name}={value}" for name, value in proof.items())])
    batch = json.dumps([{"method": "GET", "relative_url": f"debug_token?{query}"}])
    try:
        response = await connections.post_form(
            "/", {"access_token": token, "batch": batch, "include_headers": "false", **proof}
        )
        answers = as_list(response.json())
        body = as_object(json.loads(as_object(answers[0] if answers else None).get("body") or "null"))
    except (Retry, InDoubt, ValueError, RecursionError, TypeError):
        return None
    return _facts(as_object(body.get("data")), page_id)


def _facts(data: Mapping[str, Any], page_id: str) -> TokenFacts | None:
    scopes, app_id, expires_at = data.get("scopes"), data.get("app_id"), data.get("expires_at")
    if data.get("is_valid") is not True or not isinstance(scopes, list) or not isinstance(app_id, str | int):
        return None
    # A permission may have been given for some Pages only; without a list it is for all.
    pages = {one.get("scope"): as_list(one.get("target_ids")) for one in as_objects(data.get("granular_scopes"))}
    return TokenFacts(
        app_id=str(app_id),
        kind=str(data.get("type")),
        scopes=frozenset(str(scope) for scope in scopes if not pages.get(scope) or page_id in pages[scope]),
        expires_at=expires_at if isinstance(expires_at, int) and not isinstance(expires_at, bool) else 0,
    )
