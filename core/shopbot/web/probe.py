"""What the webhook routes answer to a probe of `shopbot doctor`: how much of it arrived.

A probe is a request that changes nothing, whoever sends it and whatever becomes of it:

- A header asks for an echo, which says of the request's own body and headers only what its sender knows already. It
  alters nothing else: not who is let in, not what is kept, not what is logged.
- Shopify's signature covers the body alone, so that somebody who has caught a probe could send it on under any topic.
  Its body is therefore no order, no checkout, and nothing else that a rule could act on.
- Under its own topics it is kept like any webhook and ends as NO_RULE, or is not kept at all.
- Messenger's signature covers all of it, and it is about no Page.
"""

import json
from hashlib import sha256
from typing import Self

from pydantic import ValidationError
from sanic import Request
from sanic.response import HTTPResponse
from sanic.response import json as json_response

from shopbot.model.base import Value

KEPT_TOPIC = "shopbot/probe"
"""Goes the whole way of a webhook: kept, worked off, skipped as NO_RULE."""

ECHO_TOPIC = "shopbot/echo"
"""Is verified, answered, and not kept."""

ASKS_FOR_ECHO = "X-Shopbot-Probe"
"""The header; its value does not matter."""

_PLATFORMS = ("x-shopify-", "x-hub-")
"""How the names of the headers begin that the platforms send and the host reads."""
_MOST_HEADERS = 20


class Echo(Value):
    """What arrived of a request."""

    body_bytes: int
    body_sha256: str
    headers: tuple[str, ...]
    """The names of the platforms' own headers, in lower case, sorted."""

    @classmethod
    def of(cls, request: Request) -> Self:
        """Take stock of a request."""
        names = {name.lower() for name in request.headers if name.lower().startswith(_PLATFORMS)}
        return cls(
            body_bytes=len(request.body),
            body_sha256=sha256(request.body).hexdigest(),
            headers=tuple(sorted(names)[:_MOST_HEADERS]),
        )

    @classmethod
    def read(cls, body: bytes) -> Self | None:
        """Read an answer's body; None where it is no echo, so that something else than shopbot has answered."""
        try:
            return cls.model_validate(json.loads(body)["shopbot_probe"])
        except (ValueError, RecursionError, LookupError, TypeError, ValidationError):
            return None


def echoed(request: Request, answer: HTTPResponse) -> HTTPResponse:
    """Give an echo of the request with the answer's status, where it asks for one; else the answer."""
    if ASKS_FOR_ECHO not in request.headers:
        return answer
    return json_response({"shopbot_probe": Echo.of(request).model_dump(mode="json")}, status=answer.status)
