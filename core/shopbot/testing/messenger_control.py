"""`/_simulator`: the Messenger simulator's own endpoints, so that another process can drive it.

| route | what |
|---|---|
| `GET /_simulator/sent?psid=&after=` | what shoppers saw; `after` skips that many of all ever sent |
| `GET /_simulator/requests` | every call to `/messages` and how it ended |
| `POST /_simulator/faults` | one fault or a list, see `Fault.from_json`; `DELETE` forgets them |
| `POST /_simulator/<act>` | a shopper's act, such as `say` with `{"psid": …, "text": …}` |
| `POST /_simulator/settings` | change window, latency, echoes, webhook URL, usage, tokens, blocks |
| `POST /_simulator/reset` | forget what happened |
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.messenger_faults import Fault
from shopbot.testing.messenger_state import Usage
from shopbot.testing.serving import SimulatorApp

if TYPE_CHECKING:
    from shopbot.testing.messenger import MessengerSimulator

ACTS = frozenset(
    {
        "attachment",
        "delivery",
        "optin",
        "postback",
        "react",
        "read",
        "redeliver",
        "referral",
        "say",
        "standby",
        "sticker",
        "tap",
    }
)

_PLAIN_SETTINGS = frozenset(
    {"echo_delay_seconds", "echoes", "latency_seconds", "template_status", "webhook_url", "window"}
)


def add_control_routes(app: SimulatorApp, simulator: MessengerSimulator) -> None:
    """Add the routes for the simulator's owner to *app*."""
    control = ControlRoutes(simulator)
    app.add_route(control.sent, "/_simulator/sent", methods=["GET"])
    app.add_route(control.requests, "/_simulator/requests", methods=["GET"])
    app.add_route(control.faults, "/_simulator/faults", methods=["POST"])
    app.add_route(control.clear_faults, "/_simulator/faults", methods=["DELETE"])
    app.add_route(control.settings, "/_simulator/settings", methods=["POST"])
    app.add_route(control.reset, "/_simulator/reset", methods=["POST"])
    app.add_route(control.act, "/_simulator/<name:str>", methods=["POST"])


class ControlRoutes:
    """What the owner of a simulator may ask and set over HTTP."""

    def __init__(self, simulator: MessengerSimulator) -> None:
        self._simulator = simulator

    async def sent(self, request: Request) -> HTTPResponse:
        """Give the messages that shoppers saw."""
        log = self._simulator.log
        psid = request.args.get("psid")
        after = request.args.get("after", "0")
        if not after.isdigit():
            return _problem("after must be a number")
        forgotten = log.sent_count - len(log.sent)
        messages = self._simulator.sent[max(0, int(after) - forgotten) :]
        shown = [message.as_json() for message in messages if psid in {None, message.psid}]
        return _json({"count": log.sent_count, "sent": shown})

    async def requests(self, request: Request) -> HTTPResponse:  # noqa: ARG002 - Sanic passes it
        """Give every call to `/messages`."""
        log = self._simulator.log
        return _json({"count": log.request_count, "requests": [it.as_json() for it in log.requests]})

    async def faults(self, request: Request) -> HTTPResponse:
        """Queue one fault, or a list of them."""
        value = _parsed(request)
        try:
            faults = [Fault.from_json(item) for item in (value if isinstance(value, list) else [value])]
        except (TypeError, ValueError) as error:
            return _problem(str(error))
        self._simulator.inject(*faults)
        return _json({"waiting": len(self._simulator.faults)})

    async def clear_faults(self, request: Request) -> HTTPResponse:  # noqa: ARG002 - Sanic passes it
        """Forget the faults that were not played yet."""
        self._simulator.faults.clear()
        return _json({"waiting": 0})

    async def settings(self, request: Request) -> HTTPResponse:
        """Change settings by name; nothing is changed if one of them is unknown."""
        value = _parsed(request)
        special = {
            "accept_token": self._simulator.tokens.accept,
            "app_usage": lambda usage: setattr(self._simulator, "app_usage", _usage(usage)),
            "block": self._simulator.block,
            "page_usage": lambda usage: setattr(self._simulator, "page_usage", _usage(usage)),
            "revoke_token": self._simulator.tokens.revoke,
            "unblock": self._simulator.unblock,
        }
        if not isinstance(value, dict) or set(value) - _PLAIN_SETTINGS - set(special):
            return _problem(f"settings are: {', '.join(sorted(_PLAIN_SETTINGS | set(special)))}")
        for name, setting in value.items():
            if name in special:
                special[name](setting)
            else:
                setattr(self._simulator, name, setting)
        return _json({"changed": sorted(value)})

    async def reset(self, request: Request) -> HTTPResponse:  # noqa: ARG002 - Sanic passes it
        """Forget what happened."""
        self._simulator.reset()
        return _json({})

    async def act(self, request: Request, name: str) -> HTTPResponse:
        """Let a shopper act; the arguments are those of the method of the same name."""
        if name not in ACTS:
            return _problem(f"acts are: {', '.join(sorted(ACTS))}", 404)
        value = _parsed(request)
        if not isinstance(value, dict):
            return _problem("a JSON object with the arguments is needed")
        try:
            delivery = await getattr(self._simulator, name)(**value)
        except (TypeError, KeyError) as error:
            return _problem(str(error))
        return _json(asdict(delivery))


def _parsed(request: Request) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(request.body or b"{}")
    except ValueError:
        return None


def _usage(value: dict[str, int] | None) -> Usage | None:
    return None if value is None else Usage(**value)


def _json(value: dict[str, Any], status: int = 200) -> HTTPResponse:
    return HTTPResponse(json.dumps(value), status, content_type="application/json")


def _problem(text: str, status: int = 400) -> HTTPResponse:
    return _json({"problem": text}, status)
